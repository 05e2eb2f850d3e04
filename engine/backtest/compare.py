"""Two rulebooks over the same events: the alerts that one gives and the other does not, and those that differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.backtest.selection import Selection
from engine.decide.memory import shape_of
from engine.model.delivery import Delivery, DeliveryStatus, Firing, FiringStatus
from engine.model.event import Event, Json
from engine.model.mute import Mute
from engine.model.rule import Rule, RuleMode, Verb
from engine.testing.sending import Writer, everywhere
from engine.testing.world import Change, World
from engine.work.deliver import with_first
from engine.work.summary import summary

HELD = 200
"""Alerts of a rule whose events are kept until it is known whether the other side has them too."""


@dataclass(slots=True, kw_only=True)
class Alert:
    """One firing, live, of one side. `fates` are what became of its steps, `why` says why the other side has none."""

    rule: str
    at: datetime
    event_id: str
    type: str
    account: str | None
    fates: tuple[str, ...]
    texts: tuple[str, ...] = ()
    event: Event | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """An alert of both sides that is another: what it was and what it is, a line each."""

    alert: Alert
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class RuleChange:
    """What a change alters of one rule. `added`, `removed`: only one side has the rule, or has it live."""

    rule: str
    added: bool = False
    removed: bool = False
    before: int = 0
    after: int = 0
    lost: int = 0
    gained: int = 0
    altered: int = 0
    alters: Counter[str] = field(default_factory=Counter)
    lost_examples: list[Alert] = field(default_factory=list)
    gained_examples: list[Alert] = field(default_factory=list)
    altered_examples: list[Altered] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing is another."""
        return not (self.lost or self.gained or self.altered)


class _Side:
    """One of the two rulebooks at work. `open` are alerts that the other side has not given yet."""

    def __init__(
        self, selection: Selection, *, since: datetime | None, unique: bool, mutes: Sequence[Mute] = ()
    ) -> None:
        self.selection = selection
        self._since = since
        self.open: dict[str, Alert] = {}
        self.why: dict[str, str] = {}
        self.fired: Counter[str] = Counter()
        self.messages = 0
        self.heard: list[tuple[Firing, Change]] = []
        self.held: Counter[str] = Counter()
        self._unique = unique
        self._mutes = mutes
        self._world: World | None = None

    def feed(self, event: Event) -> None:
        """Let an event come, if it concerns this side."""
        if self._world is None:
            self._world = World(
                self.selection.rulebook,
                everywhere,
                event.received,
                summary=summary,
                told=self.hear,
                brief=True,
                unique=self._unique,
                mutes=self._mutes,
                unwanted=Writer().digest_skipped,
            )
        if self.selection.concerns(event.type):
            self._world.feed(event)
        else:
            self._world.advance(event.received)

    def finish(self, until: datetime) -> None:
        """Let the time pass to the end."""
        if self._world is not None:
            self._world.advance(until)

    def context(self, rule: Rule, firing: Firing) -> Mapping[str, Json] | None:
        """What texts read of the rule's memory."""
        context: Mapping[str, Json] | None = firing.context
        if self._world is None or context is None or not context.get("incident"):
            return context
        return with_first(context, rule, self._world.event(context["incident"]["first"]["event"]), None)

    def hear(self, change: Change) -> None:
        """Keep what fired, and why what did not."""
        if self._since is not None and change.at < self._since:
            return
        self.heard += [(firing, change) for firing in change.firings]
        told = {(each.firing or each.digest, each.step) for each in change.deliveries if _goes_out(each)}
        self.messages += len(told)


