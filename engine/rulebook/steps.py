"""`then`: what a rule does. Steps are read one by one, then held together: their ids, and which waits for which."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

from engine.match.reads import beside_digest, reads_digest
from engine.model.condition import ALWAYS, Column, Condition
from engine.model.event import Json
from engine.model.fetch import Fetch
from engine.model.rule import OnError, RetryPolicy, Step, Verb, When
from engine.rulebook.conditions import read_where
from engine.rulebook.fetches import read_fetch
from engine.rulebook.fields import check_keys, did_you_mean, duration, listed, read, text, with_vars, word
from engine.rulebook.findings import Findings
from engine.rulebook.foreign import step_hint
from engine.rulebook.known import Known
from engine.rulebook.lints.cells import check_cells
from engine.rulebook.policies import read_retry
from engine.rulebook.templates import Need, check_texts, steps_read
from engine.rulebook.verbs import VERBS, As, channel_column
from engine.source import Mapping, Node, Scalar, Sequence, nearest

COMMON = ("id", "if", "fetch", "retry", "timeout", "on_error")
FAILURE = "on-failure"
"""What the ids of `on_failure` steps begin with that have none of their own."""
LONGEST_TIMEOUT = timedelta(minutes=5)
_DEAUTHORIZED = frozenset({"account.application.deauthorized", "v1.account.application.deauthorized"})

_Read = tuple[Step, Mapping, tuple[Need, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where steps stand. `prefix` begins the ids of those that have none of their own (`on-update-notify-1`); `taken`
    are steps whose ids are not theirs to use; `told` which of `window`, `incident` and `digest` they know. `failed`:
    these are the steps for when one of those given is dead, None where they are not."""

    prefix: str = ""
    taken: tuple[Step, ...] = ()
    told: frozenset[str] = frozenset()
    failed: tuple[Step, ...] | None = None


THEN = Setting()
"""Of the steps of `then`."""


def after_failure(main: tuple[Step, ...], told: frozenset[str]) -> Setting:
    """Of the steps of `on_failure`, `main` being those of `then`."""
    return Setting(prefix=f"{FAILURE}-", taken=main, told=told - {"digest"}, failed=main)


def read_steps(
    found: Findings, node: Node, known: Known, whens: tuple[When, ...] | None, setting: Setting = THEN
) -> tuple[Step, ...] | None:
    """The steps of `then`, or of what else holds steps; None with a mistake where one cannot be used. `whens` None:
    they have a mistake."""
    items = listed(found, node, "a step like {notify: payments}, or a list of them")
    if items is None:
        return None
    errors = found.errors
    found.on_failure = setting.failed is not None
    reads = [
        _read_step(found, item, f"{setting.prefix}%s-{place}", known, whens or (), setting.told)
        for place, item in enumerate(items, 1)
    ]
    good = [each for each in reads if each is not None]
    if len(good) == len(reads):
        _check_ids(found, good, setting.taken)
        _check_needs(found, good, setting)
    if found.errors > errors:
        return None
    # A step of on_failure waits for a failure, whichever step's it is, and for no step in particular.
    return tuple(step if setting.failed is None else replace(step, needs=()) for step, _, _ in good)


