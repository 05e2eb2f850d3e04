"""What this process commits it begins at once, past the queue's own way, and with the queue's guarantees."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import Delivery, Plan
from engine.store import Store, handoff, jobs
from tests.builders import event
from tests.store.plans import REVISION, Database, delivery, firing, until
from tests.store.test_jobs import emptied

DRAIN = timedelta(seconds=5)


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
async def working(store: Store, handle: Callable[[str], Awaitable[datetime | None]]) -> AsyncIterator[None]:
    """Callbacks are worked on while inside, by a worker that has looked into its queue and found nothing."""

    async def serves() -> bool:
        return store.serves("callback")

    stop = asyncio.Event()
    running = asyncio.create_task(store.jobs.run({"callback": handle}, stop, DRAIN))
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
