"""`timeline` of a test: events at times, and what is expected then, as its author writes it."""

import re
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.model.rule import Rule
from engine.rulebook.fields import (
    check_keys,
    did_you_mean,
    duration,
    expected,
    kind_of,
    mapping,
    read,
    text,
    whole_number,
)
from engine.rulebook.findings import Findings
from engine.source import Mapping, Node, Scalar, Sequence, parse_duration
from engine.testing.acting import ACTS, check_acts, read_mutes, read_taking
from engine.testing.expecting import FIRES, NO, KnownRule, read_because, read_fired, read_message, read_steps
from engine.testing.giving import read_given
from engine.testing.stages import STAGES, read_stages
from engine.testing.trial import CREATED, Fired, Given, Moment, Outcome, StepInTime, Tally, Timeline

KEYS = ("timeline", "day", "timezone")
STEP_KEYS = ("at", *ACTS, "given", "repeat", "every", "late", "expect")
OUTCOME_KEYS = ("fires", "because", "sent", "suppressed", "gathered", "title", "text", "steps", *STAGES)
SILENCES = ("throttle", "quiet", "mute", "incident")
"""What keeps messages quiet."""

LONGEST = timedelta(days=400)
MOST_EVENTS = 10_000
MOST = 100_000
UTC_ZONE = "UTC"

_MOMENT = re.compile(r"(?:\+(?P<after>\d{1,6}[smhdw]))?(?: ?(?P<at>\d\d:\d\d(?::\d\d)?))?", re.ASCII)
_HINT = 'write a time like "09:00", a span since the step before like +10m, or both: "+1d 09:00"'


def read_timeline(
    found: Findings, test: Mapping, folder: Path, rule_id: str | None, rule: Rule | None, known_rule: KnownRule
) -> Timeline | None:
    """The timeline of a test; None with a mistake where it cannot be used. `rule_id` None: it is about all rules."""
    errors = found.errors
    zone = read(test, "timezone", lambda value: _zone(found, value))
    day = read(test, "day", lambda value: _day(found, value))
    node = test.get("timeline")
    if not isinstance(node, Sequence):
        return expected(found, node or test, "a list of steps", "begin each with '- at: \"09:00\"'")
    if not node.items:
        return found.error("empty", node, "expected steps, got an empty list")
    steps = [_read_step(found, item, folder, rule_id, rule, known_rule) for item in node.items]
    if found.errors > errors:
        return None
    good = tuple(step for step in steps if step is not None)
    made = Timeline(steps=good, day=day or CREATED.date(), zone=zone or ZoneInfo(UTC_ZONE))
    _check_order(found, made)
    if not any(step.expect is not None for step in good):
        found.error("missing-key", node, "this timeline has no 'expect'", "say in a step what comes of it")
    return made if found.errors == errors else None


def _read_step(
    found: Findings, node: Node, folder: Path, rule_id: str | None, rule: Rule | None, known_rule: KnownRule
) -> StepInTime | None:
    step = mapping(found, node, "a step: a map with at, and given or expect")
    if step is None:
        return None
    errors = found.errors
    check_keys(found, step, "a step of a timeline", (*STEP_KEYS, "ack"))
    check_acts(found, step, rule)
    if step.get("at") is None:
        found.error("missing-key", step, "this step has no 'at'", _HINT)
    if all(step.get(name) is None for name in (*ACTS, "ack", "given", "expect")):
        hint = f"or one of {', '.join(ACTS)}"
        found.error("missing-key", step, "this step has neither 'given' nor 'expect'", hint)
    for name in ("repeat", "every", "late"):
        entry = step.entry(name)
        if entry is not None and step.get("given") is None:
            found.error("expect", entry.key, f"'{name}' is about the events of a step, and this one has none")
    if step.entry("every") is not None and step.entry("repeat") is None:
        found.error("missing-key", step, "'every' needs 'repeat'", "write repeat: and how often")
    moment = read(step, "at", lambda value: read_moment(found, value))
    mutes = read(step, "mute", lambda value: read_mutes(found, value, rule_id, known_rule))
    acknowledge = read(step, "acknowledge", lambda value: read_taking(found, value))
    resolve = read(step, "resolve", lambda value: read_taking(found, value))
    given = read(step, "given", lambda value: _given(found, value, folder, rule))
    repeat = read(step, "repeat", lambda value: whole_number(found, value, "a number of times", 1, MOST_EVENTS))
    every = read(step, "every", lambda value: duration(found, value, longest=LONGEST))
    late = read(step, "late", lambda value: duration(found, value, longest=LONGEST))
    expect: Outcome | Fired | None = None
    expect_node = step.get("expect")
    if expect_node is not None:
        if rule_id is None:
            expect = read_fired(found, expect_node, known_rule)
        else:
            expect = read_outcome(found, expect_node, rule)
    if found.errors > errors or moment is None:
        return None
    return StepInTime(
        moment=moment,
        mutes=mutes or (),
        acknowledge=acknowledge,
        resolve=resolve,
        given=given or (),
        repeat=repeat or 1,
        every=every or timedelta(),
        late=late or timedelta(),
        expect=expect,
        position=step.position,
    )


