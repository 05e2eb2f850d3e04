"""The clock of rules with a memory: what is due is decided within a second, by whichever process comes first."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.decision import Ripe, Summary
from engine.model.delivery import Plan, Timer
from engine.model.event import Event
from engine.model.mute import Mute
from engine.model.rule import Rule
from engine.plan import Expand
from engine.rulebook import Rulebook

log = structlog.get_logger("tocsin.timers")

LONGEST_SLEEP = timedelta(seconds=1)
"""How long another process's timer, or one that is set meanwhile, may go unseen."""

FORGET_EVERY = timedelta(minutes=1)


class Timers(Protocol):
    """What is asked of the store."""

    async def next_due(self) -> datetime | None: ...
    async def ripen(
        self, now: datetime, resolve: Callable[[Sequence[Timer]], Awaitable[Sequence[Ripe]]]
    ) -> tuple[int, list[tuple[Ripe, Plan]]]: ...
    async def forget(self, now: datetime) -> int: ...


class Clock:
    """Decides timers as they come due. `fired` is told of each plan that came of one, with the timer's rule."""

    def __init__(
        self,
        *,
        timers: Timers,
        event: Callable[[str], Awaitable[Event | None]],
        rulebook: Callable[[], Rulebook],
        expand: Expand,
        summary: Summary,
        mutes: Callable[[], Sequence[Mute]] = tuple,
        fired: Callable[[Plan, Rule | None], None] = lambda plan, rule: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._timers = timers
        self._event = event
        self._rulebook = rulebook
        self._expand = expand
        self._summary = summary
        self._mutes = mutes
        self._fired = fired
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Decide what is due until `stop`."""
        forgotten = self._now()
        while not stop.is_set():
            pause = LONGEST_SLEEP
            try:
                await self.once()
                if self._now() - forgotten >= FORGET_EVERY:
                    await self._timers.forget(self._now())
                    forgotten = self._now()
                due = await self._timers.next_due()
                if due is not None:
                    pause = min(max(due - self._now(), timedelta()), LONGEST_SLEEP)
            except Exception as error:  # the outermost loop: what is due now is decided the next time
                log.warning("timers_failed", reason=type(error).__name__)
            try:
                async with asyncio.timeout(max(pause.total_seconds(), 0.01)):
                    await stop.wait()
            except TimeoutError:
                continue

    async def once(self) -> int:
        """Decide all that is due now; how many timers that were."""
        total = 0
        while True:
            number, decided = await self._timers.ripen(self._now(), self._resolve)
            total += number
            for ripe, plan in decided:
                self._fired(plan, ripe.rule)
            if not number:
                return total

    async def _resolve(self, due: Sequence[Timer]) -> Sequence[Ripe]:
        rulebook = self._rulebook()
        found: list[Ripe] = []
        for timer in due:
            event = await self._event(timer.event) if timer.event else None
            rule = rulebook.rule(timer.rule)
            found.append(
                Ripe(
                    timer=timer,
                    event=event,
                    rule=rule,
                    revision=rulebook.revision,
                    expand=self._expand,
                    summary=self._summary,
                    mutes=self._mutes(),
                )
            )
        return found
