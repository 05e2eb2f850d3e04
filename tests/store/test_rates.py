"""A rate is kept by all processes together, and what has to wait is told until when."""

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.source import Rate
from engine.store import Store
from engine.store.rates import HORIZON, Place, spacing
from tests.store.plans import Database

HOURLY = Rate(count=10, every=timedelta(hours=1))


@given(st.integers(1, 10_000), st.sampled_from([1, 60, 3600, 86400]))
def test_no_span_has_more_places_than_the_rate_says(count: int, seconds: int) -> None:
    """Places are `gap` apart, and as many as `burst` is long may be taken at once."""
    every = timedelta(seconds=seconds)
    gap, burst = spacing(Rate(count=count, every=every))
    assert (every + burst) / gap <= count
    assert count / 2 <= every / gap, "and no less than half of them go through when many wait"


async def test_processes_share_a_rate(store: Store, second: Store) -> None:
    """A fifth goes at once; each of the others is told of a place of its own, one gap after another."""
    places = await asyncio.gather(*(each.rates.claim([("risk", HOURLY)]) for each in [store, second] * 2))
    assert all(place.granted for place in places)
    gap, _ = spacing(HOURLY)
    waits = sorted(place.wait for place in places)
    assert waits[:2] == [timedelta(), timedelta()]
    for number, wait in enumerate(waits[2:], 1):
        assert number * gap - timedelta(seconds=30) < wait <= number * gap + timedelta(seconds=1)


async def test_places_are_given_away_up_to_the_horizon(store: Store) -> None:
    """What is beyond is told to ask again, and takes nothing away."""
    rate = Rate(count=60, every=timedelta(hours=1))
    places = [await store.rates.claim([("risk", rate)]) for _ in range(40)]
    granted = [place for place in places if place.granted]
    gap, _ = spacing(rate)
    assert len(granted) == 12 + HORIZON // gap
    assert places[-1] == Place(wait=HORIZON, granted=False)
    raised = Rate(count=6000, every=timedelta(hours=1))
    assert (await store.rates.claim([("other", raised)])).wait == timedelta()


async def test_several_rates_are_claimed_at_once(store: Store) -> None:
    """One of an account and one of the whole: the longer wait counts."""
    one = Rate(count=1, every=timedelta(minutes=1))
    many = Rate(count=1000, every=timedelta(seconds=1))
    first = await store.rates.claim([("stripe live", many), ("stripe live acct_1", one)])
    again = await store.rates.claim([("stripe live", many), ("stripe live acct_1", one)])
    other = await store.rates.claim([("stripe live", many), ("stripe live acct_2", one)])
    assert (first.wait, other.wait) == (timedelta(), timedelta())
    assert timedelta(seconds=30) < again.wait <= timedelta(minutes=1)


async def test_a_database_clock_that_was_set_back_stops_nothing_for_long(store: Store, look: Database) -> None:
    await store.rates.claim([("risk", HOURLY)])
    await look.execute("update tocsin.rates set next = now() + interval '30 days'")
    for _ in range(2):
        place = await store.rates.claim([("risk", HOURLY)])
    assert not place.granted
    await look.execute("update tocsin.rates set next = next - interval '1 hour'")
    assert (await store.rates.claim([("risk", HOURLY)])).granted
