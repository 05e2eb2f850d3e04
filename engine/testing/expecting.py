"""`expect` of a test: what a rule is to say of the event, and what it would send."""

from collections.abc import Callable, Iterator

from engine.match import PathError, parse_path
from engine.model.condition import Condition, PathTest
from engine.model.rule import Rule, When
from engine.rulebook.conditions import read_where
from engine.rulebook.fields import check_keys, did_you_mean, flag, kind_of, mapping, read, text
from engine.rulebook.findings import Findings
from engine.rulebook.whens import KEYS as WHEN_KEYS
from engine.source import Entry, Mapping, Node, Scalar, Sequence
from engine.testing.trial import Answer, Fired

FIRES = "fires"
NO = "no"
KEYS = ("fires", "because", "title", "text", "steps")
MESSAGE_KEYS = ("title", "text")
_ALWAYS = frozenset({"type", "livemode", "fetch"})
_ACCOUNT = "$account.id"
STEP_WORDS = ("sent", "skipped")
REMEMBERED = ("max_age", "preceded_by", "threshold", "not_followed_by")
"""Keys of a rule that may keep it from firing although its `when` holds."""

_HINT = "write fires, no, or a map like {fires: false, because: amount}"

KnownRule = Callable[[Findings, Node, str], None]


def read_answer(found: Findings, node: Node, rule: Rule | None) -> Answer | None:
    """What one rule is to say; None with a mistake where it cannot be. `rule` None: it did not load, so what it has
    in it is not known."""
    if isinstance(node, Scalar):
        if node.value in (FIRES, NO):
            return Answer(fires=node.value == FIRES)
        return found.error("expect", node, f"expected what the rule does, got {kind_of(node)}", _HINT)
    given = mapping(found, node, "what the rule does")
    if given is None:
        return None
    if given.get("fired") is not None:
        hint = "write fires; a test without 'rule', in a file of tests, can name all rules that fire"
        return found.error("expect", given, "'fired' is about all rules, and this test is about one", hint)
    errors = found.errors
    check_keys(found, given, "expect", KEYS)
    fires = read(given, "fires", lambda value: flag(found, value))
    if given.get("fires") is None:
        fires = given.get("because") is None  # who asks for a reason or a text has said which
    because = read(given, "because", lambda value: read_because(found, value, rule))
    _check_sense(found, given, bool(fires))
    message = read_message(found, given)
    steps = read(given, "steps", lambda value: read_steps(found, value, rule))
    if found.errors > errors:
        return None
    return Answer(fires=bool(fires), because=because, message=message, steps=steps or {})


def read_fired(found: Findings, node: Node, known_rule: KnownRule) -> Fired | None:
    """The rules that are to fire, of all of them; None with a mistake where that cannot be meant."""
    fired = node.get("fired") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or fired is None:
        hint = "add rule: and the id of one, or expect {fired: [..]} with all that fire"
        return found.error("missing-key", node, "this test names no rule", hint)
    check_keys(found, node, "expect without a rule", ("fired",))
    items = fired.items if isinstance(fired, Sequence) else (fired,)
    ids = [text(found, item, "the id of a rule") for item in items]
    for item, rule_id in zip(items, ids, strict=True):
        if rule_id is not None:
            known_rule(found, item, rule_id)
    good = tuple(rule_id for rule_id in ids if rule_id is not None)
    return Fired(rules=good) if len(good) == len(ids) else None


def _check_sense(found: Findings, given: Mapping, fires: bool) -> None:
    """A rule that fires has no reason not to, and one that does not sends nothing."""
    wrong = ("because",) if fires else (*MESSAGE_KEYS, "steps")
    for entry in given.entries:
        if entry.name in wrong:
            said = "fires, so there is no reason why not" if fires else "does not fire, so it sends nothing"
            found.error("expect", entry.key, f"this rule {said}", f"leave out '{entry.name}' or 'fires'")


def read_because(found: Findings, node: Node, rule: Rule | None) -> str | None:
    """The path or key of a rule that keeps it from firing."""
    path = text(found, node, "the path that is to fail")
    if path is None or path in _ALWAYS:
        return path
    if path not in WHEN_KEYS and path not in REMEMBERED:
        try:
            parse_path(path)
        except PathError as error:
            return found.error("path", node, error.message, error.hint)
    if rule is None:
        return path
    reasons = list(dict.fromkeys(reason for when in rule.when for reason in _reasons(when)))
    reasons += [key for key in REMEMBERED if getattr(rule.timing, key)]
    if path == "account" and path not in reasons and _ACCOUNT in reasons:
        return _ACCOUNT  # `account: {in_table: vip}` is this condition
    if path in reasons:
        return path
    near = did_you_mean(path, reasons)
    known = ", ".join(["type", *reasons])
    return found.error("expect", node, f"this rule has no test of '{path}'{near}", f"it can fail at {known}")


def _reasons(when: When) -> Iterator[str]:
    """What may keep a `when` from holding, but for what always may."""
    if when.scopes is not None:
        yield "scope"
    if when.accounts is not None:
        yield "account"
    if when.unmatched:
        yield "unmatched"
    yield from paths_of(when.where)


def paths_of(condition: Condition) -> Iterator[str]:
    """The paths that a condition tests, in the order of the rule."""
    if isinstance(condition, PathTest):
        yield condition.path
    else:
        for child in condition.children:
            yield from paths_of(child)


def read_message(found: Findings, given: Mapping) -> Condition | None:
    """Title and text are tested as fields of an event are."""
    entries = tuple(_trimmed(entry) for entry in given.entries if entry.name in MESSAGE_KEYS)
    return read_where(found, _map(given, entries)) if entries else None


def _trimmed(entry: Entry) -> Entry:
    """A text is compared as it is sent: without the line end that a block of YAML has."""
    node = entry.value
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return entry
    value = node.value.strip()
    return Entry(entry.key, Scalar(value, value, node.quoted, node.file, node.line, node.column, node.length))


def read_steps(found: Findings, node: Node, rule: Rule | None) -> dict[str, Condition | bool] | None:
    """What steps send, by their ids."""
    given = mapping(found, node, "a map of steps, by their ids, and what they send")
    if given is None:
        return None
    read_: dict[str, Condition | bool] = {}
    for entry in given.entries:
        check_step_id(found, entry.key, rule)
        if isinstance(entry.value, Scalar):
            if entry.value.text not in STEP_WORDS:
                hint = "write sent, skipped, or a map of paths and tests of what it sends"
                found.error("expect", entry.value, f"expected what the step does, got {kind_of(entry.value)}", hint)
            read_[entry.name] = entry.value.text == "sent"
            continue
        condition = read_where(found, entry.value)
        if condition is not None:
            read_[entry.name] = condition
    return read_


def check_step_id(found: Findings, key: Scalar, rule: Rule | None) -> None:
    """Note that the rule has no such step, if it is known."""
    if rule is None or rule.step(key.text) is not None:
        return
    ids = [step.id for step in rule.every_step]
    near = did_you_mean(key.text, ids)
    hint = None if near else f"its steps are {', '.join(ids)}"
    found.error("unknown-step", key, f"this rule has no step '{key.text}'{near}", hint)


def _map(given: Mapping, entries: tuple[Entry, ...]) -> Mapping:
    return Mapping(entries, given.file, given.line, given.column, given.length)
