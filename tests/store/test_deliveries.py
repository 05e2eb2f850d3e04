"""The deliveries table is the truth: what was tried, what is due, who waits for whom."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.model.delivery import Delivery, DeliveryStatus, Plan
from engine.model.rule import Verb
from engine.store import Store
from engine.store.deliveries import Released
from tests.builders import event
from tests.store.plans import REVISION, Database, attempt, delivery, firing

PENDING, WAITING, DELIVERED, DEAD, HELD, SKIPPED = (
    DeliveryStatus.PENDING,
    DeliveryStatus.WAITING,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.DEAD,
    DeliveryStatus.HELD,
    DeliveryStatus.SKIPPED,
)


async def commit(store: Store, *steps: str, **changes: Any) -> list[Delivery]:
    """An event whose one firing has these steps, as stored."""
    sent = event()
    fired = firing(sent)
    made = tuple(delivery(fired, step, **changes) for step in steps or ("tell",))
    assert await store.committer.commit(sent, Plan(firings=(fired,), deliveries=made), REVISION)
    return list(made)


async def end(store: Store, each: Delivery, status: DeliveryStatus = DELIVERED, **more: Any) -> None:
    """Record the last attempt of a delivery."""
    given = {"reason": None, "next_attempt": None, "result": None, **more}
    await store.deliveries.record(each.id, attempt(each), status=status, **given)


async def get(store: Store, each: Delivery) -> Delivery:
    """The delivery as it stands."""
    found = await store.deliveries.get(each.id)
    assert found is not None
    return found


async def test_an_unknown_delivery_is_none(store: Store) -> None:
    """A job may outlive its delivery."""
    assert await store.deliveries.get("dlv_gone") is None
    assert await store.deliveries.siblings("fir_gone") == []
    assert await store.deliveries.attempts("dlv_gone") == []


async def test_what_is_rendered_first_is_what_every_attempt_sends(store: Store) -> None:
    """A second worker that renders it too is told to send the first one's."""
    [each] = await commit(store)
    odd = {"text": "caf\u00e9 \0 \ud800", "number": 2**70, "none": None}
    assert await store.deliveries.set_request(each.id, odd) == odd
    assert await store.deliveries.set_request(each.id, {"text": "second"}) == odd
    assert (await get(store, each)).request == odd


async def test_a_failed_attempt_is_on_record_and_the_next_is_due_later(store: Store) -> None:
    """Start, duration, outcome, reason, status and excerpt; the delivery says when it goes on."""
    [each] = await commit(store)
    due = datetime.now(UTC) + timedelta(minutes=5)
    tried = attempt(each, reason="503 \0", excerpt="b\ud800sy", duration=timedelta(milliseconds=1500))
    await store.deliveries.record(each.id, tried, status=PENDING, reason="503", next_attempt=due, result=None)
    found = await get(store, each)
    assert (found.status, found.reason, found.attempts) == (PENDING, "503", 1)
    assert (found.next_attempt, found.first_attempt, found.finished) == (due, tried.started, None)
    assert await store.deliveries.attempts(each.id) == [replace(tried, reason="503 \ufffd", excerpt="b\ufffdsy")]


async def test_what_ends_keeps_its_result(store: Store) -> None:
    """For the steps that read it."""
    [each] = await commit(store)
    await end(store, each, result={"id": "po_1", "amount": 2**60})
    found = await get(store, each)
    assert found.status is DELIVERED
    assert found.result == {"id": "po_1", "amount": 2**60}
    assert found.finished is not None
    assert found.next_attempt is None


async def test_two_workers_that_tried_at_once_are_both_on_record(store: Store, second: Store) -> None:
    """Each attempt has its own number, whoever counted wrong."""
    [each] = await commit(store)
    stores = (store, second, store, second, store)
    await asyncio.gather(*(end(one, each, PENDING, next_attempt=datetime.now(UTC)) for one in stores))
    assert [a.number for a in await store.deliveries.attempts(each.id)] == [1, 2, 3, 4, 5]
    assert (await get(store, each)).attempts == 5


