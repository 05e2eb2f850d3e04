"""All keys of time, state and noise of one rule, and which of them cannot stand together."""

from collections.abc import Iterator
from dataclasses import replace

from engine.match.reads import reads_object
from engine.model.rule import Severity, Step, Verb, When
from engine.model.timing import NO_TIMING, TOLD_BY, Other, Quiet, QuietDo, Timing
from engine.rulebook.fields import read, with_vars
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.rulebook.lints import advise_step
from engine.rulebook.lints.cells import about as about_of
from engine.rulebook.spans import read_span
from engine.rulebook.steps import Setting, read_steps
from engine.rulebook.timing.counts import read_threshold
from engine.rulebook.timing.course import read_escalations, read_incident, read_reminder
from engine.rulebook.timing.noise import read_digest, read_quiet, read_throttle
from engine.rulebook.timing.others import read_absences, read_preceded
from engine.source import Entry, Mapping, Node, Sequence

STEP_KEYS = ("on_update", "on_resolve")
KEYS = (
    *("preceded_by", "not_followed_by", "threshold", "max_age"),
    *("incident", "escalate", "remind", "throttle", "quiet", "digest"),
    *STEP_KEYS,
)
NOISE = ("incident", "throttle", "quiet", "digest")
"""Those that are about notify steps alone."""

TOGETHER = (
    ("throttle", "digest", "the digest would hide what the throttle dropped"),
    ("digest", "escalate", "an alert that is to be taken up within minutes cannot wait to be gathered"),
    ("remind", "incident", "a reminder is told at its times until it is settled, and opens nothing that goes on"),
    ("remind", "threshold", "a reminder is about one event, and a threshold about many"),
    ("not_followed_by", "threshold", "what has to follow is said of one event, and a threshold is about many"),
)
"""Pairs that are refused, and why."""

NEEDS_INCIDENT = ("escalate", *STEP_KEYS)


def told_by(rule: Mapping) -> frozenset[str]:
    """Which of the names `window`, `incident` and `digest` the steps of a rule have."""
    return frozenset(name for name, key in TOLD_BY.items() if rule.get(key) is not None)


def read_timing(
    found: Findings, rule: Mapping, whens: tuple[When, ...] | None, known: Known, steps: tuple[Step, ...]
) -> Timing:
    """What stands under these keys in a rule, its defaults laid under it. `whens` None: they have a mistake; `steps`:
    those read before, whose ids are taken. What has a mistake is left out."""
    if not any(entry.name in KEYS for entry in rule.entries):
        return NO_TIMING
    own = whens or ()
    about = about_of(own)
    given = _with_vars(found, rule)
    incident = read(given, "incident", lambda node: read_incident(found, node, about, known))
    resolve = incident.resolve if incident is not None else None
    setting = Setting(prefix="on-update-", taken=steps, told=told_by(rule))
    on_update = _read_steps(found, given, "on_update", known, own, setting)
    setting = replace(setting, prefix="on-resolve-", taken=(*setting.taken, *on_update))
    asked, found.reads_object = found.reads_object, False
    on_resolve = _read_steps(found, given, "on_resolve", known, own if resolve is None else resolve.when, setting)
    if incident is not None and resolve is not None and (found.reads_object or _ask_object(on_resolve)):
        incident = replace(incident, resolve=_with_object(resolve))
    found.reads_object = asked or found.reads_object  # it may also end by itself, or by a person
    setting = replace(setting, taken=(*setting.taken, *on_resolve))
    timing = Timing(
        max_age=read(given, "max_age", lambda node: read_span(found, node)),
        preceded_by=read(given, "preceded_by", lambda node: read_preceded(found, node, about, known)),
        not_followed_by=read(given, "not_followed_by", lambda node: read_absences(found, node, about, known)) or (),
        threshold=read(given, "threshold", lambda node: read_threshold(found, node, about, own, known)),
        incident=incident,
        escalate=read(given, "escalate", lambda node: read_escalations(found, node, known, own, setting)) or (),
        remind=read(given, "remind", lambda node: read_reminder(found, node, about, known)),
        throttle=read(given, "throttle", lambda node: read_throttle(found, node, about)),
        quiet=read(given, "quiet", lambda node: read_quiet(found, node)),
        digest=read(given, "digest", lambda node: read_digest(found, node, about)),
        on_update=on_update,
        on_resolve=on_resolve,
    )
    _check_together(found, rule)
    return timing