def read_moment(found: Findings, node: Node) -> Moment | None:
    """When a step is: `09:00`, `+10m`, `+1d 09:00`."""
    written = node.text if isinstance(node, Scalar) else ""
    matched = _MOMENT.fullmatch(written)
    if matched is None or not written:
        return found.error("expect", node, f"expected a moment, got {kind_of(node)}", _HINT)
    span = None if matched["after"] is None else parse_duration(matched["after"])
    if matched["at"] is None:
        return Moment(after=span)
    try:
        clock = time.fromisoformat(matched["at"])
    except ValueError:
        return found.error("expect", node, f"there is no time {matched['at']}", _HINT)
    if span is not None and (span % timedelta(days=1) or not span):
        return found.error("expect", node, "before a time of the clock stand whole days", 'write "+1d 09:00"')
    return Moment(at=clock, days=span.days if span else 0)


def read_outcome(found: Findings, node: Node, rule: Rule | None) -> Outcome | None:
    """What is to have come of a rule; None with a mistake where it cannot be."""
    if isinstance(node, Scalar):
        if node.value in (FIRES, NO):
            return Outcome(fires=node.value == FIRES)
        hint = "write fires, no, or a map like {fires: 2, suppressed: 1}"
        return found.error("expect", node, f"expected what the rule does, got {kind_of(node)}", hint)
    given = mapping(found, node, "what the rule does")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "expect of a step", OUTCOME_KEYS)
    fires = read(given, "fires", lambda value: _times(found, value))
    if given.get("fires") is None and given.get("because") is not None:
        fires = False
    outcome = Outcome(
        fires=fires,
        because=read(given, "because", lambda value: read_because(found, value, rule)),
        sent=read(given, "sent", lambda value: _count(found, value)),
        suppressed=read(given, "suppressed", lambda value: _tally(found, value)),
        gathered=read(given, "gathered", lambda value: _count(found, value)),
        message=read_message(found, given),
        steps=read(given, "steps", lambda value: read_steps(found, value, rule)) or {},
        stages=read_stages(found, given, rule),
    )
    return outcome if found.errors == errors else None


def _given(found: Findings, node: Node, folder: Path, rule: Rule | None) -> tuple[Given, ...] | None:
    """One event, or several at the same time."""
    items = node.items if isinstance(node, Sequence) else (node,)
    if not items:
        return found.error("empty", node, "expected events, got an empty list")
    events = [read_given(found, item, folder, rule) for item in items]
    good = tuple(event for event in events if event is not None)
    return good if len(good) == len(events) else None


def _times(found: Findings, node: Node) -> bool | int | None:
    """true, false, or how often."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    if isinstance(node, Scalar) and isinstance(node.value, int) and 0 <= node.value <= MOST:
        return node.value
    return expected(found, node, "true, false, or how often the rule fires")


def _count(found: Findings, node: Node) -> int | None:
    return whole_number(found, node, "a number of messages", 0, MOST)


def _tally(found: Findings, node: Node) -> Tally | None:
    """A number, or a map of what keeps messages quiet and how many."""
    if not isinstance(node, Mapping):
        count = _count(found, node)
        return None if count is None else Tally(count=count)
    given = mapping(found, node, "what keeps messages quiet, and how many")
    if given is None:
        return None
    check_keys(found, given, "suppressed", SILENCES)
    counts = {entry.name: _count(found, entry.value) for entry in given.entries}
    return Tally(by={name: count for name, count in counts.items() if count is not None})


def _zone(found: Findings, node: Node) -> ZoneInfo | None:
    name = text(found, node, "a time zone like Europe/Berlin")
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no such name, or one that is a path
        from zoneinfo import available_timezones

        near = did_you_mean(name, available_timezones())
        return found.error("expect", node, f"there is no time zone '{name}'{near}", "write one like Europe/Berlin")


def _day(found: Findings, node: Node) -> date | None:
    written = node.text if isinstance(node, Scalar) else ""
    try:
        return date.fromisoformat(written) if len(written) == len("2026-03-29") else _no_day(found, node)
    except ValueError:
        return _no_day(found, node)


def _no_day(found: Findings, node: Node) -> date | None:
    return found.error("expect", node, f"expected a day, got {kind_of(node)}", "write one like 2026-03-29")


def _check_order(found: Findings, timeline: Timeline) -> None:
    """Note the first step that would go back in time."""
    end = timeline.begin
    for begin, step in timeline.moments():
        if begin < end:
            message = f"this step comes before the one above it ends, at {end.astimezone(timeline.zone):%H:%M:%S}"
            found.error("expect", step.position, message, 'for the next day write "+1d 09:00"')
            return
        end = begin + step.every * (step.repeat - 1)