async def test_what_ends_at_once_is_recorded_each_as_it_ended(store: Store) -> None:
    """In one statement; of a delivery that ended twice both tries are on record."""
    made = await commit(store, "one", "two", "three", "four")
    ends = [(each, each.step) for each in made] + [(made[0], "late")]
    await asyncio.gather(*(end(store, each, result=step) for each, step in ends))
    found = [await get(store, each) for each in made]
    assert [(d.status, d.attempts, d.result) for d in found] == [
        (DELIVERED, 2, "one"),
        (DELIVERED, 1, "two"),
        (DELIVERED, 1, "three"),
        (DELIVERED, 1, "four"),
    ]
    numbers = [[a.number for a in await store.deliveries.attempts(each.id)] for each in made]
    assert numbers == [[1, 2], [1], [1], [1]]


@pytest.mark.parametrize(
    ("first", "then", "stays"),
    [
        (DELIVERED, DEAD, DELIVERED),
        (DELIVERED, PENDING, DELIVERED),
        (DEAD, PENDING, DEAD),
        (DEAD, DELIVERED, DELIVERED),
        (HELD, DELIVERED, DELIVERED),
    ],
)
async def test_what_has_ended_stays_so_but_for_a_late_success(
    store: Store, first: DeliveryStatus, then: DeliveryStatus, stays: DeliveryStatus
) -> None:
    """A worker that was thought dead comes late with its outcome."""
    [each] = await commit(store)
    await end(store, each, first, reason="first")
    await end(store, each, then, reason="then", next_attempt=None)
    assert (await get(store, each)).status is stays
    assert len(await store.deliveries.attempts(each.id)) == 2


def go_on(siblings: Sequence[Delivery]) -> list[Released]:
    """Whoever waits goes on when nothing it needs is open."""
    open_steps = {s.step for s in siblings if s.status in (PENDING, WAITING)}
    return [(s.id, PENDING, None) for s in siblings if s.status is WAITING and not open_steps & set(s.needs)]


async def test_the_end_of_a_step_wakes_what_waited_for_it(store: Store, look: Database) -> None:
    """In the same transaction, with a job."""
    sent = event()
    fired = firing(sent)
    first = delivery(fired, "ask")
    later = delivery(fired, "tell", status=WAITING, needs=("ask",), next_attempt=None)
    await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(first, later)), REVISION)
    await end(store, first, PENDING, next_attempt=datetime.now(UTC), release=go_on)
    assert (await get(store, later)).status is WAITING
    await end(store, first, release=go_on)
    found = await get(store, later)
    assert found.status is PENDING
    assert found.next_attempt is not None
    assert later.id in await look.jobs()


async def test_what_waited_in_vain_ends_with_its_reason(store: Store, look: Database) -> None:
    """Skipped, with no job."""
    sent = event()
    fired = firing(sent)
    first = delivery(fired, "ask")
    later = delivery(fired, "tell", status=WAITING, needs=("ask",), next_attempt=None)
    await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(first, later)), REVISION)
    await end(store, first, DEAD, reason="gone", release=lambda _: [(later.id, SKIPPED, "step ask did not succeed")])
    found = await get(store, later)
    assert (found.status, found.reason) == (SKIPPED, "step ask did not succeed")
    assert found.finished is not None
    assert later.id not in await look.jobs()


async def test_two_steps_that_end_at_once_wake_the_third_exactly_once(store: Store, second: Store) -> None:
    """Each sees what the other recorded, or neither would release it."""
    for _ in range(10):
        sent = event()
        fired = firing(sent)
        one, two = delivery(fired, "one"), delivery(fired, "two")
        third = delivery(fired, "third", status=WAITING, needs=("one", "two"), next_attempt=None)
        await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(one, two, third)), REVISION)
        await asyncio.gather(end(store, one, release=go_on), end(second, two, release=go_on))
        assert (await get(store, third)).status is PENDING


async def test_reports_have_no_firing_and_a_job_all_the_same(store: Store, look: Database) -> None:
    """Tocsin's own reports; inserted twice they are sent once."""
    report = replace(delivery(firing(event())), firing=None, event=None, rule="tocsin", verb=Verb.NOTIFY)
    other = replace(report, id="dlv_other")
    assert await store.deliveries.insert([report, other]) == 2
    assert await store.deliveries.insert([report]) == 0
    assert sorted(await look.jobs()) == sorted([report.id, other.id])
    await end(store, report, release=go_on)
    assert (await get(store, report)).status is DELIVERED
    assert (await get(store, other)).status is PENDING


