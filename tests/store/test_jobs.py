"""Jobs are wake-ups that come at least once, and never get lost: not by a fault, a shutdown, a lost connection."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import Plan
from engine.model.rule import Verb
from engine.store import Store, handling, jobs
from engine.store.connect import Connection, Target
from engine.store.jobs import JobKind
from tests.builders import event
from tests.store.plans import REVISION, Database, delivery, firing, until
from tests.store.working import DRAIN, Handled, commit, emptied, working


async def test_every_job_runs_once_and_is_gone(store: Store, look: Database) -> None:
    """The handler gets the delivery's id."""
    ids = await commit(store, 50)
    handle = Handled()
    async with working(store, handle):
        await handle.reach(50)
        assert await emptied(look)
    assert sorted(handle.ids) == sorted(ids)


async def test_a_job_committed_with_its_event_is_as_pgqueuer_makes_it(store: Store, look: Database) -> None:
    """It is inserted by a statement of ours: in every column as PgQueuer's own enqueue does it."""
    sent = event()
    fired = firing(sent)
    made = delivery(fired, verb=Verb.NOTIFY, destination="on-call/kim@example.com")
    unlike = "to_jsonb(j) - 'id' - 'created' - 'updated' - 'heartbeat' - 'execute_after'"
    row = f"select ({unlike})::text as row, execute_after <= now() as due from tocsin_queue.pgqueuer j"
    await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(made,)), REVISION)
    ours = await look.rows(row)
    await look.execute("delete from tocsin_queue.pgqueuer")
    await store.deliveries.sweep()
    theirs = await look.rows(row)
    assert len(ours) == 1
    assert list(map(dict, ours)) == list(map(dict, theirs))


async def test_a_job_is_begun_soon_after_its_commit(store: Store) -> None:
    """A waiting worker is told by the database; it does not find out by polling."""
    handle = Handled()
    async with working(store, handle):
        await commit(store, 1)
        await handle.reach(1)
        started = asyncio.get_running_loop().time()
        await commit(store, 1)
        await handle.reach(2)
        assert asyncio.get_running_loop().time() - started < 0.8


async def test_each_class_goes_to_its_own_handler(store: Store) -> None:
    """A slow channel is not in the way of callbacks."""
    notify, callback = Handled(), Handled()
    told = await commit(store, 2, Verb.NOTIFY)
    called = await commit(store, 3)
    stop = asyncio.Event()
    running = asyncio.create_task(store.jobs.run({"notify": notify, "callback": callback}, stop, DRAIN))
    await asyncio.gather(notify.reach(2), callback.reach(3))
    stop.set()
    await running
    assert sorted(notify.ids) == sorted(told)
    assert sorted(callback.ids) == sorted(called)


async def test_a_handler_that_asks_for_later_is_woken_then(store: Store, look: Database) -> None:
    """The time it returns is when it runs again, not before."""
    times: list[datetime] = []

    def later(_: str) -> datetime | None:
        times.append(datetime.now(UTC))
        return times[0] + timedelta(seconds=1) if len(times) == 1 else None

    await commit(store, 1)
    handle = Handled(later)
    async with working(store, handle):
        await handle.reach(2)
        assert await emptied(look)
    assert timedelta(seconds=0.95) <= times[1] - times[0] < timedelta(seconds=2.5)