class Comparison:
    """Takes events in the order in which they came. What comes of those before `since` is not compared. `mutes` hold
    for both."""

    def __init__(
        self,
        old: Selection,
        new: Selection,
        *,
        since: datetime | None,
        unique: bool = False,
        examples: int = 3,
        mutes: Sequence[Mute] = (),
    ) -> None:
        self.events = 0
        self._old = _Side(old, since=since, unique=unique, mutes=mutes)
        self._new = _Side(new, since=since, unique=unique, mutes=mutes)
        self._since = since
        self._examples = examples
        self._writer = Writer()
        live = [{r.id: r for r in s.rulebook.rules if r.mode is RuleMode.LIVE} for s in (old, new)]
        self._changes = {
            id_: RuleChange(rule=id_, added=id_ not in live[0], removed=id_ not in live[1])
            for id_ in dict.fromkeys((*live[1], *live[0]))
        }
        self._reworded = {id_ for id_ in live[0].keys() & live[1].keys() if _texts_differ(live[0][id_], live[1][id_])}

    @property
    def messages(self) -> tuple[int, int]:
        """How many messages went out before and after."""
        return self._old.messages, self._new.messages

    def concerns(self, event_type: str) -> bool:
        """Whether a rule of one side looks at events of that type."""
        return self._old.selection.concerns(event_type) or self._new.selection.concerns(event_type)

    def feed(self, event: Event) -> None:
        """Let one event come to both."""
        if self._since is None or event.received >= self._since:
            self.events += 1
        for side in (self._old, self._new):
            side.feed(event)
        self._meet()

    def finish(self, until: datetime) -> list[RuleChange]:
        """Let the time pass to the end; what is another of each rule that is live on a side, the most altered first."""
        for side in (self._old, self._new):
            side.finish(until)
        self._meet()
        for alert in self._old.open.values():
            change = self._changes[alert.rule]
            change.lost += 1
            self._show(change.lost_examples, alert, self._new)
        for alert in self._new.open.values():
            change = self._changes[alert.rule]
            change.gained += 1
            self._show(change.gained_examples, alert, self._old)
        return sorted(self._changes.values(), key=lambda each: (-(each.lost + each.gained + each.altered), each.rule))

    def _meet(self) -> None:
        """Put together what both sides have."""
        for side, other in ((self._old, self._new), (self._new, self._old)):
            for firing, change in side.heard:
                if firing.mode is not RuleMode.LIVE or firing.status is FiringStatus.FOLLOW_UP:
                    continue
                if firing.status is FiringStatus.FIRED:
                    self._add(side, other, firing, change)
                elif firing.id in other.open:
                    other.open[firing.id].why = firing.reason
                else:
                    side.why[firing.id] = firing.reason or ""
        for side in (self._old, self._new):
            if side.heard:
                side.heard = []
            if len(side.why) > HELD * 10:
                side.why.clear()

    def _add(self, side: _Side, other: _Side, firing: Firing, change: Change) -> None:
        alert = self._alert(side, firing, change)
        counted = self._changes[firing.rule]
        if side is self._old:
            counted.before += 1
        else:
            counted.after += 1
        known = other.open.pop(firing.id, None)
        if known is None:
            if alert.event is not None:
                side.held[firing.rule] += 1
                if side.held[firing.rule] > HELD:
                    alert.event = None
            alert.why = other.why.pop(firing.id, None)
            side.open[firing.id] = alert
            return
        other.held[firing.rule] -= known.event is not None
        old, new = (known, alert) if side is self._new else (alert, known)
        if old.fates != new.fates or (old.texts and new.texts and old.texts != new.texts):
            self._alter(counted, old, new)

    def _alter(self, change: RuleChange, old: Alert, new: Alert) -> None:
        """Count an alert that is another, with one example for each way to be so."""
        if old.fates != new.fates:
            before, after = _without(old.fates, new.fates), _without(new.fates, old.fates)
            what = f"{_names(before)} -> {_names(after)}"
        else:
            before, after = _lines(old.texts, new.texts)
            what = "other words"
        change.altered += 1
        change.alters[what] += 1
        if change.alters[what] == 1 and len(change.altered_examples) < self._examples:
            change.altered_examples.append(Altered(alert=new, before=before, after=after))

    def _alert(self, side: _Side, firing: Firing, change: Change) -> Alert:
        own = [each for each in change.deliveries if each.firing == firing.id]
        event = change.event
        return Alert(
            rule=firing.rule,
            at=change.at,
            event_id=event.id if event is not None else firing.event,
            type=event.type if event is not None else "",
            account=firing.account,
            fates=tuple(sorted(_fate(each) for each in own)),
            texts=self._texts(side, firing, own, change) if firing.rule in self._reworded else (),
            event=event,
        )

    def _texts(self, side: _Side, firing: Firing, own: list[Delivery], change: Change) -> tuple[str, ...]:
        """What the messages say, where the two sides may say it otherwise."""
        rule = side.selection.rulebook.rule(firing.rule)
        if rule is None or change.event is None:
            return ()
        sent = self._writer.written(change.event, rule, own, {}, change.at, side.context(rule, firing))
        return tuple(_said(one.request) for one in sent.values() if one.request is not None)

    def _show(self, examples: list[Alert], alert: Alert, other: _Side) -> None:
        """Keep an example, with why the other side has no such alert."""
        if len(examples) >= self._examples or (alert.event is None and examples):
            return
        book = other.selection.rulebook
        if alert.why is None and alert.event is not None and book.rule(alert.rule) is not None:
            (verdict,) = book.explain(alert.event, rule=alert.rule)
            if verdict.because is not None:
                reason = verdict.because
                alert.why = f"{reason.path} {reason.actual}   needs {reason.needs}"
        examples.append(alert)


def _texts_differ(old: Rule, new: Rule) -> bool:
    return shape_of(old.every_step) != shape_of(new.every_step)


def _goes_out(delivery: Delivery) -> bool:
    return delivery.verb is Verb.NOTIFY and delivery.status in (DeliveryStatus.PENDING, DeliveryStatus.WAITING)


def _fate(delivery: Delivery) -> str:
    """`notify risk: sent`."""
    if delivery.status in (DeliveryStatus.PENDING, DeliveryStatus.WAITING):
        word = "sent"
    elif delivery.status is DeliveryStatus.SUPPRESSED:
        word = f"left out ({(delivery.silence or '').partition(' ')[0]})"
    else:
        word = str(delivery.status)
    return f"{delivery.verb} {delivery.destination}: {word}"


def _without(fates: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(fate for fate in fates if fate not in others)


def _names(fates: Sequence[str]) -> str:
    return "; ".join(fates) or "nothing"


def _lines(old: Sequence[str], new: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines that only one of two texts has."""
    before, after = ([line for text in texts for line in text.splitlines() if line.strip()] for texts in (old, new))
    return _without(before, after), _without(after, before)


def _said(request: Mapping[str, object]) -> str:
    names = ("title", "text", "body", "params", "path")
    return "\n".join(str(request[name]) for name in names if request.get(name))
