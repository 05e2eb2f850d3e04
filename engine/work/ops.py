"""Tocsin's own trouble, told to the ops channel as durably as any alert."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from engine.model.delivery import OWN_RULE, Delivery, delivery_id
from engine.model.event import Json
from engine.model.rule import Severity, Verb

Write = Callable[[str, str, Severity], Json]
"""Renders a report (title, text, severity) as a notify delivery's stored request."""


class Ops:
    """Reports to the ops channel; without one configured, reports are only logged by their callers."""

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
        cause = hashlib.sha256(f"{subject}\0{text}\0{at or now:%Y-%m-%dT%H}".encode()).hexdigest()
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
