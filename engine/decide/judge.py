"""What becomes of a match, in the fixed order: max_age, preceded_by, threshold, not_followed_by; then it has fired.

Pure but for the memory it is given, which it changes: (rule, event, memory, now) -> what becomes of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from engine.decide import sequence, shapes, window
from engine.decide.keys import key_of, other_key, trigger_key
from engine.decide.memory import Cell, Memory, State, shape_of
from engine.decide.sighting import Role, Sighting
from engine.model.delivery import FiringStatus, Settled, Timer, firing_id
from engine.model.event import Event, Json
from engine.model.rule import Rule
from engine.model.timing import NO_TIMING, Absence, Threshold
from engine.source.durations import format_duration

PRECEDED, THRESHOLD, FOLLOWED = "preceded_by", "threshold", "not_followed_by"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a match; `settled` is what became of earlier ones thereby. `goes_on`: it does not fire, because
    the threshold that holds has fired already."""

    status: FiringStatus
    reason: str | None = None
    context: Json = None
    timers: tuple[Timer, ...] = ()
    settled: tuple[Settled, ...] = ()
    goes_on: bool = False


FIRED = Verdict(FiringStatus.FIRED)


_MEMORY = ("max_age", PRECEDED, THRESHOLD, FOLLOWED, "remind")
_memory = attrgetter(*_MEMORY)


def remembers(rule: Rule) -> bool:
    """Whether more than its event decides if the rule fires."""
    return rule.timing is not NO_TIMING and any(_memory(rule.timing))


def memory_of(rule: Rule) -> tuple[str, ...]:
    """The keys of the rule by which it is decided whether, and when, it fires."""
    return tuple(name for name, part in zip(_MEMORY, _memory(rule.timing), strict=True) if part)


def cells(seen: Sighting, event: Event) -> Iterator[Cell]:
    """What the rule remembers that an event may look at or change in a role."""
    rule, role, timing = seen.rule, seen.role, seen.rule.timing
    match = role is Role.MATCH
    if timing.preceded_by is not None and (match or role is Role.PRECEDES):
        joint = trigger_key if match else other_key
        yield from _cell(rule, PRECEDED, joint(timing.preceded_by, event))
    if timing.threshold is not None and (match or role is Role.AMONG):
        yield Cell(rule.id, THRESHOLD, key_of(timing.threshold.per, event))
    for place, absence in enumerate(timing.not_followed_by):
        if match or (role is Role.FOLLOWS and place == seen.place):
            joint = trigger_key if match else other_key
            yield from _cell(rule, part_of(absence), joint(absence.other, event))


def part_of(absence: Absence) -> str:
    """What is remembered of an absence is named by what must not follow: another place in the list is no other one."""
    return f"{FOLLOWED} {shape_of(absence.other.when, absence.other.same)}"


def _cell(rule: Rule, part: str, key: str | None) -> Iterator[Cell]:
    if key is not None:
        yield Cell(rule.id, part, key)


def observe(
    seen: Sighting, event: Event, memory: Memory, now: datetime, *, again: bool = False, known: bool = False
) -> Verdict:
    """What an event does to a rule that it is not for: `timers` and `settled` alone are meant. `again`: it may be seen
    once more. `known`: it was one that the rule is for, earlier."""
    rule, timing = seen.rule, seen.rule.timing
    if seen.role is Role.AMONG and timing.threshold is not None:
        _counted(rule, timing.threshold, event, memory, window.AMONG, again=again, known=known)
    if seen.role is Role.PRECEDES and timing.preceded_by is not None:
        timers: list[Timer] = []
        for cell in cells(seen, event):
            kept = memory.open(cell, shapes.preceded_by(rule))
            late = sequence.precede(timing.preceded_by, kept.state, event)
            timers += [_timer(rule, PRECEDED, cell.key, now, event, of=key) for key in late]
            kept.until = sequence.before_until(timing.preceded_by, kept.state)
        return Verdict(FiringStatus.NO, timers=tuple(timers))
    if seen.role is Role.FOLLOWS:
        absence = timing.not_followed_by[seen.place]
        settled: list[Settled] = []
        for cell in cells(seen, event):
            kept = memory.open(cell, shapes.ANY)
            for key in sequence.follow(absence, kept.state, event):
                reason = f"{FOLLOWED}: {event.type} came ({event.id})"
                settled.append(Settled(firing=firing_id(rule.id, key), status=FiringStatus.NO, reason=reason))
            kept.until = sequence.after_until(absence, kept.state)
        return Verdict(FiringStatus.NO, settled=tuple(settled))
    return Verdict(FiringStatus.NO)


