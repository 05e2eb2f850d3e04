"""Reports of Tocsin's own over spans of time, each made once by whichever process comes first."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

import structlog

log = structlog.get_logger("tocsin.reports")

LATE = timedelta(seconds=15)
"""How long what is reported may take to be committed after the moment that it says."""

_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)

Report = Callable[[str, str, str], Awaitable[None]]
"""Tells the ops channel: subject, title, text. The same subject and text is told once."""

Row = TypeVar("Row")
Counted = TypeVar("Counted", covariant=True)


class Marked(Protocol[Counted]):
    """What is counted between two moments, and how far that has been reported."""

    async def reported(self, now: datetime) -> datetime: ...
    async def between(self, since: datetime, until: datetime) -> Sequence[Counted]: ...
    async def mark(self, since: datetime, until: datetime) -> None: ...


class Periodic(Generic[Row]):
    """Reports what was counted in each span `every`, if it was anything.

    `message` makes of the rows their number, a title and a text. The report is stored before the mark moves: a crash
    between the two has it made again, word for word, and the same words are sent once.
    """

    def __init__(
        self,
        subject: str,
        every: timedelta,
        counted: Marked[Row],
        message: Callable[[Sequence[Row], datetime, datetime], tuple[int, str, str]],
        report: Report,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._subject = subject
        self._every = every
        self._counted = counted
        self._message = message
        self._report = report
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Report until `stop`."""
        while not stop.is_set():
            try:
                await self.once()
            except Exception as error:  # the outermost loop: what could not be told now is told the next time
                log.warning("not_reported", subject=self._subject, reason=type(error).__name__)
            try:
                async with asyncio.timeout(min(self._every.total_seconds() / 5, 60)):
                    await stop.wait()
            except TimeoutError:
                continue

    async def once(self) -> int:
        """Report what was counted since the last report, where that is long enough ago; how much."""
        until = self._floor(self._clock() - LATE)
        since = await self._counted.reported(until)
        if until <= since:
            if since - until > self._every:  # the clock was set back: what is counted from now on is before the mark
                await self._counted.mark(since, until)
            return 0
        number = 0
        found = await self._counted.between(since, until)
        if found:
            number, title, text = self._message(found, since, until)
            log.warning("reported", subject=self._subject, number=number, lines=len(found))
            await self._report(self._subject, title, text)
        await self._counted.mark(since, until)
        return number

    def _floor(self, moment: datetime) -> datetime:
        """Every process cuts time at the same moments (a week on Monday), and so has the same words for the same
        time."""
        return moment - (moment - _MONDAY) % self._every
