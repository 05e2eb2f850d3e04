"""What this process commits it begins at once, past the queue's own way, and with the queue's guarantees."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.decide.memory import Cell, Memory
from engine.errors import StoreUnavailable
from engine.model.delivery import Delivery, Firing, Plan
from engine.model.event import Event
from engine.store import Store, handling, handoff, jobs
from tests.builders import event
from tests.store.plans import REVISION, Database, delivery, firing, until
from tests.store.working import emptied

DRAIN = timedelta(seconds=5)
WORKING = "select pid from pg_stat_activity where application_name = 'tocsin jobs callback'"


class Deliverer:
    """Begins deliveries as the worker does, and remembers in which state it found their jobs."""

    def __init__(self, store: Store, look: Database) -> None:
        self.begun: list[Delivery | None] = []
        self.statuses: list[str] = []
        self.again: datetime | None = None
        self._store = store
        self._look = look
        self._looking = asyncio.Lock()

    async def __call__(self, delivery_id: str) -> datetime | None:
        async with self._looking:
            rows = await self._look.rows("select dedupe_key as id, status::text from tocsin_queue.pgqueuer")
        self.statuses += [row["status"] for row in rows if row["id"] == delivery_id]
        self.begun.append(await self._store.deliveries.begin(delivery_id))
        again, self.again = self.again, None
        return again

    async def reach(self, number: int) -> None:
        async def reached() -> bool:
            return len(self.begun) >= number

        assert await until(reached)


@contextlib.asynccontextmanager
async def working(
    store: Store, handle: Callable[[str], Awaitable[datetime | None]], seats: int | None = None
) -> AsyncIterator[None]:
    """Callbacks are worked on while inside, by a worker that has looked into its queue and found nothing."""

    async def serves() -> bool:
        return store.serves("callback")

    stop = asyncio.Event()
    running = asyncio.create_task(store.jobs.run({"callback": handle}, stop, DRAIN, lambda kind, lane: seats))
    try:
        assert await until(serves)
        yield
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await running


async def commit(store: Store, number: int = 1) -> list[Delivery]:
    """That many callbacks of one event."""
    sent = event()
    fired = firing(sent)
    made = tuple(delivery(fired, f"step-{n}") for n in range(number))
    assert await store.committer.commit(sent, Plan(firings=(fired,), deliveries=made), REVISION)
    return list(made)


class Settled:
    """An event whose plan is made inside its commit; `broken`: which then fails."""

    def __init__(self, sent: Event, *, broken: bool = False) -> None:
        self.key = sent.dedupe_key
        fired = firing(sent)
        twice = (delivery(fired), delivery(fired)) if broken else (delivery(fired),)
        broken_one = replace(twice[0], id=None) if broken else twice[0]  # type: ignore[arg-type]
        self.plan = Plan(firings=(fired,), deliveries=(*twice[:-1], broken_one))

    def cells(self) -> Iterator[Cell]:
        """None."""
        return iter(())

    def decide(self, memory: Memory, known: Mapping[str, Firing], now: datetime) -> Plan:
        """As was said."""
        return self.plan

    def alert(self, known: Mapping[str, Firing]) -> Plan:
        """Never asked."""
        raise AssertionError


async def test_what_is_decided_in_the_commit_begins_from_memory_too(store: Store, look: Database) -> None:
    deliverer = Deliverer(store, look)
    async with working(store, deliverer):
        sent = event()
        new, made = await store.committer.decide(sent, Settled(sent), REVISION)
        await deliverer.reach(1)
    assert new
    assert deliverer.begun == list(made.deliveries)
    assert deliverer.statuses == ["picked"]
    assert await emptied(look)


async def test_a_decided_event_that_is_not_committed_frees_its_places(store: Store, look: Database) -> None:
    deliverer = Deliverer(store, look)
    async with working(store, deliverer):
        sent = event()
        with pytest.raises(StoreUnavailable):
            await store.committer.decide(sent, Settled(sent, broken=True), REVISION)
        assert store.serves("callback")
        sent = event()
        await store.committer.decide(sent, Settled(sent), REVISION)
        await deliverer.reach(1)
    assert len(deliverer.begun) == 1


async def test_what_is_committed_here_begins_from_memory(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job is picked from the start, its delivery is not read, and the job is gone when it is done."""

    async def unread(delivery_id: str) -> None:
        raise AssertionError("read")

    handle = Deliverer(store, look)
    async with working(store, handle):
        monkeypatch.setattr(store.deliveries, "get", unread)
        made = await commit(store, 3)
        await handle.reach(3)
        assert await emptied(look)
    assert sorted(map(repr, handle.begun)) == sorted(map(repr, made))
    assert set(handle.statuses) == {"picked"}


