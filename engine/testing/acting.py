"""What people do in the course of a timeline, as its author writes it: they mute, take up incidents, and end them."""

from datetime import timedelta

from engine.model.mute import LONGEST
from engine.model.rule import Rule, Severity
from engine.rulebook.fields import check_keys, duration, expected, mapping, read, text, word
from engine.rulebook.findings import Findings
from engine.source import Mapping, Node, Scalar, Sequence
from engine.testing.expecting import KnownRule
from engine.testing.trial import Muting, Taking

ACTS = ("mute", "acknowledge", "resolve")
MUTE_KEYS = ("for", "rule", "account", "severity", "tag")
TAKE_KEYS = ("by", "comment", "about")
SOMEBODY = "somebody"

_MUTE_HINT = "write mute: 2h, or a map like {account: acct_1, for: 2h}"
_TAKE_HINT = "write who does it, or a map like {by: ada, about: acct_1}"


def read_mutes(found: Findings, node: Node, rule_id: str | None, known_rule: KnownRule) -> tuple[Muting, ...] | None:
    """What is muted from the moment of a step on, and for how long; a list of several."""
    items = node.items if isinstance(node, Sequence) else (node,)
    mutes = [_read_mute(found, item, rule_id, known_rule) for item in items]
    good = tuple(mute for mute in mutes if mute is not None)
    return good if len(good) == len(mutes) else None


def _read_mute(found: Findings, node: Node, rule_id: str | None, known_rule: KnownRule) -> Muting | None:
    errors = found.errors
    if isinstance(node, Scalar):
        lasting = _lasting(found, node)
        if lasting is not None and rule_id is None:
            return found.error("expect", node, "this test names no rule, so say what is muted", _MUTE_HINT)
        return None if lasting is None else Muting(lasting=lasting, rule=rule_id)
    given = mapping(found, node, "what is muted, and for how long")
    if given is None:
        return None
    check_keys(found, given, "mute", MUTE_KEYS)
    if given.get("for") is None:
        found.error("missing-key", given, "this mute has no 'for'", _MUTE_HINT)
    rule = read(given, "rule", lambda value: _muted_rule(found, value, known_rule))
    account = read(given, "account", lambda value: text(found, value, "the id of an account"))
    severity = read(given, "severity", lambda value: word(found, value, Severity, "a severity"))
    tag = read(given, "tag", lambda value: text(found, value, "a tag of rules"))
    lasting = read(given, "for", lambda value: _lasting(found, value))
    said = any(given.get(key) is not None for key in MUTE_KEYS[1:])
    if not said and rule_id is None:
        found.error("expect", given, "this test names no rule, so say what is muted", _MUTE_HINT)
    if found.errors > errors or lasting is None:
        return None
    return Muting(lasting=lasting, rule=rule if said else rule_id, account=account, severity=severity, tag=tag)


def _lasting(found: Findings, node: Node) -> timedelta | None:
    return duration(found, node, longest=LONGEST)


def _muted_rule(found: Findings, node: Node, known_rule: KnownRule) -> str | None:
    """The id of a rule; with `*` it is a pattern."""
    name = text(found, node, "the id of a rule, with * for anything")
    if name is not None and "*" not in name:
        known_rule(found, node, name)
    return name


def read_taking(found: Findings, node: Node) -> Taking | None:
    """Who takes up the open incidents, or ends them: of all, or of those about that."""
    errors = found.errors
    if isinstance(node, Scalar):
        by = text(found, node, "the name of who does it")
        return None if by is None else Taking(by=by)
    if not isinstance(node, Mapping):
        return expected(found, node, "who does it", _TAKE_HINT)
    check_keys(found, node, "a step that acts on incidents", TAKE_KEYS)
    taking = Taking(
        by=read(node, "by", lambda value: text(found, value, "the name of who does it")) or SOMEBODY,
        comment=read(node, "comment", lambda value: text(found, value, "why")),
        about=read(node, "about", lambda value: text(found, value, "what the incident is about, as acct_1")),
    )
    return taking if found.errors == errors else None


def check_acts(found: Findings, step: Mapping, rule: Rule | None) -> None:
    """Note what is done to incidents of a rule that has none, and what is written in another way."""
    for entry in step.entries:
        if entry.name == "ack":
            found.error("unknown-key", entry.key, "unknown key 'ack' in a step of a timeline", "write acknowledge")
        elif entry.name in ACTS[1:] and rule is not None and rule.timing.incident is None:
            message = f"there is nothing to {entry.name}: this rule has no 'incident'"
            found.error("expect", entry.key, message, f"leave out '{entry.name}'")
