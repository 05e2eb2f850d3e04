"""Rules with a memory are decided inside the commit, under the lock of what they remember.

What is handed to the store is an `Undecided`: which cells of memory have to be taken, and how, with those in hand, the
plan is made. Two processes that decide under the same key wait for each other; under different keys they do not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from engine.course import Course, follow_up, part_of, timer_cells
from engine.course import cells as course_cells
from engine.decide import noise, shapes, throttle
from engine.decide.judge import FIRED, FOLLOWED, PRECEDED, Verdict, cells, judge, observe, remembers
from engine.decide.memory import Cell, Memory
from engine.decide.noise import DIGEST, QUIET, THROTTLE, Noise
from engine.decide.sighting import Role, Sighting
from engine.errors import TocsinError
from engine.model.delivery import (
    NOTHING,
    Delivery,
    DeliveryStatus,
    DueDigest,
    Firing,
    FiringStatus,
    Left,
    Plan,
    Settled,
    Timer,
    delivery_id,
    firing_id,
)
from engine.model.event import Event, Json, Payload
from engine.model.fetch import WHOLE_OBJECT, lacks_object, with_fetched
from engine.model.mute import Mute
from engine.model.rule import Rule, RuleMode, Verb
from engine.plan import Expand, deliveries_of, make_plan, seen_by, with_context
from engine.render import acted_late

Known = Mapping[str, Firing]
"""The firings of an event that are there already, by id."""


def muted(event: Event, mutes: Sequence[Mute]) -> Callable[[Rule], noise.Noise]:
    """What mutes do with the messages about an event of rules that have no memory; it was received a moment ago."""
    aloud = noise.belated(noise.ALOUD, event.created, event.received)

    def quieten(rule: Rule) -> noise.Noise:
        muted = noise.muting(rule, event.account, event.received, mutes)
        return aloud if muted is noise.ALOUD else muted

    return quieten if mutes else lambda rule: aloud


def seen_as(seen: Sighting, event: Event) -> Event:
    """The event as a rule sees it in a role, with what was read for it."""
    if event.fetched is None:
        return event
    if seen.role is Role.MATCH:
        return seen_by(seen.rule, event)
    return with_fetched(event, WHOLE_OBJECT) if lacks_object(event) else event


@dataclass(frozen=True, slots=True)
class Undecided:
    """An event with the rules that hold for it, and those with a memory that have seen it. `prepare` renders of a plan
    what need not wait."""

    event: Event
    rules: Sequence[Rule]
    sightings: Sequence[Sighting]
    revision: str
    expand: Expand
    wants: Sequence[str] = ()
    mutes: Sequence[Mute] = ()
    prepare: Callable[[Plan], Plan] = lambda plan: plan

    @property
    def key(self) -> str:
        """The dedupe key of the event whose firings `decide` has to know."""
        return self.event.dedupe_key

    def cells(self) -> Iterator[Cell]:
        """What has to be taken before it can be decided."""
        for seen in self.sightings:
            event = seen_as(seen, self.event)
            yield from cells(seen, event)
            yield from course_cells(seen, event)
        for rule in self.rules:
            yield from noise.cells(rule, seen_by(rule, self.event))

    def decide(self, memory: Memory, known: Known, now: datetime) -> Plan:
        """Everything that comes of the event. A rule whose firing is `known` has seen it as a match before."""
        event = self.event
        rules = [rule for rule in self.rules if not self._met(rule, known)]
        among = {seen.rule.id for seen in self.sightings if seen.role is Role.AMONG}
        again = event.payload is Payload.THIN or bool(self.wants)
        verdicts = {
            rule.id: judge(rule, seen_by(rule, event), memory, now, among=rule.id in among, again=again)
            for rule in rules
            if remembers(rule)
        }
        course = self._course(memory, now)
        for rule in rules:
            verdict = verdicts.get(rule.id, FIRED)
            if rule.timing.remind is not None and verdict.status is FiringStatus.FIRED:
                verdicts[rule.id] = course.remind(rule, seen_by(rule, event), verdict.context, event.received)
            elif verdict.goes_on:
                verdicts[rule.id] = course.go_on(rule, seen_by(rule, event), verdict, event.received)
        others: list[Verdict] = []
        for seen in self.sightings:
            if seen.role is Role.MATCH or (seen.role is Role.AMONG and seen.rule.id in verdicts):
                continue
            met = self._met(seen.rule, known)
            others.append(observe(seen, seen_as(seen, event), memory, now, again=again, known=met))
        plan = NOTHING
        if rules or self.wants:
            plan = make_plan(
                event,
                rules,
                self.revision,
                self.expand,
                wants=self.wants,
                verdicts=verdicts,
                quieten=lambda rule: course.quieten(
                    rule, seen_by(rule, event), event.received, verdicts.get(rule.id, FIRED).context
                ),
            )
        course.after(plan)
        matched = {rule.id for rule in self.rules}
        for seen in self.sightings:
            if seen.rule.id not in matched:  # what goes on is not over thereby
                course.observe(seen, seen_as(seen, event), event.received)
        for other in others:
            course.timers += other.timers
            course.settled += other.settled
        plan, left = course.added_to(self.prepare(plan)), left_of(event, now)
        return plan if left is None else replace(plan, left=left)

    def _met(self, rule: Rule, known: Known) -> bool:
        """Whether the rule has seen the event as a match before."""
        return bool(known) and firing_id(rule.id, self.event.dedupe_key) in known

    def _course(self, memory: Memory, now: datetime) -> Course:
        return Course(
            memory=memory,
            revision=self.revision,
            expand=self.expand,
            loud=partial(noise.quieten, memory=memory, now=now, mutes=self.mutes),
            hushed=partial(noise.hushed, now=now, mutes=self.mutes),
            due=self.event.created,
            at=self.event.received,
            now=now,
        )

    def alert(self, known: Known) -> Plan:
        """Where it could not be decided: every rule fires as if it had no memory. When in doubt, it alerts."""
        rules = [rule for rule in self.rules if not self._met(rule, known)]
        return make_plan(self.event, rules, self.revision, self.expand, wants=self.wants)


LEAVING = frozenset({"account.application.deauthorized", "v2.core.account.closed"})
"""The types of events, without the v1 of thin ones, that say that an account has left."""


def left_of(event: Event, now: datetime) -> Left | None:
    """What an event says of an account that has left, None where it says no such thing."""
    if event.account is None or event.base_type not in LEAVING:
        return None
    return Left(account=event.account, livemode=event.livemode, event=event.dedupe_key, at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripe:
    """A timer that is due, with its event, as the rule sees it, and its rule as it stands now; either may be gone."""

    timer: Timer
    event: Event | None
    rule: Rule | None
    revision: str
    expand: Expand
    summary: "Summary"
    mutes: Sequence[Mute] = ()

    def __post_init__(self) -> None:
        if self.rule is not None and self.event is not None:
            object.__setattr__(self, "event", seen_by(self.rule, self.event))

    @property
    def key(self) -> str:
        """The dedupe key of the event whose firings `decide` has to know."""
        return self.timer.event or ""

    def cells(self) -> Iterator[Cell]:
        """What has to be taken before it can be decided."""
        if part_of(self.timer) is not None:
            yield from timer_cells(self.timer, self.rule, self.event)
            return
        if self.timer.part in (THROTTLE, QUIET, DIGEST):
            yield Cell(self.timer.rule, self.timer.part, self.timer.key)
            return
        if self.rule is None or self.event is None:
            return
        yield from cells(Sighting(self.rule, Role.MATCH), self.event)
        yield from course_cells(Sighting(self.rule, Role.MATCH), self.event)
        yield from noise.cells(self.rule, self.event)

    def alert(self, known: Known) -> Plan:
        """A match that waited fires. All else cannot be made up: its timer comes again. Raises TocsinError."""
        if part_of(self.timer) is not None or self.timer.part in (THROTTLE, QUIET, DIGEST):
            raise TocsinError(f"{self.timer.part} of rule {self.timer.rule} cannot be decided now")
        firing = known.get(firing_id(self.timer.rule, self.key))
        if firing is None or firing.status is FiringStatus.FIRED or self.rule is None:
            return NOTHING
        return self._fire(firing, None, firing.created)

    def decide(self, memory: Memory, known: Known, now: datetime) -> Plan:
        """What comes of it now."""
        if part_of(self.timer) is not None:
            course = self._course(memory, now)
            course.ripen(self.timer, self.rule, self.event)
            return course.added_to(NOTHING)
        if self.timer.part in (QUIET, DIGEST):
            return self._gather(memory, now)
        if self.event is None:
            return NOTHING
        if self.timer.part == THROTTLE:
            return self._close(memory, now)
        firing = known.get(firing_id(self.timer.rule, self.timer.event or ""))
        if firing is None or firing.status is FiringStatus.FIRED:
            return NOTHING
        if self.timer.part == FOLLOWED and firing.status is not FiringStatus.WAITING:
            return NOTHING
        if self.rule is None or self.rule.mode is RuleMode.OFF:
            return Plan(settled=(_settled(firing, FiringStatus.NO, "the rule is gone"),))
        if self.timer.part == PRECEDED:
            course = self._course(memory, now)
            verdict = judge(self.rule, self.event, memory, now, among=False, after=PRECEDED)
            verdict = course.go_on(self.rule, self.event, verdict, now)
            if verdict.status is not FiringStatus.FIRED:
                settled = _settled(replace(firing, context=verdict.context), verdict.status, verdict.reason)
                return course.added_to(Plan(settled=(settled, *verdict.settled), timers=verdict.timers))
            return self._fire(replace(firing, context=verdict.context or firing.context), memory, now)
        return self._fire(firing, memory, now)

    def _fire(self, firing: Firing, memory: Memory | None, now: datetime) -> Plan:
        """A match that fires later than it came."""
        assert self.rule is not None
        assert self.event is not None
        if memory is None:
            return self._planned(firing, noise.ALOUD, now)
        course = self._course(memory, now)
        if self.rule.timing.remind is not None:
            verdict = course.remind(self.rule, self.event, firing.context, now)
            settled = verdict.settled
            if all(each.firing != firing.id for each in settled):
                settled = (*settled, _settled(firing, verdict.status, verdict.reason))
            return course.added_to(Plan(settled=settled, timers=verdict.timers))
        plan = self._planned(firing, course.quieten(self.rule, self.event, now, firing.context), now)
        course.after(plan)
        return course.added_to(plan)

    def _planned(self, firing: Firing, quiet: Noise, now: datetime) -> Plan:
        assert self.rule is not None
        assert self.event is not None
        context = with_context(firing.context, quiet)
        firing = replace(firing, status=FiringStatus.FIRED, revision=self.revision, created=now, context=context)
        deliveries: Iterable[Delivery] = ()
        if self.rule.mode is RuleMode.LIVE:
            deliveries = deliveries_of(self.event, self.rule, firing, self.expand, None, quiet)
        settled = _settled(firing, FiringStatus.FIRED, quiet.reason if self.rule.mode is RuleMode.SHADOW else None)
        return Plan(settled=(settled,), deliveries=tuple(deliveries), timers=quiet.timers)

    def _gather(self, memory: Memory, now: datetime) -> Plan:
        """A digest is due: what was gathered for it, and is not muted now, goes out, or waits on where it is quiet."""
        kept = memory.open(Cell(self.timer.rule, self.timer.part, self.timer.key), shapes.ANY)
        name = kept.state.get("name")
        if name is None:
            return NOTHING
        until = None if self.rule is None else noise.quiet_now(self.rule, now)
        if until is not None and until > now:
            kept.state["due"] = until.timestamp()
            return Plan(timers=(replace(self.timer, due=until),))
        kept.state.clear()
        silencings = () if self.rule is None else noise.silencings(self.rule, now, self.mutes)
        return Plan(digests=(DueDigest(name, acted_late(self.timer.due, now), silencings),))

    def _course(self, memory: Memory, now: datetime) -> Course:
        return Course(
            memory=memory,
            revision=self.revision,
            expand=self.expand,
            loud=partial(noise.quieten, memory=memory, now=now, mutes=self.mutes),
            hushed=partial(noise.hushed, now=now, mutes=self.mutes),
            due=self.timer.due,
            at=now,
            now=now,
        )

    def _close(self, memory: Memory, now: datetime) -> Plan:
        """A span of a throttle is over: what was left out and nothing has said yet is said in a line, after quiet
        times."""
        rule, event = self.rule, self.event
        if rule is None or event is None:
            return NOTHING
        limit = rule.timing.throttle or throttle.LIFTED
        kept = noise.paced_of(rule, Cell(rule.id, THROTTLE, self.timer.key), memory)
        until = noise.quiet_now(rule, now)
        if until is not None and until > now and kept.state.get("left_out"):
            kept.until = until
            return Plan(timers=(replace(self.timer, due=until),))
        over = throttle.close(limit, kept.state, now)
        kept.until = throttle.quiet_until(limit, kept.state)
        if over is not None and over.until is not None:
            return Plan(timers=(replace(self.timer, due=over.until),))
        if over is None or rule.mode is not RuleMode.LIVE:
            return NOTHING
        request = self.summary(rule, event, over.left_out, over.since, now, acted_late(self.timer.due, now))
        return Plan(deliveries=tuple(_lines(rule, event, self, over, request, now)))


Summary = Callable[[Rule, Event, int, datetime | None, datetime, str | None], Json]
"""What is sent to say how many messages of a rule were left out since a moment, and with which line: a rendered request
of notify."""


def _lines(
    rule: Rule, event: Event, ripe: Ripe, over: throttle.Paced, request: Json, now: datetime
) -> Iterator[Delivery]:
    """The summary for each place that one of the messages would have gone to."""
    cause = f"{ripe.timer.id} summary"
    muted = noise.muting(rule, event.account, now, ripe.mutes)
    updates = rule.timing.on_update if over.updates else ()
    steps = (*(rule.steps if over.updates < over.left_out else ()), *updates)
    others = {step.id for step in rule.on_failure}
    told: set[str] = set()
    firing = follow_up(rule, event, ripe.revision, cause, now)
    for delivery in deliveries_of(event, rule, firing, ripe.expand, steps=steps):
        if delivery.step in others or delivery.status is DeliveryStatus.SKIPPED:
            continue
        if delivery.verb is Verb.NOTIFY and delivery.destination not in told:
            told.add(delivery.destination)
            id_ = delivery_id(cause, delivery.step, delivery.destination)
            made = replace(delivery, id=id_, firing=None, request=request, needs=())
            if muted.silence is None:
                yield replace(made, status=DeliveryStatus.PENDING, next_attempt=now)
            else:
                silent = replace(made, status=DeliveryStatus.SUPPRESSED, next_attempt=None, finished=now)
                yield replace(silent, reason=muted.reason, silence=muted.silence)


def _settled(firing: Firing, status: FiringStatus, reason: str | None) -> Settled:
    return Settled(firing=firing.id, status=status, reason=reason, context=firing.context)