async def test_retry_gives_what_was_given_up_a_fresh_run(store: Store, look: Database) -> None:
    """Dead and held go back to pending, with a job and all their attempts before them; nothing else is touched."""
    dead, done, open_ = await commit(store, "dead", "done", "open")
    await end(store, dead, DEAD, reason="gave up")
    await end(store, done)
    await look.execute("delete from tocsin_queue.pgqueuer")
    assert await store.deliveries.retry([dead.id, done.id, open_.id, "dlv_unknown"]) == 1
    found = await get(store, dead)
    assert (found.status, found.reason, found.attempts, found.first_attempt) == (PENDING, None, 0, None)
    assert await look.jobs() == [dead.id]
    await end(store, dead)
    assert [a.number for a in await store.deliveries.attempts(dead.id)] == [1, 2]


async def test_retry_of_an_old_stripe_write_needs_to_be_asked_for_again(store: Store) -> None:
    """Stripe forgets idempotency keys after 24 hours: what may have been done could be done twice."""
    [old] = await commit(store, verb=Verb.STRIPE, destination="refunds.create")
    long_ago = datetime.now(UTC) - timedelta(hours=23, minutes=1)
    await store.deliveries.record(
        old.id, attempt(old, started=long_ago), status=DEAD, reason="timeout", next_attempt=None, result=None
    )
    assert await store.deliveries.retry([old.id]) == 0
    assert await store.deliveries.retry([old.id], again=True) == 1
    assert (await get(store, old)).first_attempt is None


async def test_retry_of_a_recent_stripe_write_keeps_the_time_of_its_key(store: Store) -> None:
    """The 23 hours count from the first attempt ever made under the key."""
    [recent] = await commit(store, verb=Verb.STRIPE, destination="refunds.create")
    await end(store, recent, DEAD, reason="timeout")
    first = (await get(store, recent)).first_attempt
    assert await store.deliveries.retry([recent.id]) == 1
    assert (await get(store, recent)).first_attempt == first


async def test_retry_again_of_an_old_write_begins_its_claim_anew(store: Store) -> None:
    """Its age is what tells whether Stripe may have forgotten its key."""
    now = datetime.now(UTC)
    cap: dict[str, Any] = {"max": 1, "every": timedelta(hours=1)}
    (old,) = await commit(store, "a", verb=Verb.STRIPE, destination="refunds.create")
    before = now - timedelta(days=2)
    assert await store.writes.claim("refunds.create", old.id, now=before, **cap) == before
    await end(store, old, DEAD, reason="too old")
    assert await store.deliveries.retry([old.id]) == 1
    assert await store.writes.claim("refunds.create", old.id, now=now, **cap) == before
    await end(store, old, DEAD, reason="too old")
    assert await store.deliveries.retry([old.id], again=True) == 1
    since = await store.writes.claim("refunds.create", old.id, now=now, **cap)
    assert since is not None
    assert since >= now


async def test_retry_of_a_held_write_lets_it_pass_its_cap(store: Store) -> None:
    """A person has decided: it is not held again, and takes nobody else's place."""
    now = datetime.now(UTC)
    cap: dict[str, Any] = {"max": 1, "every": timedelta(hours=1), "now": now}
    first, held, third = await commit(store, "a", "b", "c", verb=Verb.STRIPE, destination="refunds.create")
    assert await store.writes.claim("refunds.create", first.id, **cap)
    assert not await store.writes.claim("refunds.create", held.id, **cap)
    await end(store, held, HELD, reason="beyond the cap")
    assert await store.deliveries.retry([held.id]) == 1
    assert await store.writes.claim("refunds.create", held.id, **cap)
    assert not await store.writes.claim("refunds.create", third.id, **cap)


