"""The cap over Stripe writes holds over all processes and however often one write is tried."""

import asyncio
from datetime import UTC, datetime, timedelta

from engine.store import Store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def claim(
    store: Store, delivery: str, *, after: timedelta = timedelta(), operation: str = "refunds.create"
) -> bool:
    """One claim on a cap of two an hour."""
    return await store.writes.claim(operation, delivery, max=2, every=HOUR, now=NOW + after) is not None


async def test_beyond_the_cap_there_is_no_place(store: Store) -> None:
    """Each operation has a cap of its own."""
    assert [await claim(store, f"dlv_{n}") for n in range(3)] == [True, True, False]
    assert await claim(store, "dlv_other", operation="accounts.update")


async def test_a_write_that_is_tried_again_takes_no_second_place(store: Store) -> None:
    """A retry is the same write."""
    assert [await claim(store, "dlv_1") for _ in range(5)] == [True] * 5
    assert await claim(store, "dlv_2")
    assert not await claim(store, "dlv_3")
    assert await claim(store, "dlv_1", after=timedelta(minutes=59))


async def test_a_claim_says_since_when(store: Store) -> None:
    """A process that died after its request has left its claim: the age of the idempotency key."""
    later = NOW + timedelta(minutes=5)
    for now in (NOW, later):
        assert await store.writes.claim("refunds.create", "dlv_1", max=2, every=HOUR, now=now) == NOW


async def test_places_come_back_as_time_goes_by(store: Store) -> None:
    """The cap is over any such while that ends now, not over hours of the clock."""
    assert await claim(store, "dlv_1")
    assert await claim(store, "dlv_2", after=timedelta(minutes=30))
    assert not await claim(store, "dlv_3", after=timedelta(minutes=59))
    assert await claim(store, "dlv_3", after=timedelta(minutes=61))
    assert not await claim(store, "dlv_4", after=timedelta(minutes=62))


async def test_processes_cannot_both_take_the_last_place(store: Store, second: Store) -> None:
    """Ten at once on two connections' pools: the cap is what passes."""
    answers = await asyncio.gather(*(claim(each, f"dlv_{n}_{id(each)}") for n in range(5) for each in (store, second)))
    assert sum(answers) == 2


async def test_what_is_claimed_already_counts_whatever_the_clock_says(store: Store) -> None:
    """A process reads its clock before it waits for its turn, and its clock may be behind another's."""
    assert await claim(store, "dlv_1", after=timedelta(milliseconds=5))
    assert await claim(store, "dlv_2", after=timedelta(seconds=5))
    assert not await claim(store, "dlv_3")


async def test_claims_of_a_clock_that_was_set_ahead_count_no_longer_than_others(store: Store) -> None:
    """They count as made when the next one looks, and so for one such while."""
    assert [await claim(store, f"dlv_{n}", after=timedelta(days=400)) for n in range(2)] == [True, True]
    assert not await claim(store, "dlv_3")
    assert not await claim(store, "dlv_3", after=timedelta(minutes=59))
    assert await claim(store, "dlv_3", after=timedelta(minutes=61))
