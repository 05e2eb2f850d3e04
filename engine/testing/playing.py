"""Tests over time are played: events come on a stepped clock, and what came of them is held to what is expected."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from engine.model.delivery import Delivery, DeliveryStatus, Firing, FiringStatus
from engine.model.event import Event, Json
from engine.model.fetch import reread
from engine.model.incident import IncidentStatus
from engine.model.mute import Mute
from engine.model.rule import Rule, Verb
from engine.model.verdict import Because
from engine.rulebook import Rulebook
from engine.samples import as_if_read
from engine.testing.checking import (
    Written,
    check_count,
    check_message,
    check_stage,
    check_step,
    check_tally,
    check_times,
    skipped_in,
)
from engine.testing.expecting import REMEMBERED
from engine.testing.given import event_at
from engine.testing.problems import Problem
from engine.testing.sending import Sent, Writer, everywhere, shown
from engine.testing.stages import stage_of
from engine.testing.trial import Fired, Given, Muting, Outcome, StepInTime, TimelineTest
from engine.testing.world import Change, World
from engine.work.deliver import with_first
from engine.work.summary import summary

LINES = 12
"""Of what happened, that are shown with a step that is not as expected."""

WORDS = {FiringStatus.FIRED: "FIRED", FiringStatus.WAITING: "WAITS", FiringStatus.FOLLOW_UP: "LATER"}
OPEN = frozenset({DeliveryStatus.PENDING, DeliveryStatus.WAITING, DeliveryStatus.DELIVERED})


@dataclass(slots=True)
class Message:
    """One message of a rule, to however many channels: a notify step of a firing, or one that the clock sent."""

    step: str
    deliveries: list[Delivery]

    @property
    def status(self) -> DeliveryStatus:
        """Whether it goes out, and if not anywhere why."""
        statuses = [each.status for each in self.deliveries]
        return next((status for status in statuses if status in OPEN), statuses[0])

    @property
    def first(self) -> Delivery:
        """What speaks for all of them."""
        return next((each for each in self.deliveries if each.status is self.status), self.deliveries[0])


@dataclass(slots=True)
class Span:
    """What came of one rule between two steps, by the time it came. `missed` are events for which its `when` did not
    hold."""

    changes: list[Change] = field(default_factory=list)
    missed: list[tuple[datetime, Event, Because | None]] = field(default_factory=list)

    def firings(self, rule: str) -> Iterator[tuple[datetime, Event | None, Firing]]:
        """The firings of a rule, each as what became of it."""
        for change in self.changes:
            yield from ((change.at, change.event, each) for each in change.firings if each.rule == rule)

    def messages(self, rule: str) -> Iterator[tuple[datetime, Event | None, Message]]:
        """The messages of a rule."""
        for change in self.changes:
            found: dict[tuple[str | None, str], list[Delivery]] = {}
            for each in change.deliveries:
                if each.rule == rule and each.verb is Verb.NOTIFY:
                    found.setdefault((each.firing, each.step), []).append(each)
            yield from ((change.at, change.event, Message(step, own)) for (_, step), own in found.items())


class Player:
    """Plays one timeline with the rules of a rulebook."""

    def __init__(self, rulebook: Rulebook, writer: Writer, test: TimelineTest) -> None:
        self._rulebook = rulebook
        self._writer = writer
        self._test = test
        self._results: dict[str, Mapping[str, Json]] = {}
        self._events: dict[str, Event] = {}
        self._span = Span()
        self._number = 0
        begin = test.timeline.begin
        self.world = World(
            rulebook,
            everywhere,
            begin,
            summary=summary,
            told=lambda change: self._hear(change),
            unwanted=writer.digest_skipped,
        )

    def play(self) -> Iterator[Problem]:
        """Every step in its order, and what was not as expected. Raises CannotBeGiven and ValueError for an event that
        cannot be made."""
        for begin, step in self._test.timeline.moments():
            for problem in self._act(step, begin):
                yield self._placed(problem, step)
            for turn in range(step.repeat if step.given else 0):
                for given in step.given:
                    self._feed(given, step, begin + step.every * turn, turn)
            self.world.advance(begin)
            if step.expect is not None:
                for problem in self._check(step.expect):
                    yield self._placed(problem, step)
            self._span = Span()

    def _act(self, step: StepInTime, at: datetime) -> Iterator[Problem]:
        """What people do at the beginning of a step, and what they cannot do."""
        if not (step.mutes or step.acknowledge or step.resolve):
            return
        self.world.advance(at)
        self.world.mutes = (*self.world.mutes, *(_mute(each, at, step.position.line) for each in step.mutes))
        for taking, status in ((step.acknowledge, IncidentStatus.OPEN), (step.resolve, None)):
            if taking is None:
                continue
            act = self.world.resolve if status is None else self.world.acknowledge
            own = [each for each in self.world.incidents() if self._test.rule in (None, each.rule)]
            meant = [each for each in own if taking.about in (None, each.about) and status in (None, each.status)]
            if not meant:
                what = "resolve" if status is None else "acknowledge"
                about = f" about {taking.about}" if taking.about else ""
                shown = tuple(f"{each.rule} about {each.about}: {each.status}" for each in own)
                said = f"there is no open incident{about} to {what}"
                yield Problem(said=said, shown=shown or ("no incident is open",))
            for incident in meant:
                act(incident, taking.by, taking.comment)

    def _hear(self, change: Change) -> None:
        self._span.changes.append(change)

    def _feed(self, given: Given, step: StepInTime, at: datetime, turn: int) -> None:
        self._number += 1
        numbered = replace(given, set=_numbered(given.set, turn + 1)) if step.repeat > 1 else given
        event = event_at(numbered, self._number, created=at - step.late, received=at)
        event = as_if_read(event, wants_of(self._rulebook, self._test.rule, event), numbered.fetched)
        self._results[event.dedupe_key] = given.results
        self._events[event.dedupe_key] = event
        rule = self._test.rule
        if rule is not None and not any(match.rule.id == rule for match in self._rulebook.match(event)):
            (verdict,) = self._rulebook.explain(event, rule=rule)
            self._span.missed.append((at, event, verdict.because))
        self.world.feed(event)

    def _placed(self, problem: Problem, step: StepInTime) -> Problem:
        clock = self.world.now.astimezone(self._test.timeline.zone)
        day = "" if clock.date() == self._test.timeline.day else f"{clock:%d %b} "
        seconds = f"{clock:%H:%M:%S}".removesuffix(":00")
        return Problem(said=f"at {day}{seconds} (line {step.position.line}): {problem.said}", shown=problem.shown)

    def _check(self, expect: Outcome | Fired) -> Iterator[Problem]:
        if isinstance(expect, Fired):
            yield from self._check_fired(expect)
            return
        rule = self._rulebook.rule(self._test.rule or "")
        assert rule is not None
        happened = tuple(self._happened(rule))
        yield from (replace(problem, shown=problem.shown or happened) for problem in self._differences(rule, expect))

    def _check_fired(self, expect: Fired) -> Iterator[Problem]:
        changed = [firing for change in self._span.changes for firing in change.firings]
        fired = {firing.rule for firing in changed if firing.status is FiringStatus.FIRED}
        for rule_id in expect.rules:
            if rule_id not in fired:
                reasons = [each.reason for each in changed if each.rule == rule_id and each.reason]
                yield Problem(said=f"expected {rule_id} to fire, and it did not", shown=tuple(reasons[-1:]))
        for rule_id in sorted(fired.difference(expect.rules)):
            yield Problem(said=f"{rule_id} fired, too")

    def _differences(self, rule: Rule, expect: Outcome) -> Iterator[Problem]:
        span = self._span
        fired = sum(firing.status is FiringStatus.FIRED for _, _, firing in span.firings(rule.id))
        if expect.fires is not None:
            yield from check_times(fired, expect.fires)
        if expect.because is not None and not self._is_because(rule, expect.because):
            yield Problem(said=f"expected not to fire because of {expect.because}, and that is not why")
        messages = [message for _, _, message in span.messages(rule.id)]
        written = list(self._written(rule))
        unmeant = {(each.firing.id if each.firing else None, step) for each in written for step in skipped_in(each)}
        went = [each for each in messages if each.status in OPEN and (each.first.firing, each.step) not in unmeant]
        if expect.sent is not None:
            yield from check_count("sent", len(went), expect.sent)
        if expect.gathered is not None:
            gathered = sum(each.status is DeliveryStatus.GATHERED for each in messages)
            yield from check_count("gathered", gathered, expect.gathered)
        if expect.suppressed is not None:
            quiet = [each.first for each in messages if each.status is DeliveryStatus.SUPPRESSED]
            yield from check_tally(quiet, expect.suppressed)
        yield from self._check_texts(rule, expect, went, written)

    def _is_because(self, rule: Rule, because: str) -> bool:
        if because in REMEMBERED:
            firings = self._span.firings(rule.id)
            return any(
                each.status is not FiringStatus.FIRED and key_of_reason(each) == because for _, _, each in firings
            )
        return any(each is not None and each.path == because for _, _, each in self._span.missed)

    def _check_texts(
        self, rule: Rule, expect: Outcome, went: Sequence[Message], written: Sequence[Written]
    ) -> Iterator[Problem]:
        """Everything that is sent can be written, and one of it is as expected."""
        for each in written:
            wrong = next(((step, one.wrong) for step, one in each.sent.items() if one.wrong is not None), None)
            if wrong is not None:
                yield Problem(said=f"{wrong[0]} cannot be written: {wrong[1]}")
                return
        if expect.message is not None:
            yield from check_message(rule, written, expect.message)
        for name, wanted in expect.stages.items():
            count = sum(self._stage(rule, each) == name for each in went)
            yield from check_stage(rule, name, count, written, wanted)
        for step_id, asked in expect.steps.items():
            found = [(each.event, each.sent[step_id]) for each in written if step_id in each.sent]
            yield from check_step(step_id, found, asked)

    def _stage(self, rule: Rule, message: Message) -> str | None:
        firing = message.first.firing
        return stage_of(rule, message.step, None if firing is None else self.world.firings[firing])

    def _written(self, rule: Rule) -> Iterator[Written]:
        """What is sent, by step: of each firing, and of what the clock sends by itself."""
        for change in self._span.changes:
            own = [each for each in change.deliveries if each.rule == rule.id]
            for firing, group in groupby(sorted(own, key=lambda each: each.firing or ""), lambda each: each.firing):
                deliveries = list(group)
                if change.event is None:
                    continue
                if firing is None:
                    sent = {each.step: self._by_the_clock(rule, each, change) for each in deliveries}
                    yield Written(change.event, None, sent)
                    continue
                fired = self.world.firings[firing]
                results = self._results.get(change.event.dedupe_key, {})
                context = self._context(rule, fired)
                sent = self._writer.written(change.event, rule, deliveries, results, change.at, context)
                yield Written(change.event, fired, sent)

    def _context(self, rule: Rule, firing: Firing) -> Mapping[str, Json] | None:
        """What texts read of the rule's memory; of an incident with its first event."""
        context: Mapping[str, Json] | None = firing.context
        if context is None or not context.get("incident"):
            return context
        return with_first(context, rule, self._events.get(context["incident"]["first"]["event"]), None)

    def _by_the_clock(self, rule: Rule, delivery: Delivery, change: Change) -> Sent:
        """A digest, or what a throttle left out."""
        if delivery.request is not None:
            return Sent(request=shown(delivery.request))
        return self._writer.digest(delivery, rule, change.merged, self._events, change.at)

    def _happened(self, rule: Rule) -> Iterator[str]:
        """What came of the rule, in the order of time, a line for what is alike."""
        lines: list[tuple[datetime, str]] = []
        for at, missed, because in self._span.missed:
            why = "" if because is None else f"   {because.path} {because.actual}   needs {because.needs}"
            lines.append((at, f"NO     {missed.type}{why}"))
        for at, event, firing in self._span.firings(rule.id):
            word = {FiringStatus.FIRED: "FIRED", FiringStatus.WAITING: "WAITS", FiringStatus.FOLLOW_UP: "LATER"}.get(
                firing.status, "NO"
            )
            about = "" if event is None else event.type
            lines.append((at, f"{word:<6} {about}" + (f"   {firing.reason}" if firing.reason else "")))
        for at, _, message in self._span.messages(rule.id):
            status = "sent" if message.status in OPEN else str(message.status)
            reason = f"   {message.first.reason}" if message.first.reason else ""
            lines.append((at, f"       {message.step} {status}{reason}"))
        if not lines:
            yield "nothing came of this rule"
            return
        told = [(said, list(group)) for said, group in groupby(sorted(lines, key=_time), key=lambda line: line[1])]
        zone = self._test.timeline.zone
        for said, alike in told[-LINES:]:
            times = f"  ({len(alike)} times)" if len(alike) > 1 else ""
            yield f"{alike[-1][0].astimezone(zone):%H:%M:%S}  {said}{times}"


