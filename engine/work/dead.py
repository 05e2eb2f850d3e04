"""Given up is not forgotten: every few minutes the ops channel is told in one message what was."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.store.dead import Dead

log = structlog.get_logger("tocsin.dead")

EVERY = timedelta(minutes=5)
LATE = timedelta(seconds=15)
"""How long a delivery's end may take to be committed after the moment that it says."""

_LINES = 15
_LONGEST = 200

Report = Callable[[str, str, str], Awaitable[None]]
"""Tells the ops channel: subject, title, text. The same subject and text is told once."""


class Given(Protocol):
    """The store's dead deliveries."""

    async def reported(self, now: datetime) -> datetime: ...
    async def between(self, since: datetime, until: datetime) -> Sequence[Dead]: ...
    async def mark(self, since: datetime, until: datetime) -> None: ...


class DeadReports:
    """Reports what was given up, by whichever process comes first.

    The report is stored before the mark moves: a crash between the two has it made again, word for word, and the same
    words are sent once.
    """

    def __init__(
        self, dead: Given, report: Report | None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._dead = dead
        self._report = report
        self._clock = clock

    async def run(self, stop: asyncio.Event, every: timedelta = EVERY) -> None:
        """Report until `stop`."""
        while not stop.is_set():
            try:
                await self.once(every)
            except Exception as error:  # the outermost loop: what could not be told now is told the next time
                log.warning("dead_not_reported", reason=type(error).__name__)
            try:
                async with asyncio.timeout(min(every.total_seconds() / 5, 60)):
                    await stop.wait()
            except TimeoutError:
                continue

    async def once(self, every: timedelta = EVERY) -> int:
        """Report what was given up since the last report, where that is long enough ago; how many deliveries."""
        until = self._floor(self._clock() - LATE, every)
        since = await self._dead.reported(until)
        if until <= since:
            return 0
        found = await self._dead.between(since, until)
        number = sum(each.number for each in found)
        if found:
            title, text = message(found, number, since, until)
            log.warning("deliveries_given_up", deliveries=number, destinations=len(found))
            if self._report is not None:
                await self._report("dead", title, text)
        await self._dead.mark(since, until)
        return number

    @staticmethod
    def _floor(moment: datetime, every: timedelta) -> datetime:
        """Every process cuts time at the same moments, and so has the same words for the same time."""
        return moment - (moment - datetime.min.replace(tzinfo=UTC)) % every


def message(found: Sequence[Dead], number: int, since: datetime, until: datetime) -> tuple[str, str]:
    """The title and the text of a report."""
    what = "1 delivery was given up" if number == 1 else f"{number:,} deliveries were given up"
    lines = [_line(each) for each in found[:_LINES]]
    more = len(found) - len(lines)
    lines += [f"and {more} more destinations"] if more else []
    span = f"Between {since:%d %b %H:%M} and {until:%H:%M} UTC:"
    how = "See them: tocsin deliveries ls --status dead. When the cause is gone: tocsin retry --failed --count"
    return what, "\n".join([span, "", *lines, "", how])


def _line(each: Dead) -> str:
    more = each.different_rules - len(each.rules)
    rules = ", ".join(each.rules) + (f" and {more} more" if more > 0 else "")
    reason = each.reason if len(each.reason) <= _LONGEST else f"{each.reason[: _LONGEST - 1]}…"
    return f"{each.number:,} × {each.verb} {each.destination} (rule {rules}), the latest: {reason}"
