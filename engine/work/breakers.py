"""Breakers that opened and closed, told to the ops channel: once each, and every hour while one stays open."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from engine.decide.breaker import BreakerState
from engine.model.rule import Severity
from engine.store.destinations import Standing


class Report(Protocol):
    """Tells the ops channel: `engine.work.ops.Ops.report`."""

    async def __call__(
        self, subject: str, title: str, text: str, severity: Severity = ..., *, at: datetime | None = None
    ) -> None: ...


class BreakerReports:
    """Told how destinations stand again and again, by every process: the same words in the same hour are sent once.

    So one that opens and closes all the time is told of once an hour, and again in the next if it is open then.
    """

    def __init__(self, report: Report, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._report = report
        self._clock = clock
        self._open: dict[str, datetime] = {}

    async def __call__(self, standing: Sequence[Standing]) -> None:
        """What has changed since the last time."""
        for each in standing:
            if each.breaker.state is not BreakerState.CLOSED:
                await self._tell_open(each)
            elif each.name in self._open:
                await self._tell_closed(each)

    async def _tell_open(self, standing: Standing) -> None:
        hour = self._clock().replace(minute=0, second=0, microsecond=0)
        if self._open.get(standing.name) == hour:
            return
        await self._report(
            f"breaker-{standing.name}",
            f"Left alone: {standing.name}",
            f"Too many requests to {standing.name} fail ({standing.breaker.reason or 'no reason on record'}). Its "
            "deliveries wait and use up no attempt; now and then one tries it, and when that works the others follow."
            "\n\nSee what waits: tocsin destinations ls",
            at=hour,
        )
        self._open[standing.name] = hour

    async def _tell_closed(self, standing: Standing) -> None:
        await self._report(
            f"breaker-{standing.name}",
            f"Works again: {standing.name}",
            f"Deliveries to {standing.name} go out again, first a few and then faster.",
            Severity.INFO,
            at=standing.breaker.since,
        )
        del self._open[standing.name]
