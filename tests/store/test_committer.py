"""Group commit: what is acknowledged is durable, once, with everything that must come of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from engine.errors import StoreUnavailable
from engine.model.delivery import NOTHING, DeliveryStatus, Plan
from engine.model.event import Event, Payload
from engine.store import Store, committer
from engine.store.connect import Target, Timeouts
from tests.builders import event
from tests.store.plans import REVISION, Database, delivery, firing, plan


async def test_an_event_is_new_once(store: Store, look: Database) -> None:
    """The first commit says so, every later one says that it was there."""
    sent = event()
    assert await store.committer.commit(sent, NOTHING, REVISION) is True
    assert await store.committer.commit(sent, NOTHING, REVISION) is False
    assert await look.count("events") == 1


async def test_everything_that_must_come_of_an_event_is_there_with_it(store: Store, look: Database) -> None:
    """The event, its firing, its delivery and the delivery's job: one commit."""
    sent = event()
    wanted = plan(sent)
    assert await store.committer.commit(sent, wanted, REVISION)
    assert await store.events.firings(sent.dedupe_key) == list(wanted.firings)
    assert await store.deliveries.get(wanted.deliveries[0].id) == wanted.deliveries[0]
    assert await look.jobs() == [wanted.deliveries[0].id]


async def test_only_what_is_due_gets_a_job(store: Store, look: Database) -> None:
    """A step that waits for another, and one that is not meant for this event, are not woken."""
    sent = event()
    fired = firing(sent)
    waiting = delivery(fired, "later", status=DeliveryStatus.WAITING, needs=("tell", "ask"), next_attempt=None)
    skipped = delivery(fired, "never", status=DeliveryStatus.SKIPPED, reason="live events only", next_attempt=None)
    wanted = Plan(firings=(fired,), deliveries=(delivery(fired), waiting, skipped))
    await store.committer.commit(sent, wanted, REVISION)
    assert await look.jobs() == [wanted.deliveries[0].id]
    assert {d.id: d for d in await store.deliveries.siblings(fired.id)} == {d.id: d for d in wanted.deliveries}


async def test_the_same_event_ten_times_at_once_from_two_processes(store: Store, second: Store, look: Database) -> None:
    """Exactly one of them is told that it is new, and nothing is made twice."""
    events = [event() for _ in range(30)]
    calls = [
        each.committer.commit(sent, plan(sent), REVISION)
        for number in range(10)
        for each in (store, second)
        # In other orders, so that the two would lock against each other if they did not sort.
        for sent in (events if number % 2 else reversed(events))
    ]
    answers = await asyncio.gather(*calls)
    assert sum(answers) == len(events)
    assert await look.count("events") == await look.count("firings") == await look.count("deliveries") == len(events)
    assert sorted(await look.jobs()) == sorted(plan(sent).deliveries[0].id for sent in events)


async def test_what_arrives_during_a_commit_is_the_next_batch(store: Store, look: Database) -> None:
    """A hundred events that arrive together take a few commits, not a hundred."""
    await store.committer.commit(event(), NOTHING, REVISION)
    await asyncio.gather(*(store.committer.commit(event(), NOTHING, REVISION) for _ in range(100)))
    transactions = await look.rows("select distinct xmin::text from tocsin.events")
    assert len(transactions) <= 4


@pytest.mark.parametrize("poison", ["acct_\0", "acct_\ud800", "acct_\x1f"])
async def test_a_poisoned_event_fails_nobody_not_even_itself(store: Store, look: Database, poison: str) -> None:
    """PostgreSQL refuses NUL and lone surrogates, we the separator: all are stored, it without them."""
    bad = replace(event(), account=poison, raw_account=poison)
    good = [event() for _ in range(5)]
    answers = await asyncio.gather(
        *(store.committer.commit(sent, plan(sent), REVISION) for sent in [*good[:2], bad, *good[2:]])
    )
    assert answers == [True] * 6
    stored = await store.events.get(bad.id)
    assert stored is not None
    assert stored.account == "acct_\ufffd"
    assert stored.body == bad.body
    assert await look.count("deliveries") == 6