async def test_the_sweep_gives_a_job_to_what_is_due_and_has_none(store: Store, look: Database) -> None:
    """What has a job, is not due yet, waits or has ended is left alone."""
    lost, later, waiting, ended, kept = await commit(store, "lost", "later", "waiting", "ended", "kept")
    await end(store, ended)
    await end(store, later, PENDING, next_attempt=datetime.now(UTC) + timedelta(hours=1))
    await look.execute("update tocsin.deliveries set status = 'waiting' where id = $1", waiting.id)
    await look.execute("delete from tocsin_queue.pgqueuer where dedupe_key <> $1", kept.id)
    assert await store.deliveries.sweep() == 1
    assert sorted(await look.jobs()) == sorted([lost.id, kept.id])
    assert await store.deliveries.sweep() == 0


async def test_two_sweeps_at_once_make_one_job_each(store: Store, second: Store, look: Database) -> None:
    """Every process sweeps."""
    made = await commit(store, *(f"step-{n}" for n in range(50)))
    await look.execute("delete from tocsin_queue.pgqueuer")
    await asyncio.gather(*(each.deliveries.sweep() for each in (store, second) for _ in range(3)))
    assert sorted(await look.jobs()) == sorted(d.id for d in made)


async def test_the_sweep_keeps_the_queues_log_short(store: Store, look: Database) -> None:
    """PgQueuer keeps a row or more a job for ever; an hour of them is enough."""
    for age in ("2 hours", "3 hours", "10 minutes"):
        await look.execute(
            "insert into tocsin_queue.pgqueuer_log (created, job_id, status, entrypoint, priority) "
            f"values (now() - interval '{age}', 1, 'successful', 'callback', 0)"
        )
    await store.deliveries.sweep()
    assert len(await look.rows("select 1 from tocsin_queue.pgqueuer_log")) == 1


async def test_deliveries_are_found_by_what_people_know_of_them(store: Store) -> None:
    """Status, rule, verb, destination, account, event and time; newest first, bounded."""
    old = event(received=datetime(2026, 1, 1, tzinfo=UTC), account="acct_old")
    new = event(received=datetime(2026, 2, 1, tzinfo=UTC), account="acct_new")
    for sent, rule, verb, to in (
        (old, "payout-failed", Verb.NOTIFY, "payments/kim@example.com"),
        (new, "dispute_lost", Verb.CALLBACK, "case-system"),
    ):
        fired = firing(sent, rule)
        one = delivery(fired, verb=verb, destination=to)
        await store.committer.commit(sent, Plan(firings=(fired,), deliveries=(one,)), REVISION)
    [first] = await store.deliveries.ls(account="acct_old")
    [second] = await store.deliveries.ls(account="acct_new")
    await end(store, first, DEAD, reason="gone")

    async def found(**by: Any) -> list[str]:
        return [d.id for d in await store.deliveries.ls(**by)]

    assert await found() == [second.id, first.id]
    assert await found(limit=1) == [second.id]
    assert await found(status=[DEAD, HELD]) == [first.id]
    assert await found(status=[PENDING]) == [second.id]
    assert await found(rule="payout-*") == [first.id]
    assert await found(rule="dispute%") == []
    assert await found(rule="dispute-lost") == []
    assert await found(verb=Verb.CALLBACK) == [second.id]
    assert await found(destination="payments/*") == [first.id]
    assert await found(event=old.dedupe_key) == [first.id]
    assert await found(since=datetime(2026, 1, 15, tzinfo=UTC)) == [second.id]
    assert await found(before=datetime(2026, 1, 15, tzinfo=UTC)) == [first.id]


async def test_health_counts_what_needs_attention(store: Store, look: Database) -> None:
    """The age of the oldest job that is due, of each class that has one; dead, held and pending deliveries."""
    assert (await store.health()).queue_age == {}
    dead, held, *_ = await commit(store, "a", "b", "c", "d", "e")
    await end(store, dead, DEAD, reason="gone")
    await end(store, held, HELD, reason="cap")
    await look.execute("update tocsin_queue.pgqueuer set execute_after = now() - interval '1 minute'")
    await look.execute("update tocsin.deliveries set next_attempt = now() - interval '1 minute'")
    health = await store.health()
    assert (health.pending, health.dead, health.held) == (3, 1, 1)
    assert list(health.queue_age) == ["callback"]
    assert timedelta(seconds=60) <= health.queue_age["callback"] < timedelta(seconds=90)