def _read_step(
    found: Findings, node: Node, unnamed: str, known: Known, whens: tuple[When, ...], told: frozenset[str]
) -> _Read | None:
    if not isinstance(node, Mapping):
        hint = f"write {{notify: {node.text}}}" if isinstance(node, Scalar) and node.value else None
        return found.error("type", node, "expected a step like {notify: payments}", hint)
    verb = _verb(found, node, known)
    if verb is None:
        return None
    errors = found.errors
    rules = VERBS[verb]
    found.told, found.alone = told if verb is Verb.NOTIFY else told - {"digest"}, None
    _check_step_keys(found, node, verb)
    target: Node | None = node.get(verb)
    if target is not None and verb is Verb.NOTIFY:
        target = with_vars(found, target)
    if target is None:
        return None
    targets = rules.target(found, target, known)
    columns = _columns(found, target, known) if verb is Verb.NOTIFY and targets else {}
    options: dict[str, Json] = {}
    condition, asked = _read_if(found, node.get("if"))
    if verb is Verb.NOTIFY:
        _note_alone(found, node, rules.options, asked)
    needs = list(check_texts(found, target, whens)) if verb is Verb.STRIPE else []
    for name, reader in rules.options.items():
        value = node.get(name)
        if value is not None:
            options[name] = reader(found, value)
            needs += check_texts(found, value, whens, gathered="digest" in found.told and name != "table")
            if name == "table" and options[name] is not None:
                check_cells(found, value, whens)
    if verb is Verb.STRIPE:
        _check_disconnected(found, target, options, whens)
    needs += asked
    asks_digest = reads_digest(condition)
    if asks_digest:
        _check_of_digest(found, node, condition, needs)
    fetch = read(node, "fetch", lambda value: _read_fetch(found, value, whens, known))
    step = Step(
        id=read(node, "id", lambda value: text(found, value, "the id of a step")) or unnamed % verb,
        verb=verb,
        targets=targets or (),
        columns=columns,
        options=options,
        needs=tuple(sorted({need.step for need in needs})),
        retry=read(node, "retry", lambda value: read_retry(found, value)) or RetryPolicy(),
        timeout=read(node, "timeout", lambda value: duration(found, value, longest=LONGEST_TIMEOUT)),
        on_error=read(node, "on_error", lambda value: word(found, value, OnError, "what dependants do"))
        or OnError.STOP,
        condition=condition,
        asks_steps=bool(asked),
        asks_digest=asks_digest,
        fetch=fetch,
        position=node.position,
    )
    return (step, node, tuple(needs)) if found.errors == errors else None


def _read_if(found: Findings, node: Node | None) -> tuple[Condition, list[Need]]:
    """The condition of a step, and the steps whose results it reads."""
    given = None if node is None else with_vars(found, node)
    if given is None:
        return ALWAYS, []
    found.steps_read = []
    condition = read_where(found, given)
    needs = [Need(step, place) for step, place in found.steps_read]
    found.steps_read = None
    return condition or ALWAYS, needs


def _note_alone(found: Findings, node: Mapping, options: Iterable[str], asked: list[Need]) -> None:
    """Whether a message is sent by itself, whatever the rule gathers: it waits for another step, or for a failure."""
    texts = (node.get(name) for name in options)
    waits = sorted({need.step for need in asked} | {step for each in texts if each for step in steps_read(each)})
    if waits:
        found.alone = f"this step waits for '{waits[0]}', and is sent by itself when that has ended"
    elif found.on_failure:
        found.alone = "a step of on_failure is sent by itself"
    if found.alone is None:
        return
    found.told -= {"digest"}
    table = node.entry("table")
    if table is not None:
        found.error("combination", table.key, f"'table' is of a digest: {found.alone}", "leave it out")


def _check_of_digest(found: Findings, node: Mapping, condition: Condition, needs: list[Need]) -> None:
    """A digest is of many events, and is not there before it is sent."""
    place = node.get("if") or node
    beside = beside_digest(condition)
    if beside is not None:
        message = f"$digest is about many events, and '{beside}' about one of them"
        found.error("combination", place, message, "write a step for each, or put the other under 'when'")
    elif needs:
        message = "what waits for another step is no part of a digest, so there is no $digest"
        found.error("combination", place, message, f"leave out '{needs[0].step}', or $digest")


def _read_fetch(found: Findings, node: Node, whens: tuple[When, ...], known: Known) -> Fetch | None:
    """What a step reads anew: the event's object."""
    if "digest" in found.told:
        message = "the messages of this step are gathered to a digest, which is of many events: none is read anew"
        return found.error("fetch", node, message, "leave it out")
    if isinstance(node, Sequence):
        hint = "write it under 'when', or as a step of its own: {stripe: charges.retrieve, ..}"
        return found.error("fetch", node, "a step reads the event's object anew, and no others", hint)
    types = tuple(dict.fromkeys(pattern for when in whens for pattern in when.types))
    return read_fetch(found, node, types, known)


def _columns(found: Findings, target: Node, known: Known) -> dict[str, Column]:
    """The targets that stand in a table; what is wrong with one is said already."""
    places = target.items if isinstance(target, Sequence) else (target,)
    named = [place for place in places if isinstance(place, Scalar) and place.text.startswith("$")]
    columns = {place.text: channel_column(found, place, known) for place in named}
    return {text: column for text, column in columns.items() if column is not None}