async def test_a_delivery_comes_from_memory_once(store: Store, look: Database) -> None:
    """When its job runs again it is read: much may have happened to it."""
    handle = Deliverer(store, look)
    handle.again = datetime.now(UTC)
    async with working(store, handle):
        [made] = await commit(store)
        await handle.reach(1)
        await look.execute("update tocsin.deliveries set status = 'dead'")
        await handle.reach(2)
        assert await emptied(look)
    assert handle.begun[0] == made
    assert handle.begun[1] is not None
    assert handle.begun[1].status == "dead"


async def test_a_delivery_that_waited_long_is_read(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stood still may have lost the job to another meanwhile."""
    monkeypatch.setattr(handoff, "FRESH", 0.0)
    handle = Deliverer(store, look)
    async with working(store, handle):
        [made] = await commit(store)
        await handle.reach(1)
    assert handle.begun[0] is not made
    assert handle.begun == [made]


async def test_a_delivery_that_slept_with_the_machine_is_read(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the clock that does not count sleep stood still."""
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(time, "time", iter((0.0, 3600.0)).__next__)
    made = delivery(firing(event()))
    between = handoff.Handoff()
    between.fresh[made.id] = (made, time.monotonic(), time.time())
    assert between.take(made.id) is None


async def test_what_there_is_no_room_for_is_queued(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And comes after it, as any job that waits in the queue."""
    monkeypatch.setitem(jobs._CLASSES, jobs.JobKind.CALLBACK, jobs._Class(batch=4, running=8, seats=2))
    handle = Deliverer(store, look)
    async with working(store, handle):
        made = await commit(store, 20)
        await handle.reach(20)
        assert await emptied(look)
    assert sorted(d.id for d in handle.begun if d) == sorted(d.id for d in made)


async def test_a_process_without_workers_leaves_all_to_the_queue(store: Store, second: Store, look: Database) -> None:
    """Its jobs are found by the others."""
    handle = Deliverer(second, look)
    async with working(second, handle):
        made = await commit(store, 5)
        await handle.reach(5)
        assert await emptied(look)
    assert not store.serves("callback")
    assert sorted(d.id for d in handle.begun if d) == sorted(d.id for d in made)


async def test_a_process_without_a_seat_takes_none_of_its_own_jobs(store: Store, second: Store, look: Database) -> None:
    """They are queued at once for one that has, and not sent round: what goes back to the queue is in its log."""
    mine, theirs = Deliverer(store, look), Deliverer(second, look)
    async with working(store, mine, seats=0), working(second, theirs):
        await commit(store, 3)
        await theirs.reach(3)
        assert await emptied(look)
    assert mine.begun == []
    assert await look.rows("select status::text from tocsin_queue.pgqueuer_log") == []


async def test_nothing_is_taken_of_a_commit_that_failed(store: Store, look: Database) -> None:
    """Its places are free again, and the event is delivered when it comes once more."""
    handle = Deliverer(store, look)
    async with working(store, handle):
        sent = event()
        fired = firing(sent)
        await look.execute("alter table tocsin.deliveries rename to gone")
        with pytest.raises(Exception, match="UndefinedTable"):
            await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(delivery(fired),)), REVISION)
        await look.execute("alter table tocsin.gone rename to deliveries")
        assert store.serves("callback")
        assert await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(delivery(fired),)), REVISION)
        await handle.reach(1)
        assert await emptied(look)
    assert len(handle.begun) == 1


async def test_what_lasts_long_stays_with_its_worker(
    store: Store, second: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives signs of life as any job does."""
    monkeypatch.setattr(jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=1.2))
    begun, stolen, go_on = asyncio.Event(), Deliverer(second, look), asyncio.Event()

    async def long(delivery_id: str) -> None:
        begun.set()
        await go_on.wait()

    async with working(store, long):
        await commit(store)
        await begun.wait()
        async with working(second, stolen):
            await asyncio.sleep(2.5)
        go_on.set()
        assert await emptied(look)
    assert stolen.begun == []


async def test_what_is_not_done_at_shutdown_goes_back_to_the_queue(
    store: Store, second: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, without waiting until its signs of life are missed."""
    monkeypatch.setattr(f"{__name__}.DRAIN", timedelta(seconds=0.1))
    begun = asyncio.Event()

    async def hanging(delivery_id: str) -> None:
        begun.set()
        await asyncio.sleep(3600)

    async with working(store, hanging):
        made = await commit(store, 3)
        await begun.wait()
    assert [row["status"] for row in await look.rows("select status::text from tocsin_queue.pgqueuer")] == [
        "queued"
    ] * 3
    handle = Deliverer(second, look)
    async with working(second, handle):
        await handle.reach(3)
    assert sorted(d.id for d in handle.begun if d) == sorted(d.id for d in made)


async def test_a_fault_of_ours_is_tried_again(store: Store, look: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the queue, after a while."""
    monkeypatch.setattr(handling, "FAULT_WAITS", (timedelta(seconds=0.2),))
    handle = Deliverer(store, look)
    faults = [RuntimeError("a fault of ours")]

    async def faulty(delivery_id: str) -> datetime | None:
        if faults:
            raise faults.pop()
        return await handle(delivery_id)

    async with working(store, faulty):
        [made] = await commit(store)
        await handle.reach(1)
        assert await emptied(look)
    assert handle.begun == [made]


async def test_a_lost_connection_leaves_what_has_begun_to_whoever_takes_it_over(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is this process too, and it finds it running: nothing is begun twice, and the job ends."""
    monkeypatch.setattr(jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=1.2))
    begun: list[str] = []
    go_on = asyncio.Event()

    async def handle(delivery_id: str) -> None:
        begun.append(delivery_id)
        await go_on.wait()

    async def taken_over() -> bool:
        rows = await look.rows("select queue_manager_id from tocsin_queue.pgqueuer where status = 'picked'")
        return bool(rows) and rows[0]["queue_manager_id"] != before

    async with working(store, handle):
        [made] = await commit(store)
        before = (await look.rows("select queue_manager_id from tocsin_queue.pgqueuer"))[0]["queue_manager_id"]
        await look.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'tocsin jobs callback' and datname = current_database()"
        )
        assert await until(taken_over)
        go_on.set()
        assert await emptied(look)
    assert begun == [made.id]


async def test_a_statement_that_fails_has_the_connection_made_again(store: Store, look: Database) -> None:
    """Whatever it failed of, a deadlock say: over the old one no signs of life would be given any more."""
    handle = Deliverer(store, look)
    async with working(store, handle):
        await look.execute(
            "create function tocsin.refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'no' using errcode = 'deadlock_detected'; end $$"
        )
        await look.execute(
            "create trigger refuse before delete on tocsin_queue.pgqueuer execute function tocsin.refuse()",
        )
        before = await look.rows(WORKING)
        await commit(store)
        await handle.reach(1)

        async def made_again() -> bool:
            return await look.rows(WORKING) not in ([], before)

        assert await until(made_again)
        await look.execute("drop trigger refuse on tocsin_queue.pgqueuer")
        assert await emptied(look)


async def test_connections_that_are_gone_are_not_its_own(store: Store, look: Database) -> None:
    """Their numbers are given again, to those of others."""
    for _ in range(3):
        await commit(store)
        await look.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tocsin ingest'"
        )
        await asyncio.sleep(0.1)
    await commit(store)
    assert len(store._handoff.pids) == 1