async def test_a_handler_that_raises_loses_nothing(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is logged and the job runs again."""
    monkeypatch.setattr(handling, "FAULT_WAITS", (timedelta(seconds=0.2),))
    [delivery_id] = await commit(store, 1)
    tries = itertools.count()

    def faulty(_: str) -> datetime | None:
        if next(tries) < 2:
            raise RuntimeError("a fault of ours")
        return None

    handle = Handled(faulty)
    async with working(store, handle):
        await handle.reach(3)
        assert await emptied(look)
    assert handle.ids == [delivery_id] * 3


async def test_at_shutdown_handlers_may_finish(store: Store, look: Database) -> None:
    """Within the bound, what has begun is done and not done again."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def slow(delivery_id: str) -> None:
        begun.set()
        await go_on.wait()
        finished.append(delivery_id)

    ids = await commit(store, 1)
    async with working(store, slow) as stop:
        await begun.wait()
        stop.set()
        asyncio.get_running_loop().call_later(0.3, go_on.set)
    assert finished == ids
    assert await look.jobs() == []


async def test_at_shutdown_what_is_not_done_goes_back_to_the_queue(store: Store, second: Store) -> None:
    """Beyond the bound handlers are cancelled; their jobs, which PgQueuer would delete, are there for the next."""
    begun = asyncio.Event()

    async def hanging(delivery_id: str) -> None:
        begun.set()
        await asyncio.sleep(3600)

    ids = await commit(store, 30)
    async with working(store, hanging, drain=timedelta(seconds=0.2)):
        await begun.wait()
    handle = Handled()
    async with working(second, handle):
        await handle.reach(30, seconds=3)
    assert sorted(handle.ids) == sorted(ids)


async def test_cancelling_the_run_hands_back_too(store: Store, look: Database) -> None:
    """Not the way to stop it, but no way to lose a job either."""
    begun = asyncio.Event()

    async def hanging(delivery_id: str) -> None:
        begun.set()
        await asyncio.sleep(3600)

    ids = await commit(store, 1)
    running = asyncio.create_task(store.jobs.run({JobKind.CALLBACK: hanging}, asyncio.Event(), timedelta(seconds=0.1)))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await look.jobs() == ids
    assert (await look.rows("select status::text from tocsin_queue.pgqueuer"))[0]["status"] == "queued"


async def test_a_dead_workers_jobs_are_taken_over(store: Store, look: Database) -> None:
    """A job that was picked by a process that is no more runs elsewhere in less than five seconds."""
    ids = await commit(store, 3)
    await look.execute(
        "update tocsin_queue.pgqueuer set status = 'picked', heartbeat = now(), queue_manager_id = gen_random_uuid()"
    )
    handle = Handled()
    async with working(store, handle):
        await handle.reach(3, seconds=5)
    assert sorted(handle.ids) == sorted(ids)


async def test_a_long_job_stays_with_its_worker(store: Store, second: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signs of life keep others from taking it over."""
    monkeypatch.setattr(jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=1.2))
    handle = Handled()
    stolen = Handled()
    lasting = 2.5

    async def long(delivery_id: str) -> None:
        await handle(delivery_id)
        await asyncio.sleep(lasting)

    await commit(store, 1)
    async with working(store, long):
        await handle.reach(1)
        async with working(second, stolen):
            await asyncio.sleep(lasting)
    assert len(handle.ids) == 1
    assert stolen.ids == []


async def test_a_lost_connection_is_made_again(store: Store, look: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restart of the database: jobs go on, also while a handler of before still runs."""
    monkeypatch.setattr(jobs, "HEARTBEAT_TIMEOUT", timedelta(seconds=1.2))
    hang = asyncio.Event()
    begun = Handled()

    async def handle(delivery_id: str) -> None:
        await begun(delivery_id)
        if len(begun.ids) == 1:
            await hang.wait()

    await commit(store, 1)
    async with working(store, handle):
        await begun.reach(1)
        await look.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'tocsin jobs callback' and datname = current_database()"
        )
        await commit(store, 1)
        await begun.reach(2)
        hang.set()
        assert await emptied(look)
    # The job of the first was taken over by ourselves meanwhile, and found it running.
    assert len(set(begun.ids)) == 2


async def test_a_database_that_lets_us_in_and_is_of_no_use_is_not_stormed(
    database: str, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that can only be read, as after a failover: connections are made with growing pauses."""
    made = 0
    connect = Target.connect

    async def counted(self: Target, purpose: str, **options: bool) -> Connection:
        nonlocal made
        made += purpose.startswith("jobs")
        return await connect(self, purpose, **options)

    store = await Store.connect(Target.from_url(database))
    monkeypatch.setattr(Target, "connect", counted)
    handled = Handled()
    try:
        await look.execute(f"alter database {database_name(database)} set default_transaction_read_only = on")
        async with working(store, handled):
            assert await until(lambda: _reached(lambda: made >= 3))
            await asyncio.sleep(1)
            assert made < 12
            await look.execute(f"alter database {database_name(database)} set default_transaction_read_only = off")
            await commit(store, 1)
            await handled.reach(1)
    finally:
        await store.close()


def database_name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


async def _reached(true: Callable[[], bool]) -> bool:
    return true()


async def test_a_clock_that_was_set_back_holds_up_no_job(store: Store, look: Database) -> None:
    """What was due stays due, what had to wait waits as long as it had, and a dead worker's jobs are taken over."""
    due, later, dead = await commit(store, 3)
    in_an_hour = "updated = updated + interval '1 hour', heartbeat = heartbeat + interval '1 hour'"
    await look.execute(
        f"update tocsin_queue.pgqueuer set {in_an_hour}, execute_after = execute_after + interval '1 hour' "
        f"+ case when dedupe_key = '{later}' then interval '5 minutes' else interval '0' end, "
        f"status = case when dedupe_key = '{dead}' then 'picked' else 'queued' end::tocsin_queue.pgqueuer_status"
    )
    handled = Handled()
    async with working(store, handled):
        await store.deliveries.sweep()
        await handled.reach(2)
    assert sorted(handled.ids) == sorted([due, dead])
    ((left,),) = await look.rows("select execute_after - now() from tocsin_queue.pgqueuer")
    assert timedelta(minutes=4) < left < timedelta(minutes=6)
