"""Rates that all processes keep together: a place is claimed in one statement, for now or for a moment later.

A rate of 30/m gives six places at once and then one each 2.4 s, so that no minute ever has more than thirty. What finds
none free is given the next one: it comes back once, when that is due, however many wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from engine.source import Rate
from engine.store.connect import Pool

HORIZON = timedelta(minutes=10)
AHEAD = 4
"""How far ahead places are given away, or so many of them where that is longer: after that a rate that was raised
counts for all."""

_HORIZON = f"greatest(interval '{HORIZON.total_seconds():.0f} s', {AHEAD} * excluded.gap)"

# By the database's clock, which all processes share. `next` is when the next place is due if all are taken one after
# another; what lies ahead of it by more than `burst` has to wait. Rows are locked in the order of their names. A `next`
# further away than any that is ever given is of a clock that was set back.
_NOW = "(excluded.next - excluded.gap)"
_NEXT = f"least(r.next, {_NOW} + excluded.burst + excluded.gap + {_HORIZON} + interval '1 s')"
_FREE = f"{_NEXT} <= {_NOW} + excluded.burst + {_HORIZON}"
CLAIM = f"""
    insert into tocsin.rates as r (name, next, gap, burst, claim)
    select name, clock_timestamp() + gap, gap, burst, $4
    from unnest($1::text[], $2::interval[], $3::interval[]) as c (name, gap, burst)
    order by name
    on conflict (name) do update set
        next = case when {_FREE} then greatest({_NEXT}, {_NOW}) + excluded.gap else {_NEXT} end,
        claim = case when {_FREE} then excluded.claim else r.claim end,
        gap = excluded.gap,
        burst = excluded.burst
    returning claim = $4 as granted, next - gap - burst - clock_timestamp() as wait
"""  # noqa: S608  its parts are constants

# A rate that has long been free again is as good as one that was never used: there is one for every account.
FORGET = "delete from tocsin.rates where next < now() - interval '1 day'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How long to wait. `granted`: a place is kept then; otherwise it has to be claimed again."""

    wait: timedelta
    granted: bool


def spacing(rate: Rate) -> tuple[timedelta, timedelta]:
    """`(gap, burst)`: how far apart places are, and by how much they may be ahead of that. A fifth of them at once."""
    at_once = max(1, rate.count // 5)
    gap = rate.every / (rate.count - at_once + 1) + timedelta.resolution
    return gap, gap * (at_once - 1)


class Rates:
    """Claims of places. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, limits: Sequence[tuple[str, Rate]]) -> Place:
        """A place under all of these rates, by name, at once."""
        spaces = [spacing(rate) for _, rate in limits]
        rows = await self._pool.fetch(
            CLAIM,
            [name for name, _ in limits],
            [gap for gap, _ in spaces],
            [burst for _, burst in spaces],
            uuid4(),
        )
        wait = max((row["wait"] for row in rows), default=timedelta())
        granted = all(row["granted"] for row in rows)
        return Place(wait=max(wait, timedelta()) if granted else HORIZON, granted=granted)

    async def forget(self) -> None:
        """Delete what says nothing any more."""
        await self._pool.execute(FORGET)