def judge(
    rule: Rule, event: Event, memory: Memory, now: datetime, *, among: bool, after: str = "", again: bool = False
) -> Verdict:
    """What becomes of a match. `among`: the event is one of `ratio.of` too; `after`: the part that has let it through
    already, later than the rest (`preceded_by`); `again`: it may be seen once more."""
    timing = rule.timing
    refused = None if after else _refused(rule, event, memory)
    kind = window.AMONG if among else 0
    if refused is not None:
        if timing.threshold is not None and timing.threshold.ratio is not None:
            # It is one of the events of the ratio all the same.
            again = again or timing.preceded_by is not None  # which may come later
            _counted(rule, timing.threshold, event, memory, kind, again=again)
        return Verdict(FiringStatus.NO, refused)
    context: dict[str, Json] | None = None
    if timing.threshold is not None:
        state, judged = _counted(rule, timing.threshold, event, memory, kind | window.MATCH, again=again)
        assert judged is not None
        context = {"window": window.context_of(timing.threshold, state, judged.window)}
        if not judged.fires:
            return Verdict(FiringStatus.NO, judged.reason, context, goes_on=judged.window.holds)
    if timing.not_followed_by:
        return _followed(rule, event, memory, context)
    return FIRED if context is None else Verdict(FiringStatus.FIRED, context=context)


def _counted(
    rule: Rule, threshold: Threshold, event: Event, memory: Memory, kind: int, *, again: bool, known: bool = False
) -> tuple[State, window.Judged | None]:
    """Count an event as that; its window's state, and for a match what it comes to."""
    kept = memory.open(Cell(rule.id, THRESHOLD, key_of(threshold.per, event)), shapes.threshold(rule))
    judged = window.take(threshold, kept.state, event, kind, again=again, known=known)
    kept.until = window.until(threshold, kept.state)
    return kept.state, judged


def _refused(rule: Rule, event: Event, memory: Memory) -> str | None:
    """Why a match does not come to be counted; None: it does."""
    timing = rule.timing
    age = event.received - event.created
    if timing.max_age is not None and age > timing.max_age:
        limit, old = format_duration(timing.max_age), format_duration(age)
        return f"max_age: {old} old when it came, and {limit} is the most"
    return None if timing.preceded_by is None else _preceded(rule, event, memory)


def _preceded(rule: Rule, event: Event, memory: Memory) -> str | None:
    other = rule.timing.preceded_by
    assert other is not None
    key = trigger_key(other, event)
    if key is None:
        return "preceded_by: the event lacks what 'same' compares"
    kept = memory.open(Cell(rule.id, PRECEDED, key), shapes.preceded_by(rule))
    reason = sequence.preceded(other, kept.state, event)
    kept.until = sequence.before_until(other, kept.state)
    return reason


def _followed(rule: Rule, event: Event, memory: Memory, context: Json) -> Verdict:
    """A trigger waits for the time to pass, unless what must not follow is known already."""
    absences = rule.timing.not_followed_by
    settled: list[Settled] = []
    for absence in absences:
        key = trigger_key(absence.other, event)
        if key is None:
            continue  # nothing can follow it
        kept = memory.open(Cell(rule.id, part_of(absence), key), shapes.ANY)
        reason, replaced = sequence.followed(absence, kept.state, event)
        kept.until = sequence.after_until(absence, kept.state)
        if reason is not None:
            return Verdict(FiringStatus.NO, f"{FOLLOWED}: {reason}", context)
        for each in replaced:
            why = f"{FOLLOWED}: the timer was started anew by {event.id}"
            settled.append(Settled(firing=firing_id(rule.id, each), status=FiringStatus.NO, reason=why))
    due = sequence.due_of(absences, event)
    types = " or ".join(sequence.types_of(absence.other) for absence in absences)
    reason = f"{FOLLOWED}: waits until {due:%Y-%m-%d %H:%M:%S} UTC for {types} not to come"
    timer = _timer(rule, FOLLOWED, "", due, event, of=event.dedupe_key)
    return Verdict(FiringStatus.WAITING, reason, context, (timer,), tuple(settled))


def _timer(rule: Rule, part: str, key: str, due: datetime, event: Event, *, of: str | None = None) -> Timer:
    return Timer(rule=rule.id, part=part, key=key, due=due, event=of, account=event.account, livemode=event.livemode)
