"""Rules with a memory at work, on a clock that the test sets."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.model.delivery import DeliveryStatus, Firing
from engine.model.event import Event, Json
from engine.model.mute import Mute
from engine.model.rule import Rule, Severity, Step, Verb
from engine.observe import Metrics
from engine.pipeline import Pipeline
from engine.rulebook import Rulebook
from engine.store import Store
from engine.work.counting import adding, counter
from engine.work.timers import Clock
from notifiers import Destination
from tests.builders import event

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(minutes: float, **given: Any) -> Event:
    """A failed charge of acct_1, so many minutes after noon."""
    moment = NOON + timedelta(minutes=minutes)
    made = event(given.pop("type", "charge.failed"), created=int(moment.timestamp()), **given)
    return replace(made, received=moment)


@dataclass
class World:
    """A rule at work in one process, on a clock that the test sets."""

    store: Store
    rules: tuple[Rule, ...]
    now: datetime = NOON
    mutes: list[Mute] = field(default_factory=list)

    def __post_init__(self) -> None:
        book = Rulebook(revision="r" * 64, rules=self.rules)

        def expand(step: Step, severity: Severity, livemode: bool) -> list[Destination]:
            return [Destination(name=target) for target in step.targets]

        def summary(
            rule: Rule, event: Event, number: int, since: datetime | None, now: datetime, note: str | None
        ) -> Json:
            return {"left_out": number} if note is None else {"left_out": number, "note": note}

        self.metrics = Metrics()
        count = counter(self.metrics)
        self.store.committer.on_added = adding(self.metrics)
        self.pipeline = Pipeline(
            rulebook=lambda: book,
            expand=expand,
            committer=self.store.committer,
            mutes=lambda: self.mutes,
            seen=lambda event, plan, new: count(plan, None) if new else None,
        )
        self.clock = Clock(
            timers=self.store.timers,
            event=self.store.events.get,
            rulebook=lambda: book,
            expand=expand,
            summary=summary,
            mutes=lambda: self.mutes,
            fired=count,
            now=lambda: self.now,
        )

    def counted(self) -> dict[str, int]:
        """What metrics say of what fired, by cause."""
        found = self.metrics.registry.collect()
        samples = [each for metric in found if metric.name == "tocsin_firings" for each in metric.samples]
        counted: Counter[str] = Counter()
        for each in samples:
            counted[each.labels["cause"]] += int(each.value)
        return dict(counted)

    async def send(self, *events: Event) -> None:
        for each in events:
            await self.pipeline.accept(each)

    async def pass_to(self, minutes: float) -> None:
        self.now = NOON + timedelta(minutes=minutes)
        await self.clock.once()

    async def later(self, span: timedelta) -> None:
        """So long after now: what is paced goes by the time of sending."""
        self.now = datetime.now(UTC) + span
        await self.clock.once()

    async def firings(self) -> list[Firing]:
        found = await self.store.events.ls(limit=100)
        listed = [each for one in found for each in await self.store.events.firings(one.dedupe_key)]
        return sorted(listed, key=lambda firing: (firing.created, firing.id))

    async def statuses(self) -> list[str]:
        return [str(firing.status) for firing in await self.firings()]

    async def sent(self, verb: Verb = Verb.NOTIFY) -> list[DeliveryStatus]:
        found = await self.store.deliveries.ls(limit=100)
        return [each.status for each in sorted(found, key=lambda each: each.created) if each.verb is verb]