def _with_vars(found: Findings, rule: Mapping) -> Mapping:
    """These keys of a rule with variables put in their values; steps look after theirs."""
    values = (
        (entry, entry.value if entry.name in NEEDS_INCIDENT else with_vars(found, entry.value))
        for entry in rule.entries
        if entry.name in KEYS
    )
    return replace(rule, entries=tuple(Entry(entry.key, value) for entry, value in values if value is not None))


def _read_steps(
    found: Findings, given: Mapping, key: str, known: Known, whens: tuple[When, ...], setting: Setting
) -> tuple[Step, ...]:
    """The steps under a key, for events that `whens` take; none where there are none, or a mistake."""
    node = given.get(key)
    steps = (read_steps(found, node, known, whens, setting) or ()) if node is not None else ()
    for step in steps:
        advise_step(found, whens, step)
    return steps


def _ask_object(steps: tuple[Step, ...]) -> bool:
    return any(reads_object(step.condition) for step in steps)


def _with_object(other: Other) -> Other:
    """The same event, whose object is asked for."""
    return replace(other, when=tuple(replace(when, reads_object=True) for when in other.when))


def _check_together(found: Findings, rule: Mapping) -> None:
    for first, second, why in TOGETHER:
        one, other = rule.entry(first), rule.entry(second)
        if one is not None and other is not None:
            later = max(one.key, other.key, key=lambda key: (key.file, key.line, key.column))
            found.error("combination", later, f"'{first}' cannot stand with '{second}': {why}", "leave one of them out")
    for key in NEEDS_INCIDENT:
        entry = rule.entry(key)
        if entry is not None and rule.get("incident") is None:
            hint = "add incident: {per: account}"
            found.error("combination", entry.key, f"'{key}' needs an incident, and this rule has none", hint)


def check_effect(found: Findings, rule: Mapping, timing: Timing, steps: tuple[Step, ...], severity: Severity) -> None:
    """Warn of keys that change nothing, and refuse a table that nothing would show. `steps`: all of the rule."""
    if timing is NO_TIMING and not any("table" in step.options for step in steps):
        return
    if not any(step.verb is Verb.NOTIFY for step in steps):
        for key in NOISE:
            entry = rule.entry(key)
            if entry is not None:
                message = f"'{key}' is about notify steps, and this rule has none"
                found.warn("no-effect", entry.key, message, "callbacks and Stripe steps run whenever the rule fires")
    quiet = timing.quiet
    if quiet is not None and quiet.bar is not None and severity.at_least(quiet.bar):
        entry = rule.entry("quiet")
        if entry is not None:
            message = f"'except' lets every message of this rule pass: its severity is {severity}"
            found.warn("no-effect", entry.key, message, "leave out quiet, or raise the severity under except")
    if timing.digest is None and not _holds(quiet):
        for place in _tables(rule):
            message = "'table' is of a digest, and this rule sends none"
            found.error("combination", place.key, message, "add digest: {every: day}")


def _holds(quiet: Quiet | None) -> bool:
    return quiet is not None and quiet.do is QuietDo.HOLD


def _tables(node: Node) -> Iterator[Entry]:
    """Where `table` stands in steps."""
    for item in node.items if isinstance(node, Sequence) else ():
        yield from _tables(item)
    if not isinstance(node, Mapping):
        return
    for entry in node.entries:
        if entry.name == "table" and node.get("notify") is not None:
            yield entry
        elif entry.name in ("then", "on_failure", "escalate", *STEP_KEYS):
            yield from _tables(entry.value)