def _verb(found: Findings, node: Mapping, known: Known) -> Verb | None:
    verbs = [entry for entry in node.entries if entry.name in set(VERBS)]
    if len(verbs) == 1:
        return Verb(verbs[0].name)
    if verbs:
        message = f"a step does one thing, and this has '{verbs[0].name}' and '{verbs[1].name}'"
        return found.error("unknown-verb", verbs[1].key, message, "write two steps: a list under then")
    options = {*COMMON, *(name for rules in VERBS.values() for name in rules.options)}
    for entry in node.entries:
        if entry.name not in options:
            near = nearest(entry.name, VERBS)
            instead = step_hint(entry, known.channels, known.callbacks)
            hint = instead or (f"did you mean '{near}'?" if near else "there are notify, callback and stripe")
            return found.error("unknown-verb", entry.key, f"unknown verb '{entry.name}' in a step", hint)
    return found.error("unknown-verb", node, "this step does nothing", "a step has notify, callback or stripe")


def _check_step_keys(found: Findings, node: Mapping, verb: Verb) -> None:
    known, others = _keys_of(verb)
    for entry in node.entries:
        if entry.name in known or entry.name not in others:
            continue
        owner = others[entry.name]
        near = did_you_mean(entry.name, known)
        found.error("unknown-key", entry.key, f"'{entry.name}' is an option of {owner}, not of {verb}{near}")
    bound = next((entry for entry in node.entries if entry.name == "timeout" and verb is Verb.NOTIFY), None)
    if bound is not None:
        hint = "set channels.<name>.timeout in the configuration"
        found.error("unknown-key", bound.key, "a notify step has its channel's timeout, and none of its own", hint)
    check_keys(found, node, f"a {verb} step", (*known, *others))


@cache
def _keys_of(verb: Verb) -> tuple[tuple[str, ...], dict[str, Verb]]:
    """The keys of a step with that verb, and those of steps with other verbs."""
    known = (verb, *COMMON, *VERBS[verb].options)
    others = {name: other for other, rules in VERBS.items() if other is not verb for name in rules.options}
    return known, others


def _check_disconnected(found: Findings, place: Node, options: dict[str, Json], whens: tuple[When, ...]) -> None:
    gone = any(name in _DEAUTHORIZED for when in whens for name in when.types)
    if gone and options.get("as", As.ACCOUNT) is As.ACCOUNT:
        message = "the account of account.application.deauthorized has disconnected: nothing can be done as it"
        found.error("disconnected", place, message, "add as: platform")


def _check_ids(found: Findings, reads: list[_Read], main: tuple[Step, ...]) -> None:
    seen: dict[str, Mapping] = {}
    taken = {step.id: step for step in main}
    for step, node, _ in reads:
        other = taken.get(step.id)
        if other is not None and other.position is not None:
            place = node.get("id") or node
            found.error("duplicate-id", place, f"step id '{step.id}' is already used on line {other.position.line}")
        first = seen.setdefault(step.id, node)
        if first is not node:
            place = node.get("id") or node
            found.error("duplicate-id", place, f"step id '{step.id}' is already used on line {first.line}")


def _check_needs(found: Findings, reads: list[_Read], setting: Setting) -> None:
    main = setting.failed
    ids = [step.id for step, _, _ in reads] if main is None else [step.id for step in main]
    elsewhere = {step.id for step in setting.taken}
    for _, _, needs in reads:
        for need in needs:
            if need.step in elsewhere and need.step not in ids:
                message = f"what came of step '{need.step}' is not known here, where steps run at another time"
                found.error("unknown-step", need.place, message, "read it anew in a step beside this one")
            elif need.step not in ids:
                near = nearest(need.step, ids)
                hint = f"did you mean '{near}'?" if near else f"the steps of this rule are {', '.join(ids)}"
                found.error("unknown-step", need.place, f"there is no step '{need.step}' in this rule", hint)
    cycle = None if main is not None else _cycle({step.id: step.needs for step, _, _ in reads})
    if cycle:
        place = next(node for step, node, _ in reads if step.id == cycle[0])
        if len(cycle) == 1:
            found.error("step-cycle", place, f"step '{cycle[0]}' reads its own result")
        else:
            found.error("step-cycle", place, f"these steps wait for each other: {' -> '.join([*cycle, cycle[0]])}")


def _cycle(needs: dict[str, tuple[str, ...]]) -> list[str] | None:
    """The ids of steps that wait for each other in a circle, None where there are none."""
    done: set[str] = set()
    for start in needs:
        trail = [start]
        pending = [iter(needs[start])]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                done.add(trail.pop())
                pending.pop()
            elif following in trail:
                return trail[trail.index(following) :]
            elif following in needs and following not in done:
                trail.append(following)
                pending.append(iter(needs[following]))
    return None
