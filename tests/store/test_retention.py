"""What is older than it is to be kept goes, with everything that came of it; what is not finished stays."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.model.delivery import NOTHING, Delivery, DeliveryStatus
from engine.store import Store, retention
from tests.builders import event
from tests.store.plans import REVISION, attempt, plan

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