async def test_an_event_that_cannot_be_stored_at_all_fails_alone(store: Store) -> None:
    """It is refused, so that Stripe sends it again and keeps it on record; its neighbours are stored."""
    sent = event()
    bad_plan = Plan(firings=(replace(firing(sent), replay=2**40),))
    good = [event() for _ in range(3)]
    answers = await asyncio.gather(
        store.committer.commit(sent, bad_plan, REVISION),
        *(store.committer.commit(each, NOTHING, REVISION) for each in good),
        return_exceptions=True,
    )
    assert isinstance(answers[0], StoreUnavailable)
    assert answers[1:] == [True] * 3
    assert await store.events.get(sent.id) is None


async def test_a_snapshot_takes_over_the_row_of_its_thin_twin(store: Store, look: Database) -> None:
    """Rules that fired for the thin one do not fire again, those that need the object do now; either id finds it."""
    thin = event("v1.payout.failed", snapshot_event="evt_twin")
    full = event("payout.failed", id="evt_twin")
    assert thin.dedupe_key == full.dedupe_key
    assert await store.committer.commit(thin, plan(thin, "any-payout"), REVISION) is True
    found = await store.events.get("evt_twin")
    assert found is not None
    assert found.payload is Payload.THIN
    assert await store.committer.commit(full, plan(full, "any-payout", "big-payout"), "e" * 64) is False
    assert await store.events.get("evt_twin") == full
    assert await store.events.get(thin.id) == full
    assert await store.events.revision_of("evt_twin") == "e" * 64
    assert [f.rule for f in await store.events.firings("evt_twin")] == ["any-payout", "big-payout"]
    assert len(await look.jobs()) == 2
    assert await store.committer.commit(thin, plan(thin, "any-payout"), REVISION) is False
    assert await store.events.get("evt_twin") == full


async def test_twins_in_one_batch_are_taken_one_after_the_other(store: Store) -> None:
    """Whichever order they arrive in, the snapshot is what is kept, and one of them is new."""
    pairs = [(event("v1.payout.failed", snapshot_event=f"evt_t{n}"), event(id=f"evt_t{n}")) for n in range(6)]
    arriving = [twin for n, pair in enumerate(pairs) for twin in (pair if n % 2 else pair[::-1])]
    answers = await asyncio.gather(*(store.committer.commit(sent, plan(sent), REVISION) for sent in arriving))
    assert answers == [True, False] * 6
    for _, full in pairs:
        assert await store.events.get(full.id) == full


async def test_a_lost_connection_is_made_again(store: Store, look: Database) -> None:
    """The events that were under way are committed on the next connection, without anyone noticing."""
    await store.committer.commit(event(), NOTHING, REVISION)
    await look.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'tocsin ingest' and datname = current_database()"
    )
    answers = await asyncio.gather(*(store.committer.commit(sent, plan(sent), REVISION) for sent in _events(20)))
    assert answers == [True] * 20
    assert await look.count("events") == 21


async def test_a_database_that_does_not_answer_in_time_is_said_so(database: str, look: Database) -> None:
    """Stripe is told to send again, within the bound; when the database is back, it does so."""
    store = await Store.connect(Target.from_url(database, Timeouts(commit=timedelta(seconds=0.6))))
    try:
        sent = event()
        await look.execute("begin")
        await look.execute("lock table tocsin.events in access exclusive mode")
        started = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable, match=r"0\.6 seconds"):
            await store.committer.commit(sent, NOTHING, REVISION)
        assert asyncio.get_running_loop().time() - started < 3
        await look.execute("rollback")
        assert await store.committer.commit(sent, NOTHING, REVISION) is True
    finally:
        await store.close()


