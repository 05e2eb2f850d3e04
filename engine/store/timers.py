"""What is due: timers are taken, decided and gone in one transaction, whichever process comes first."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from engine.model.delivery import Plan, Timer
from engine.store import memory
from engine.store.connect import Pool
from engine.store.decide import Deciding, decide

BATCH = 100

Resolve = Callable[[Sequence[Timer]], Awaitable[Sequence[Deciding]]]
"""Finds what has to be known to decide timers: their events and rules."""


class Timers:
    """What is asked of timers. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def next_due(self) -> datetime | None:
        """When the next timer is due, None: there is none."""
        found: datetime | None = await self._pool.value(memory.NEXT_TIMER)
        return found

    async def ripen(self, now: datetime, resolve: Resolve) -> tuple[int, list[Plan]]:
        """Decide timers that are due, at most BATCH: how many there were, and what came of them."""
        async with self._pool.transaction() as connection:
            due = await memory.take_timers(connection, now, BATCH)
            if not due:
                return 0, []
            plans = await decide(connection, await resolve(due), now)
        return len(due), plans

    async def forget(self, now: datetime) -> int:
        """Delete some of what rules remember and does not matter any more; how many cells."""
        return await memory.forget_states(self._pool, now)