def _time(line: tuple[datetime, str]) -> datetime:
    return line[0]


def key_of_reason(firing: Firing) -> str | None:
    """The key of the rule for which a match did not fire, or waits: its reason begins with it."""
    key, colon, _ = (firing.reason or "").partition(":")
    return key if colon else None


def wants_of(rulebook: Rulebook, rule_id: str | None, event: Event) -> tuple[str, ...]:
    """What is read for an event: before rules are judged, and anew by steps of the rule that is tested."""
    rule = rulebook.rule(rule_id) if rule_id is not None else None
    return tuple(dict.fromkeys((*rulebook.wants(event), *(reread(rule, event) if rule is not None else ()))))


def _mute(muting: Muting, at: datetime, line: int) -> Mute:
    return Mute(
        id=f"mut_{line}",
        rule=muting.rule,
        account=muting.account,
        severity=muting.severity,
        tag=muting.tag,
        start=at,
        end=at + muting.lasting,
        author="the test",
        comment=f"line {line}",
    )


def _numbered(values: Mapping[str, Json], number: int) -> dict[str, Json]:
    """With `{n}` in texts as the number of the repetition."""
    return {
        path: value.replace("{n}", str(number)) if isinstance(value, str) else value for path, value in values.items()
    }


def because_of(event: Event, rulebook: Rulebook, rule: Rule) -> Iterable[Firing]:
    """What becomes of the match of one event that comes by itself."""
    world = World(rulebook, everywhere, event.received)
    world.feed(event)
    return [firing for firing in world.firings.values() if firing.rule == rule.id]