async def test_events_that_wait_are_bounded(store: Store, look: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood against a slow database is refused early rather than kept in memory."""
    monkeypatch.setattr(committer, "CAPACITY", 3)
    await look.execute("begin")
    await look.execute("lock table tocsin.events in access exclusive mode")
    under_way = asyncio.create_task(store.committer.commit(event(), NOTHING, REVISION))
    await _blocked(look)
    waiting = [asyncio.create_task(store.committer.commit(event(), NOTHING, REVISION)) for _ in range(3)]
    await asyncio.sleep(0)  # each of them has queued its event
    assert store.committer.backlog == 3
    with pytest.raises(StoreUnavailable, match="3 events are waiting"):
        await store.committer.commit(event(), NOTHING, REVISION)
    await look.execute("rollback")
    assert await asyncio.gather(under_way, *waiting) == [True] * 4


async def test_the_bytes_that_wait_are_bounded(database: str, look: Database) -> None:
    """Large events are refused long before there are many of them; one alone is taken whatever its size."""
    store = await Store.connect(Target.from_url(database), backlog=2_000)
    try:
        large = event(object={"description": "x" * 3_000})
        assert await store.committer.commit(large, NOTHING, REVISION)
        await look.execute("begin")
        await look.execute("lock table tocsin.events in access exclusive mode")
        first = asyncio.create_task(store.committer.commit(event(), NOTHING, REVISION))
        await _blocked(look)
        with pytest.raises(StoreUnavailable, match="bytes are waiting"):
            await store.committer.commit(large, NOTHING, REVISION)
        await look.execute("rollback")
        assert await first
        assert await store.committer.commit(event(), NOTHING, REVISION)
    finally:
        await store.close()


async def test_in_a_flood_nobody_waits_for_the_attempts_of_others(
    database: str, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that have waited long enough are answered at once, however many batches they would have been."""
    monkeypatch.setattr(committer, "BATCH_EVENTS", 1)
    store = await Store.connect(Target.from_url(database, Timeouts(commit=timedelta(seconds=0.6))))
    try:
        await look.execute("begin")
        await look.execute("lock table tocsin.events in access exclusive mode")
        started = asyncio.get_running_loop().time()
        waiting = [store.committer.commit(event(), NOTHING, REVISION) for _ in range(30)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        assert asyncio.get_running_loop().time() - started < 9  # one after the other it would be 18
        await look.execute("rollback")
    finally:
        await store.close()


async def test_closing_commits_what_has_arrived(database: str, look: Database) -> None:
    """A request that was read is answered; one that comes later is not taken."""
    store = await Store.connect(Target.from_url(database))
    calls = [asyncio.create_task(store.committer.commit(sent, plan(sent), REVISION)) for sent in _events(50)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*calls) == [True] * 50
    with pytest.raises(StoreUnavailable, match="shutting down"):
        await store.committer.commit(event(), NOTHING, REVISION)
    assert await look.count("events") == 50


async def test_a_caller_that_goes_away_hurts_nobody(store: Store) -> None:
    """Its event is stored all the same: it was read."""
    sent = event()
    gone = asyncio.create_task(store.committer.commit(sent, NOTHING, REVISION))
    await asyncio.sleep(0)
    gone.cancel()
    assert await store.committer.commit(event(), NOTHING, REVISION) is True
    assert await store.committer.commit(sent, NOTHING, REVISION) is False


@pytest.mark.parametrize("error", [asyncpg.DeadlockDetectedError, asyncpg.SerializationError])
async def test_a_conflict_with_another_process_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """PostgreSQL picks a victim; the victim's turn comes."""
    write = store.committer._write
    raised: list[Exception] = []

    async def conflicting(batch: list[committer._Entry]) -> set[str]:
        if len(raised) < 3:
            raised.append(error("conflict"))
            raise raised[-1]
        return await write(batch)

    monkeypatch.setattr(store.committer, "_write", conflicting)
    assert await store.committer.commit(event(), NOTHING, REVISION) is True
    assert len(raised) == 3


async def test_a_fault_of_ours_answers_everybody_and_ends_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong, callers are told, and the next event is taken."""

    async def broken(batch: list[committer._Entry], error: BaseException) -> None:
        raise RuntimeError("a fault of ours")

    async def unavailable(batch: list[committer._Entry]) -> set[str]:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(store.committer, "_put_back", broken)
        patch.setattr(store.committer, "_write", unavailable)
        with pytest.raises(StoreUnavailable, match="internal error: RuntimeError"):
            await store.committer.commit(event(), NOTHING, REVISION)
    assert await store.committer.commit(event(), NOTHING, REVISION) is True


def _events(number: int) -> list[Event]:
    return [event() for _ in range(number)]


async def _blocked(look: Database) -> None:
    """Wait until a statement in this database waits for a lock."""
    waiting = (
        "select 1 from pg_locks join pg_database d on d.oid = database "
        "where datname = current_database() and not granted"
    )
    async with asyncio.timeout(5):
        while not await look.rows(waiting):
            pass
