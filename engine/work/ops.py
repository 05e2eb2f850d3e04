"""Tocsin's own trouble, told to the ops channel as durably as any alert; without a channel, to the log."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from engine.model.delivery import OWN_RULE, Delivery, delivery_id
from engine.model.event import Json
from engine.model.rule import Severity, Verb

Write = Callable[[str, str, Severity], Json]
"""Renders a report (title, text, severity) as a notify delivery's stored request."""


log = structlog.get_logger("tocsin.ops")

_CALM = (Severity.INFO, Severity.LOW)

MOST = 100
"""Lines an hour that OpsLog writes."""


class Reports(Protocol):
    """Whoever is told of trouble: Ops or OpsLog."""

    async def report(
        self, subject: str, title: str, text: str, severity: Severity = ..., *, at: datetime | None = None
    ) -> None:
        """Tell. The same subject and text is told once an hour: that of `at`, left out: of now."""


class OpsLog:
    """Reports to the log what the ops channel would be told, where none is configured. Each process does."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._hour: datetime | None = None
        self._told: set[str] = set()

    async def report(
        self, subject: str, title: str, text: str, severity: Severity = Severity.HIGH, *, at: datetime | None = None
    ) -> None:
        """Write one line, unless it was written in this hour, or MOST were."""
        now = self._clock()
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour, self._told = hour, set()
        cause = _cause(subject, text, at or now)
        if cause in self._told or len(self._told) > MOST:
            return
        self._told.add(cause)
        if len(self._told) > MOST:
            log.warning("ops_reports_left_out", until=f"{hour + timedelta(hours=1):%H:%M} UTC")
            return
        write = log.info if severity in _CALM else log.warning
        write("ops_report", subject=subject, title=title, text=text)


class Ops:
    """Reports to the ops channel."""

    def __init__(
        self,
        destinations: Sequence[str],
        write: Write,
        insert: Callable[[Sequence[Delivery]], Awaitable[object]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._destinations = destinations
        self._write = write
        self._insert = insert
        self._clock = clock

    async def report(
        self, subject: str, title: str, text: str, severity: Severity = Severity.HIGH, *, at: datetime | None = None
    ) -> None:
        """Queue one report. The same subject and text is sent once an hour, whichever process finds it first; the hour
        is that of `at`, left out: of now."""
        now = self._clock()
        cause = _cause(subject, text, at or now)
        await self._insert(
            [
                Delivery(
                    id=delivery_id(cause, subject, destination),
                    firing=None,
                    event=None,
                    rule=OWN_RULE,
                    revision="",
                    step=subject,
                    verb=Verb.NOTIFY,
                    destination=destination,
                    account=None,
                    livemode=True,
                    next_attempt=now,
                    request=self._write(title, text, severity),
                    created=now,
                )
                for destination in self._destinations
            ]
        )


def _cause(subject: str, text: str, at: datetime) -> str:
    return hashlib.sha256(f"{subject}\0{text}\0{at:%Y-%m-%dT%H}".encode()).hexdigest()
