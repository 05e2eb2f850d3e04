"""What rules did, counted: by day, by account, by what kept them from it and by what became of their messages."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.model.delivery import Delivery, DeliveryStatus, FiringStatus
from engine.model.event import Event, Json
from engine.model.rule import Verb
from engine.testing.playing import key_of_reason
from engine.testing.world import Change

Context = Mapping[str, Json]
"""What texts read of a rule's memory."""

NIGHT = (time(22), time(6))
"""From when until when it is night."""

OPEN = frozenset({DeliveryStatus.PENDING, DeliveryStatus.WAITING})
PLATFORM = "your own account"
HELD = 500
"""Events that are kept for the text of one digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A message as it would have been: what is needed to write it. `event` None: of a digest, of `alerts` alerts, of
    which `merged` are those whose `events` are known."""

    at: datetime
    delivery: Delivery
    event: Event | None
    context: Context | None = None
    alerts: int = 0
    merged: tuple[Delivery, ...] = ()
    events: Mapping[str, Event] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class RuleTally:
    """What one rule did.

    `matched` counts events for which its `when` held, `kept` by its keys what kept it from firing then. A message is
    one notify step of a firing, to however many channels: `sent`, or kept quiet or skipped by what is named; `gathered`
    ones went out in `digests`. `calls` counts callbacks and calls of Stripe by destination.
    """

    matched: int = 0
    fired: int = 0
    days: Counter[date] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    sent: int = 0
    at_night: int = 0
    paged: Counter[date] = field(default_factory=Counter)
    quiet: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    gathered: int = 0
    digests: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    samples: deque[Sample] = field(default_factory=deque)


class Tally:
    """Counts the changes of a world, for the rules asked for, from `since` on; `told` adds to what a rule, by its id,
    is told of an incident what the world still knows of its first event."""

    def __init__(
        self,
        rules: Collection[str],
        *,
        since: datetime | None,
        zone: ZoneInfo,
        samples: int,
        told: Callable[[str, Context], Context] = lambda rule, context: context,
    ) -> None:
        self.rules = {rule: RuleTally(samples=deque(maxlen=samples)) for rule in rules}
        self._since = since
        self._zone = zone
        self._told = told
        self._waiting: dict[str, str] = {}
        self._contexts: dict[str, Context | None] = {}
        self._gathered: dict[str, dict[str, Event]] = {}
        self._samples = samples

    def hear(self, change: Change) -> None:
        """Count one change."""
        if self._since is not None and change.at < self._since:
            self._keep_waiting(change)
            return
        local = change.at.astimezone(self._zone)
        self._contexts = {firing.id: firing.context for firing in change.firings if firing.context}
        for firing in change.firings:
            tally = self.rules.get(firing.rule)
            if tally is None or firing.status is FiringStatus.FOLLOW_UP:
                continue  # what comes of a match later is no other match
            waited = self._waiting.pop(firing.id, None)
            if waited is None:
                tally.matched += 1
            if firing.status is FiringStatus.FIRED:
                tally.fired += 1
                tally.days[local.date()] += 1
                tally.accounts[firing.account or PLATFORM] += 1
                if waited is not None and waited:
                    tally.kept[waited] -= 1
            else:
                key = key_of_reason(firing) or ""
                if firing.status is FiringStatus.WAITING:
                    self._waiting[firing.id] = ""
                else:
                    tally.kept[key] += 1
                    if key == "preceded_by":
                        self._waiting[firing.id] = key  # it may still fire, when what must precede it comes late
        if change.deliveries:
            self._hold(change)
            self._count_deliveries(change, local)
            for name in {each.digest for each in change.merged if each.digest}:
                self._gathered.pop(name, None)

    def _hold(self, change: Change) -> None:
        """Keep the events of what is gathered, for the text of its digest."""
        if not self._samples or change.event is None:
            return
        for each in change.deliveries:
            if each.status is DeliveryStatus.GATHERED and each.digest is not None and each.rule in self.rules:
                held = self._gathered.setdefault(each.digest, {})
                if len(held) < HELD:
                    held[change.event.dedupe_key] = change.event

    def _keep_waiting(self, change: Change) -> None:
        for firing in change.firings:
            if firing.status is FiringStatus.WAITING:
                self._waiting[firing.id] = ""
            else:
                self._waiting.pop(firing.id, None)

    def still_waiting(self) -> int:
        """How many matches wait for a time to pass that is not over."""
        return sum(not key for key in self._waiting.values())

    def _count_deliveries(self, change: Change, local: datetime) -> None:
        messages: dict[tuple[str, str | None, str], list[Delivery]] = {}
        for each in change.deliveries:
            tally = self.rules.get(each.rule)
            if tally is None:
                continue
            if each.verb is Verb.NOTIFY:
                messages.setdefault((each.rule, each.firing or each.digest, each.step), []).append(each)
            elif each.status in OPEN:
                tally.calls[f"{each.verb} {each.destination}"] += 1
        for (rule, _, _), own in messages.items():
            self._count_message(self.rules[rule], change, own, local)

    def _count_message(self, tally: RuleTally, change: Change, own: list[Delivery], local: datetime) -> None:
        first = next((each for each in own if each.status in OPEN), own[0])
        if first.status is DeliveryStatus.SUPPRESSED:
            tally.quiet[(first.silence or "").partition(" ")[0]] += 1
            if first.digest is not None:  # it was gathered, and is in no digest
                tally.gathered = max(tally.gathered - 1, 0)
        elif first.status is DeliveryStatus.GATHERED:
            tally.gathered += 1
        elif first.status is DeliveryStatus.SKIPPED:
            tally.skipped[first.reason or "no reason"] += 1
        else:
            tally.sent += 1
            tally.paged[local.date()] += 1
            tally.at_night += is_night(local)
            if first.digest is not None and first.firing is None:
                tally.digests += 1
            tally.samples.append(self._sample(change, first))

    def _sample(self, change: Change, delivery: Delivery) -> Sample:
        digest = delivery.firing is None and delivery.digest is not None
        if not digest:
            context = self._contexts.get(delivery.firing or "")
            if context is not None and context.get("incident"):
                context = self._told(delivery.rule, context)
            return Sample(at=change.at, delivery=delivery, event=change.event, context=context)
        place = (delivery.digest, delivery.step, delivery.destination)
        same = [each for each in change.merged if (each.digest, each.step, each.destination) == place]
        events = self._gathered.get(delivery.digest or "", {})
        known = tuple(each for each in same if each.event in events)
        return Sample(at=change.at, delivery=delivery, event=None, alerts=len(same), merged=known, events=events)


def is_night(local: datetime) -> bool:
    """Whether people sleep."""
    begin, end = NIGHT
    return local.time() >= begin or local.time() < end


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day, the first and the last included."""
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)
