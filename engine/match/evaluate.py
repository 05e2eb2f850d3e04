"""Conditions judged by the letter: the meaning that the compiled form must keep, and that `explain` reports."""

from collections.abc import Iterable

from engine.match.lookup import find
from engine.match.operators import OPERATORS, Place, passes
from engine.match.paths import Path, path_of
from engine.match.subjects import Subject
from engine.match.values import MISSING
from engine.model.condition import All, Any, Condition, Operation, PathTest
from engine.model.event import Json

ABSENT: list[tuple[Json, str | None]] = [(MISSING, None)]
"""What a path that finds nothing is tested on: only `exists: false` and `changed` hold of it."""


def holds(condition: Condition, subject: Subject) -> bool:
    """Whether a condition is true of a subject. Never raises, whatever the event."""
    if isinstance(condition, PathTest):
        return path_holds(condition, path_of(condition), subject)
    if isinstance(condition, All):
        return all(holds(child, subject) for child in condition.children)
    if isinstance(condition, Any):
        return any(holds(child, subject) for child in condition.children)
    return not any(holds(child, subject) for child in condition.children)


def path_holds(test: PathTest, path: Path, subject: Subject) -> bool:
    """Whether one of the path's values passes the whole test."""
    whole, single = split(test.operations)
    for value, currency in find(path, subject) or ABSENT:
        place = Place(subject, path, currency, holds)
        if passes(value, whole, place) and _element_passes(value, single, place):
            return True
    return False


def split(operations: Iterable[Operation]) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    """The operations to which a list is one value, and those to which its elements are."""
    whole: list[Operation] = []
    single: list[Operation] = []
    for operation in operations:
        (whole if OPERATORS[operation.operator].whole else single).append(operation)
    return tuple(whole), tuple(single)


def _element_passes(value: Json, operations: tuple[Operation, ...], place: Place) -> bool:
    if not operations:
        return True
    elements = value if isinstance(value, list) else (value,)
    return any(passes(element, operations, place) for element in elements)
