"""`incident`, `escalate` and `remind`: what takes its course after a match."""

from datetime import timedelta

from engine.model.rule import Step, When
from engine.model.schema import Kind
from engine.model.timing import BY_ACCOUNT, BY_ID, Escalation, Incident, Reminder
from engine.rulebook.fields import check_keys, listed, mapping, read, with_vars
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.rulebook.lints import advise_step
from engine.rulebook.lints.carried import Carried
from engine.rulebook.lints.wording import kind_in_words
from engine.rulebook.spans import read_span, required
from engine.rulebook.steps import Setting, read_steps
from engine.rulebook.timing.others import read_settling
from engine.rulebook.timing.paths import Looked, read_looked, read_per
from engine.source import Node

INCIDENT_KEYS = ("per", "resolve", "resolve_after")
ESCALATION_KEYS = ("after", "then")
REMIND_KEYS = ("before", "at", "until", "same")
ESCALATE = "escalate"
"""What the ids of its steps begin with that have none of their own: `escalate-1-notify-1`."""

_TIMES = (Kind.TIME, Kind.TIMESTAMP, Kind.INTEGER, Kind.ANY)


def read_incident(found: Findings, node: Node, about: Carried, known: Known) -> Incident | None:
    """`incident`; None with a mistake where it cannot be used."""
    given = mapping(found, node, "a map like {per: account, resolve_after: 2h}")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "incident", INCIDENT_KEYS)
    per = read(given, "per", lambda value: read_per(found, value, about)) or BY_ACCOUNT
    resolve = read(given, "resolve", lambda value: read_settling(found, value, about, known, "resolve"))
    after = read(given, "resolve_after", lambda value: read_span(found, value))
    return Incident(per=per, resolve=resolve, resolve_after=after) if found.errors == errors else None


def read_escalations(
    found: Findings, node: Node, known: Known, whens: tuple[When, ...], setting: Setting
) -> tuple[Escalation, ...] | None:
    """`escalate`: one or a list. The ids of `setting` are taken, and those of the ones before."""
    items = listed(found, node, "a map like {after: 15m, then: {notify: on-call}}, or a list of them")
    escalations: list[Escalation] = []
    taken = setting.taken
    for place, item in enumerate(items or (), 1):
        inner = Setting(prefix=f"{ESCALATE}-{place}-", taken=taken, told=setting.told)
        escalation = _read_escalation(found, item, known, whens, inner)
        if escalation is not None:
            escalations.append(escalation)
            taken = (*taken, *escalation.steps)
    return tuple(escalations) if items and len(escalations) == len(items) else None


def _read_escalation(
    found: Findings, node: Node, known: Known, whens: tuple[When, ...], setting: Setting
) -> Escalation | None:
    given = mapping(found, node, "a map like {after: 15m, then: {notify: on-call}}")
    if given is None:
        return None
    check_keys(found, given, "escalate", ESCALATION_KEYS)
    after_node = required(found, given, "after", "escalate", "write after: 15m")
    after_node = None if after_node is None else with_vars(found, after_node)
    after: timedelta | None = None if after_node is None else read_span(found, after_node)
    then_node = required(found, given, "then", "escalate", "write then: {notify: on-call}")
    steps: tuple[Step, ...] | None = None
    if then_node is not None:
        steps = read_steps(found, then_node, known, whens, setting)
    for step in steps or ():
        advise_step(found, whens, step)
    return None if after is None or steps is None else Escalation(after=after, steps=steps)


def read_reminder(found: Findings, node: Node, about: Carried, known: Known) -> Reminder | None:
    """`remind`; None with a mistake where it cannot be used."""
    given = mapping(found, node, "a map like {before: evidence_details.due_by, at: [72h, 24h]}")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "remind", REMIND_KEYS)
    before_node = required(
        found, given, "before", "remind", "write the path of a time, before: evidence_details.due_by"
    )
    before = None if before_node is None else read_looked(found, before_node, about)
    if before is not None and before_node is not None:
        _doubt_time(found, before_node, before)
    at_node = required(found, given, "at", "remind", "write how long before, at: [72h, 24h]")
    at = () if at_node is None else _lead_times(found, at_node)
    until = read(given, "until", lambda value: read_settling(found, value, about, known, "until"))
    same_node = given.get("same")
    same = BY_ID if same_node is None else read_per(found, same_node, about)
    if found.errors > errors or before is None or same is None:
        return None
    return Reminder(before=before.reference, at=at, until=until, same=same)


def _lead_times(found: Findings, node: Node) -> tuple[timedelta, ...]:
    items = listed(found, node, "a duration like 24h or a list of them") or ()
    spans = [read_span(found, item) for item in items]
    for place, span in enumerate(spans):
        if span is not None and span in spans[:place]:
            found.error("duration", items[place], "there is a reminder that long before already")
    return tuple(sorted((span for span in spans if span is not None), reverse=True))


def _doubt_time(found: Findings, node: Node, looked: Looked) -> None:
    """Warn of a moment that is none."""
    spots = looked.spots
    if spots and not any(spot.field.kind in _TIMES for spot in spots):
        path, kind = looked.reference.path, kind_in_words(spots[0].field)
        found.warn("field-type", node, f"reminders come before a time, and {path} is {kind}")
