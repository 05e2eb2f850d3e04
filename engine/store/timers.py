"""What is due: timers are taken, decided and gone in one transaction, whichever process comes first."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from engine.errors import StoreUnavailable
from engine.model.delivery import Plan, Timer
from engine.store import memory
from engine.store.connect import Pool
from engine.store.decide import Deciding, decide

log = structlog.get_logger("tocsin.timers")

BATCH = 100

AGAIN = timedelta(minutes=1)
"""When a timer that could not be decided is looked at again."""

# Not where another process is looking at it by now.
POSTPONE_TIMER = """
    update tocsin.timers set due = $2 where id = (
        select id from tocsin.timers where id = any($1::text[]) for update skip locked
    )
"""

Due = TypeVar("Due", bound=Deciding)

Resolve = Callable[[Sequence[Timer]], Awaitable[Sequence[Due]]]
"""Finds what has to be known to decide timers: their events and rules."""


class Timers:
    """What is asked of timers. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def next_due(self) -> datetime | None:
        """When the next timer is due, None: there is none."""
        found: datetime | None = await self._pool.value(memory.NEXT_TIMER)
        return found

    async def ripen(self, now: datetime, resolve: Resolve[Due]) -> tuple[int, list[tuple[Due, Plan]]]:
        """Decide timers that are due, at most BATCH: how many there were, and what came of them.

        One that cannot be decided does not keep the others waiting: it comes again in a minute.
        """
        try:
            return await self._ripen(now, resolve, BATCH)
        except StoreUnavailable:
            raise
        except Exception:  # one of them: which, is found by taking them one by one
            log.exception("timers_fault")
        total = 0
        decided: list[tuple[Due, Plan]] = []
        while total < BATCH:
            tried: list[Timer] = []
            try:
                number, found = await self._ripen(now, resolve, 1, tried)
            except StoreUnavailable:
                raise
            except Exception:
                await self._pool.execute(POSTPONE_TIMER, [timer.id for timer in tried], now + AGAIN)
                number, found = len(tried), []
                log.exception("timer_fault")
            if not number:
                break
            total += number
            decided += found
        return total, decided

    async def _ripen(
        self, now: datetime, resolve: Resolve[Due], most: int, tried: list[Timer] | None = None
    ) -> tuple[int, list[tuple[Due, Plan]]]:
        """Decide at most so many; they are added to `tried` before."""
        async with self._pool.transaction() as connection:
            due = await memory.take_timers(connection, now, most)
            if tried is not None:
                tried += due
            if not due:
                return 0, []
            resolved = await resolve(due)
            plans = await decide(connection, resolved, now)
        return len(due), list(zip(resolved, plans, strict=True))

    async def forget(self, now: datetime) -> int:
        """Delete what rules remember and does not matter any more, in short statements; how many cells."""
        total = 0
        while found := await memory.forget_states(self._pool, now):
            total += found
            if found < memory.FORGET_BATCH:
                break
        return total
