"""The queue that falls behind is told to the ops channel, and that it is well again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from engine.errors import StoreError
from engine.model.rule import Severity
from engine.work.readiness import Queue

log = structlog.get_logger("tocsin.late")

EVERY = 15.0
"""Seconds between two looks."""

Report = Callable[[str, str, str, Severity], Awaitable[None]]
"""Tells the ops channel: subject, title, text, severity. The same subject and text is told once an hour."""

LATE = (
    "Deliveries, or what rules wait for, are due and were not done for more than {bound:.0f} seconds. Either more "
    "comes than is done, or a destination is slow, or no process works.\n\nSee the age of the queue: /metrics, "
    "tocsin_queue_age_seconds. See what waits: tocsin deliveries ls --status pending. More processes on the same "
    "database do more."
)
WELL = "Deliveries that are due are attempted within {bound:.0f} seconds again."


class QueueWatch:
    """Watches how long the oldest due delivery has waited. Every process does; the same words are told once.

    Late is more than `bound`; well again is less than half of it, so that a queue about the bound is told of once.
    """

    def __init__(self, health: Callable[[], Awaitable[Queue]], report: Report, bound: timedelta) -> None:
        self._health = health
        self._report = report
        self._bound = bound
        self._late = False

    async def run(self, stop: asyncio.Event, every: float = EVERY) -> None:
        """Watch until `stop`."""
        while not stop.is_set():
            try:
                await self.once()
            except StoreError as error:  # then there is nobody to tell either
                log.debug("queue_not_seen", reason=str(error))
            except Exception as error:  # the outermost loop: the next look may succeed
                log.warning("queue_not_watched", reason=type(error).__name__)
            try:
                async with asyncio.timeout(every):
                    await stop.wait()
            except TimeoutError:
                continue

    async def once(self) -> None:
        """Look, and tell what has changed."""
        age = max((await self._health()).queue_age.values(), default=timedelta())
        if age > self._bound and not self._late:
            log.warning("queue_late", seconds=round(age.total_seconds()))
            await self._tell("Deliveries are late", LATE, Severity.HIGH)
            self._late = True
        elif age < self._bound / 2 and self._late:
            log.info("queue_well")
            await self._tell("Deliveries are on time again", WELL, Severity.INFO)
            self._late = False

    async def _tell(self, title: str, text: str, severity: Severity) -> None:
        await self._report("queue", title, text.format(bound=self._bound.total_seconds()), severity)
