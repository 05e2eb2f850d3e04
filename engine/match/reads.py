"""What a condition looks at."""

from collections.abc import Iterator

from engine.match.paths import Base, path_of
from engine.model.condition import All, Any, Changed, Condition, Nothing, Operation, PathTest, Reference
from engine.model.event import Json


def reads_object(condition: Condition) -> bool:
    """Whether the condition asks for the event's object, which a thin event does not carry."""
    if not isinstance(condition, PathTest):
        return any(map(reads_object, condition.children))
    if path_of(condition).of_object is not None and not all(map(_by_change_alone, condition.operations)):
        return True
    references = (each for operation in condition.operations for each in _references(operation.operand))
    return any(path_of(each).of_object is not None for each in references)


def reads_account(condition: Condition) -> bool:
    """Whether the condition asks for more of the account than its id, which is all that every event says of it."""
    if not isinstance(condition, PathTest):
        return any(map(reads_account, condition.children))
    inner = (each.operand for each in condition.operations if isinstance(each.operand, PathTest | All | Any | Nothing))
    references = (each for operation in condition.operations for each in _references(operation.operand))
    paths = (path_of(condition), *map(path_of, references))
    return any(path.base is Base.ACCOUNT and path.steps != ("id",) for path in paths) or any(map(reads_account, inner))


def _by_change_alone(operation: Operation) -> bool:
    """What changed stands beside the object."""
    return isinstance(operation.operand, Changed) and operation.operand.new is None


def _references(operand: Json) -> Iterator[Reference]:
    if isinstance(operand, Reference):
        yield operand
    elif isinstance(operand, tuple):
        for part in operand:
            yield from _references(part.operand if isinstance(part, Operation) else part)
