"""What is older than it is to be kept goes, with everything that came of it; what is not finished stays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import NOTHING, Delivery, DeliveryStatus, DueDigest
from engine.model.mute import Mute
from engine.store import Store, memory, retention
from engine.store.accounts import SeenAccount
from engine.store.deliveries import merge
from tests.builders import event
from tests.store.plans import REVISION, Database, attempt, plan

NOW = datetime(2026, 11, 24, tzinfo=UTC)


async def commit(store: Store, name: str, days: int) -> Delivery:
    """An event of that age and the delivery that came of it."""
    received = event(id=name, received=NOW - timedelta(days=days))
    planned = plan(received)
    await store.committer.commit(received, planned, REVISION)
    return planned.deliveries[0]


async def test_old_events_go_with_everything_that_came_of_them(store: Store) -> None:
    old, young = await commit(store, "evt_old", 91), await commit(store, "evt_young", 89)
    for each in (old, young):
        await store.deliveries.record(
            each.id, attempt(each), status=DeliveryStatus.DELIVERED, reason=None, next_attempt=None, result=None
        )
    assert await store.forget(NOW - timedelta(days=90)) == 1
    assert await store.events.get("evt_old") is None
    assert await store.events.firings("evt_old") == []
    assert await store.deliveries.get(old.id) is None
    assert await store.deliveries.attempts(old.id) == []
    assert await store.events.get("evt_young") is not None
    assert len(await store.deliveries.attempts(young.id)) == 1
    assert await store.forget(NOW - timedelta(days=90)) == 0


async def test_what_is_still_to_be_done_stays_however_old(store: Store) -> None:
    waiting = await commit(store, "evt_waiting", 400)
    assert await store.forget(NOW) == 0
    assert await store.deliveries.get(waiting.id) is not None


async def test_a_clock_that_was_set_far_ahead_costs_no_history(store: Store) -> None:
    """Nothing goes that is not older by what is kept than a day after the latest event."""
    for age in (0, 80, 88, 92):
        received = NOW - timedelta(days=age)
        await store.committer.commit(event(id=f"evt_{age}", received=received), NOTHING, REVISION)
    keep, next_year = timedelta(days=90), NOW + timedelta(days=365)
    assert await store.forget(next_year - keep, keep) == 1
    assert await store.events.get("evt_92") is None
    assert await store.events.get("evt_88") is not None


async def test_it_goes_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        await store.committer.commit(event(id=f"evt_{number}", received=NOW - timedelta(days=9)), NOTHING, REVISION)
    assert [await store.forget(NOW) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_held_write_was_not_attempted(store: Store) -> None:
    """Its 23 hours under one idempotency key begin when it is first sent."""
    held = await commit(store, "evt_held", 0)
    await store.deliveries.record(
        held.id, attempt(held), status=DeliveryStatus.HELD, reason="cap", next_attempt=None, result=None
    )
    found = await store.deliveries.get(held.id)
    assert found is not None
    assert (found.status, found.first_attempt) == (DeliveryStatus.HELD, None)


async def test_a_write_counts_in_its_cap_longer_than_its_event_is_kept(store: Store, look: Database) -> None:
    """A cap of one in a week stays one in a week; claims go when they count no more, and nothing tells of them."""
    day, cap = timedelta(days=1), timedelta(days=7)
    write = await commit(store, "evt_write", 5)
    await store.committer.commit(event(id="evt_now", received=NOW), NOTHING, REVISION)
    await store.deliveries.record(
        write.id, attempt(write), status=DeliveryStatus.DELIVERED, reason=None, next_attempt=None, result=None
    )

    async def claim(delivery: str, days: int) -> datetime | None:
        return await store.writes.claim("refunds.create", delivery, max=1, every=cap, now=NOW + days * day)

    assert await claim(write.id, -5)
    while await store.forget(NOW - 3 * day, 3 * day, cap):
        pass
    assert await look.count("deliveries") == 0
    assert await claim("dlv_other", 1) is None
    await store.committer.commit(event(id="evt_later", received=NOW + 3 * day), NOTHING, REVISION)
    while await store.forget(NOW, 3 * day, cap):
        pass
    assert await look.count("writes") == 0
    assert await claim("dlv_other", 3)


async def test_what_is_to_be_in_a_digest_stays_until_it_has_gone_out(store: Store, look: Database) -> None:
    gathered = await commit(store, "evt_gathered", 9)
    await look.execute("update tocsin.deliveries set status = 'gathered', digest = 'weekly'")
    assert await store.forget(NOW) == 0
    assert await store.deliveries.get(gathered.id) is not None


@pytest.mark.parametrize("table", ["events", "firings"])
async def test_what_is_in_a_digest_stays_until_that_has_been_sent(store: Store, look: Database, table: str) -> None:
    """A digest that is due and held up has no text yet; firings may have outlived their events."""
    member = await commit(store, "evt_member", 9)
    await look.execute("update tocsin.deliveries set status = 'gathered', digest = 'weekly'")
    async with store._pool.transaction() as connection:
        (whole,) = await merge(connection, DueDigest(name="weekly", note=None), NOW - timedelta(days=8))
    if table == "firings":
        await look.execute("delete from tocsin.events")
    assert await store.forget(NOW) == 0
    assert await look.count(table) == 1
    assert await store.deliveries.get(member.id) is not None
    await store.deliveries.record(
        whole.id, attempt(whole), status=DeliveryStatus.DELIVERED, reason=None, next_attempt=None, result=None
    )
    while await store.forget(NOW):
        pass
    assert (await look.count(table), await look.count("deliveries")) == (0, 0)


async def test_everything_else_that_is_old_goes_too(store: Store, look: Database) -> None:
    """Reports and digests, which have no event; firings that outlived theirs; mutes and accounts of nobody."""
    old, young = NOW - timedelta(days=91), NOW - timedelta(days=1)
    late = event(id="evt_late", received=NOW - timedelta(days=200))
    for received in (old, young):
        orphan = plan(replace(late, received=received, dedupe_key=f"gone-{received:%d}"))
        report = replace(orphan.deliveries[0], id=f"dlv_report_{received:%d}", firing=None, event=None)
        await store.carry_out(replace(orphan, deliveries=(*orphan.deliveries, report)))
        mute = Mute(id=f"mut_{received:%d}", rule="a", start=received, end=received, author="me", comment="why")
        await store.mutes.add(mute, received)
        for account in ("acct_gone", "acct_1"):
            seen = SeenAccount(
                account=f"{account}_{received:%d}", livemode=True, object={"id": account}, as_of=received
            )
            await store.accounts.keep([seen])
    await look.execute("update tocsin.deliveries set status = 'delivered', attempts = 1")
    await look.execute(
        "insert into tocsin.attempts (delivery, number, started, duration, outcome) "
        "select id, 1, now(), interval '1 s', 'delivered' from tocsin.deliveries"
    )
    heard = event(id="evt_heard", account=f"acct_1_{old:%d}", received=young)
    await store.committer.commit(heard, NOTHING, REVISION)
    while await store.forget(NOW - timedelta(days=90)):
        pass
    counts = {
        name: await look.count(name) for name in ("firings", "deliveries", "attempts", "mutes", "accounts", "events")
    }
    # Of yesterday one of each, two deliveries and two accounts; and the old account that was heard of since.
    assert counts == {"firings": 1, "deliveries": 2, "attempts": 2, "mutes": 1, "accounts": 3, "events": 1}
    assert await store.accounts.get(f"acct_gone_{old:%d}", livemode=True) is None


async def test_what_rules_remember_is_forgotten_however_much_it_is(
    store: Store, look: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of keys must not outrun what is deleted once a minute."""
    monkeypatch.setattr(memory, "FORGET_BATCH", 10)
    await look.execute(
        "insert into tocsin.states (rule, part, key, shape, state, until) select 'a', 'threshold', n::text, 's', '{}', "
        "$1::timestamptz + (n - 36) * interval '1 day' from generate_series(1, 50) n",
        NOW,
    )
    assert await store.timers.forget(NOW) == 35
    assert await look.count("states") == 15
