"""What is expected of the messages that come of a match later, by the key of the rule that they come of."""

from collections.abc import Mapping

from engine.model.delivery import Firing, FiringStatus
from engine.model.incident import Stage
from engine.model.rule import Rule
from engine.rulebook.fields import check_keys, kind_of, mapping, read, whole_number
from engine.rulebook.findings import Findings
from engine.source import Mapping as Map
from engine.source import Node, Scalar
from engine.testing.expecting import MESSAGE_KEYS, NO, read_message
from engine.testing.trial import StageOutcome

STAGES = ("on_update", "escalate", "on_resolve", "remind")
STAGE_KEYS = ("sent", *MESSAGE_KEYS)
SENT = "sent"
MOST = 100_000

_NEEDS = {"on_resolve": "incident"}
"""The key of the rule that is needed for one of these, where it is another: the end of an incident is told without
`on_resolve`, too."""
_HINT = "write sent, no, or a map like {sent: 1, title: {contains: Resolved}}"


def read_stages(found: Findings, given: Map, rule: Rule | None) -> dict[str, StageOutcome]:
    """Those that `expect` names, by their key."""
    outcomes = {
        entry.name: _read_stage(found, entry.value, entry.name)
        for entry in given.entries
        if entry.name in STAGES and _check_has(found, entry.key, rule)
    }
    return {name: outcome for name, outcome in outcomes.items() if outcome is not None}


def _check_has(found: Findings, key: Scalar, rule: Rule | None) -> bool:
    """Whether the rule can come to that; noted where it cannot."""
    needed = _NEEDS.get(key.text, key.text)
    if rule is None or getattr(rule.timing, needed):
        return True
    has = [stage for stage in STAGES if getattr(rule.timing, _NEEDS.get(stage, stage))]
    hint = f"it has {', '.join(has)}" if has else f"leave out '{key.text}'"
    found.error("expect", key, f"this rule has no '{needed}', so nothing comes of it", hint)
    return False


def _read_stage(found: Findings, node: Node, name: str) -> StageOutcome | None:
    if isinstance(node, Scalar):
        if node.value in (SENT, NO):
            return StageOutcome(sent=node.value == SENT)
        return found.error("expect", node, f"expected what comes of {name}, got {kind_of(node)}", _HINT)
    given = mapping(found, node, f"what comes of {name}")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, f"'{name}' of expect", STAGE_KEYS)
    outcome = StageOutcome(
        sent=read(given, "sent", lambda value: whole_number(found, value, "a number of messages", 0, MOST)),
        message=read_message(found, given),
    )
    return outcome if found.errors == errors else None


def stage_of(rule: Rule, step: str, firing: Firing | None) -> str | None:
    """The key of the rule that a message of a firing came of; None: of `then`, or of no firing."""
    if firing is None:
        return None
    if any(each.id == step for each in rule.timing.on_update):
        return "on_update"
    if firing.status is not FiringStatus.FOLLOW_UP:
        return None
    context: Mapping[str, object] = firing.context or {}
    if context.get("reminder"):
        return "remind"
    incident = context.get("incident")
    stage = incident.get("stage") if isinstance(incident, dict) else None
    return {Stage.ESCALATED: "escalate", Stage.RESOLVED: "on_resolve"}.get(stage) if stage is not None else None
