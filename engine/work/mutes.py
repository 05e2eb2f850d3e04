"""The mutes at hand: read anew every few seconds, so that one that is added or ended holds everywhere at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.model.mute import Mute

log = structlog.get_logger("tocsin.mutes")

EVERY = 2.0
"""Seconds until a mute that was added elsewhere holds in this process."""

SOON = timedelta(hours=1)
"""How long before its end a mute of at least a day is told to end."""

Report = Callable[[str, str, str], Awaitable[None]]
"""Tells the ops channel: subject, title, text. The same subject and text is told once."""


class Stored(Protocol):
    """Where mutes are kept."""

    async def ls(self, since: datetime | None = None) -> Sequence[Mute]: ...


class MuteBook:
    """The mutes that have not ended."""

    def __init__(
        self, stored: Stored, report: Report, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._stored = stored
        self._report = report
        self._clock = clock
        self._told: set[str] = set()
        self.current: Sequence[Mute] = ()

    async def look(self) -> None:
        """Read them, and say which end soon."""
        now = self._clock()
        self.current = tuple(await self._stored.ls(now))
        for mute in self.current:
            ends_soon = mute.end - now <= SOON and mute.end - mute.start >= timedelta(days=1)
            if ends_soon and mute.id not in self._told:
                self._told.add(mute.id)
                title = f"A mute ends at {mute.end:%H:%M} UTC: {mute.described}"
                told = f"{mute.author} muted it on {mute.start:%d %b %H:%M} UTC: {mute.comment}"
                await self._report("mute-ends", title, f"{told}\n\nTo keep it muted: tocsin mute add")

    async def run(self, stop: asyncio.Event) -> None:
        """Keep them at hand until `stop`."""
        while not stop.is_set():
            try:
                await self.look()
            except Exception as error:  # the outermost loop: those at hand hold until they can be read again
                log.warning("mutes_not_read", reason=type(error).__name__)
            try:
                async with asyncio.timeout(EVERY):
                    await stop.wait()
            except TimeoutError:
                continue
