"""What was not as expected, and how it is shown."""

from dataclasses import dataclass, replace
from difflib import unified_diff

from engine.match import because, examine
from engine.model.condition import Condition, PathTest
from engine.model.event import Event, Json

Request = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that was not as expected: in a line, and the lines that show it."""

    said: str
    shown: tuple[str, ...] = ()


def not_sent(event: Event, step_id: str, request: Request, condition: Condition) -> Problem:
    """What a step sends, beside what it should."""
    reason = because(examine(condition, replace(event, object=request)))
    assert reason is not None
    said = f"{reason.path} of {step_id} is not as expected"
    whole, wanted = request.get(reason.path), _wanted(condition, reason.path)
    if isinstance(whole, str) and "\n" in whole + (wanted or ""):
        if wanted is not None:
            return Problem(said=said, shown=_diff(wanted, whole))
        return Problem(
            said=said, shown=(f"needs {reason.needs}", "it is:", *(f"  {line}" for line in whole.splitlines()))
        )
    actual = whole if isinstance(whole, str) else reason.actual
    note = f"   ({reason.note})" if reason.note else ""
    needs = wanted if wanted is not None else reason.needs
    return Problem(said=said, shown=(f"is     {actual}", f"needs  {needs}{note}"))


def _wanted(condition: Condition, path: str) -> str | None:
    """The one text that a path is to be equal to, None where it is tested otherwise."""
    if not isinstance(condition, PathTest):
        found = (_wanted(child, path) for child in condition.children)
        return next((text for text in found if text is not None), None)
    operation = condition.operations[0]
    if condition.path == path and operation.operator == "eq" and isinstance(operation.operand, str):
        return operation.operand
    return None


def _diff(wanted: str, whole: str) -> tuple[str, ...]:
    lines = unified_diff(wanted.splitlines(), whole.splitlines(), "expected", "sent", lineterm="", n=2)
    return tuple(lines)
