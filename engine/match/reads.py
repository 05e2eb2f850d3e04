"""What a condition looks at."""

from collections.abc import Iterator

from engine.match.paths import TOLD, Base, Path, path_of
from engine.model.condition import All, Any, Changed, Condition, Nothing, Operation, PathTest, Reference
from engine.model.event import Json


def reads_object(condition: Condition) -> bool:
    """Whether the condition asks for the event's object, which a thin event does not carry, or for that of others that
    it is told of."""
    return any(path.of_object is not None or _of_others(path) for path in _paths(condition, item=False))


def reads_account(condition: Condition) -> bool:
    """Whether the condition asks for more of the account than its id, which is all that every event says of it."""
    return any(path.base is Base.ACCOUNT and path.steps != ("id",) for path in _paths(condition, item=False))


def reads_digest(condition: Condition) -> bool:
    """Whether the condition asks what a digest has gathered."""
    return any(path.base is Base.DIGEST for path in _paths(condition, item=False))


def told_of(condition: Condition) -> set[str]:
    """Which of `window`, `incident` and `digest` the condition asks about."""
    return {path.base.value for path in _paths(condition, item=False) if path.base in TOLD}


def beside_digest(condition: Condition) -> str | None:
    """A path of the condition that is of one event, or one firing, as text; None where there is none."""
    return next((path.text for path in _paths(condition, item=False) if path.base is not Base.DIGEST), None)


def _of_others(path: Path) -> bool:
    """Of the first event of an incident, or of those that a digest has gathered: `$digest.total` adds them up."""
    if path.base is Base.DIGEST and path.steps[0] in ("total", "totals", "groups"):
        return True
    return path.base in (Base.DIGEST, Base.INCIDENT) and "object" in path.steps


def _paths(condition: Condition, *, item: bool) -> Iterator[Path]:
    """Every path in a condition whose value it asks for. Those within an element (`item`) that begin at it are not
    among them, nor is the one of a test that asks only how things changed: that stands beside the object."""
    if not isinstance(condition, PathTest):
        for child in condition.children:
            yield from _paths(child, item=item)
        return
    path = path_of(condition)
    if not (item and path.base is Base.OBJECT) and not all(map(_by_change_alone, condition.operations)):
        yield path
    for operation in condition.operations:
        yield from _operand_paths(operation.operand, item=item)


def _operand_paths(operand: Json, *, item: bool) -> Iterator[Path]:
    if isinstance(operand, Reference):
        path = path_of(operand)
        if not (item and path.base is Base.OBJECT):
            yield path
    elif isinstance(operand, tuple):
        for part in operand:
            yield from _operand_paths(part.operand if isinstance(part, Operation) else part, item=item)
    elif isinstance(operand, Changed):
        for each in (operand.old, operand.new, operand.added, operand.removed):
            if each is not None:
                yield from _paths(each, item=item)
    elif isinstance(operand, PathTest | All | Any | Nothing):
        yield from _paths(operand, item=True)


def _by_change_alone(operation: Operation) -> bool:
    return isinstance(operation.operand, Changed) and operation.operand.new is None
