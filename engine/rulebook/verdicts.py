"""Why a rule did or did not hold for an event: its `when`, checked in a fixed order, with the first thing that failed.

The order is type, mode, scope, livemode, account, unmatched, where: the cheap and coarse before the particular.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.match import because, compile_pattern, compile_type_pattern, examine, held
from engine.model.condition import ALWAYS
from engine.model.event import Event, Json, ScopeSource
from engine.model.rule import Rule, RuleMode, When
from engine.model.verdict import Because, Branch, Verdict, VerdictKind

PLATFORM = "platform"
"""What stands for the account of an event that is about the platform itself."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """One `when` for one event: what held, in order, and what did not, None when all did."""

    held: tuple[str, ...]
    because: Because | None
    tree: Branch | None


def verdict_of(rule: Rule, event: Event, *, looks: bool, taken_by: str | None) -> Verdict:
    """The verdict on one rule. `looks`: whether one of its patterns takes the event's type; `taken_by`: a live rule
    that holds, so that the event is not `unmatched`."""
    if not looks:
        patterns = ", ".join(dict.fromkeys(pattern for when in rule.when for pattern in when.types))
        missed = Because(path="type", actual=event.type, needs=patterns, value=event.type)
        return Verdict(rule=rule.id, kind=VerdictKind.NO, because=missed)
    if rule.mode is RuleMode.OFF:
        off = Because(path="mode", actual="off", needs="live or shadow", value="off")
        return Verdict(rule=rule.id, kind=VerdictKind.NO, because=off, held=("type",))
    judged = [_judge(when, event, taken_by) for when in looking(rule, event.type)]
    best = next((each for each in judged if each.because is None), None) or max(judged, key=lambda j: len(j.held))
    kind = VerdictKind.WOULD if rule.mode is RuleMode.SHADOW else VerdictKind.FIRED
    if best.because is not None:
        kind = VerdictKind.NO
    return Verdict(rule=rule.id, kind=kind, because=best.because, held=best.held, tree=best.tree)


def looking(rule: Rule, event_type: str) -> tuple[When, ...]:
    """Those of the rule's `when` that take events of that type."""
    return tuple(when for when in rule.when if any(compile_type_pattern(pattern)(event_type) for pattern in when.types))


def _judge(when: When, event: Event, taken_by: str | None) -> _Judged:
    passed = ["type"]
    for name, failed in frame(when, event, taken_by):
        if failed is not None:
            return _Judged(tuple(passed), failed, None)
        passed.append(name)
    if when.where == ALWAYS:
        return _Judged(tuple(passed), None, None)
    tree = examine(when.where, event)
    return _Judged((*passed, *held(tree)), because(tree), tree)


def frame(when: When, event: Event, taken_by: str | None) -> Iterable[tuple[str, Because | None]]:
    """Scope, livemode, account and unmatched, each with why it failed; what the rule does not ask for is left out."""
    if when.scopes is not None:
        yield "scope", None if event.scope in when.scopes else _scope(when, event)
    if when.livemode is not None:
        yield "livemode", None if event.livemode is when.livemode else _livemode(when, event)
    if when.accounts is not None:
        about = event.account
        fits = about is not None and any(compile_pattern(pattern)(about) for pattern in when.accounts)
        needs = ", ".join(when.accounts)
        yield "account", None if fits else Because(path="account", actual=about or PLATFORM, needs=needs, value=about)
    if when.unmatched:
        missed = Because(
            path="unmatched", actual=f"{taken_by} holds", needs="no other live rule to hold", value=taken_by
        )
        yield "unmatched", None if taken_by is None else missed


def _scope(when: When, event: Event) -> Because:
    inferred = event.scope_source is ScopeSource.INFERRED
    source = "inferred from the event" if inferred else f"as configured for the endpoint {event.endpoint}"
    needs = " or ".join(sorted(when.scopes or ()))
    return Because(path="scope", actual=event.scope, needs=needs, value=event.scope, note=source)


def _livemode(when: When, event: Event) -> Because:
    word = str(when.livemode).lower()
    note = f"the rule does not say; default_livemode is {word}" if when.livemode_source == "default" else None
    return Because(
        path="livemode",
        actual=str(event.livemode).lower(),
        needs=word,
        value=event.livemode,
        note=note,
    )


def verdict_json(event: Event, verdicts: Iterable[Verdict]) -> dict[str, Json]:
    """What `explain --json` prints: the event in brief, and each rule's verdict with its reason (null: it held)."""
    return {
        "event": {
            "id": event.id,
            "type": event.type,
            "account": event.account,
            "livemode": event.livemode,
            "scope": str(event.scope),
            "scope_source": str(event.scope_source),
            "created": event.created.isoformat().replace("+00:00", "Z"),
            "object": event.object_type,
            "object_id": event.object_id,
        },
        "rules": [
            {
                "rule": verdict.rule,
                "verdict": str(verdict.kind),
                "because": _because_json(verdict.because) if verdict.because else None,
                "held": list(verdict.held),
            }
            for verdict in verdicts
        ],
    }


def _because_json(reason: Because) -> dict[str, Json]:
    found: dict[str, Json] = {"path": reason.path, "actual": reason.actual, "needs": reason.needs}
    if reason.note:
        found["note"] = reason.note
    return {**found, "value": reason.value}
