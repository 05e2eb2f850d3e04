"""Conditions as closures: what runs at every event. True exactly when `evaluate.holds` is; a property test holds it.

The shapes that nearly all conditions have (one value, compared with text, numbers or a set of them) get a closure of
their own; the rest falls back on the operators' own functions.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any as Anything

from engine.match.change import speaks_of
from engine.match.evaluate import path_holds
from engine.match.operators import OPERATORS
from engine.match.paths import Path, getter, parse_path
from engine.match.values import MISSING, number
from engine.model.condition import All, Any, Changed, Condition, Operation, PathTest
from engine.model.event import Json

Test = Callable[[Anything], bool]
"""Whether a subject (an Event) passes."""
Predicate = Callable[[Json], bool]
"""Whether one value passes; False for MISSING."""


def compile_condition(condition: Condition) -> Test:
    """The closure of a condition. Raises PathError where a path in it cannot be used."""
    if isinstance(condition, PathTest):
        return _path_test(condition)
    children = tuple(compile_condition(child) for child in condition.children)
    if isinstance(condition, All):
        return _all(children)
    if isinstance(condition, Any):
        return _any(children)
    inner = _any(children)
    return lambda subject: not inner(subject)


def _all(children: tuple[Test, ...]) -> Test:
    if len(children) == 1:
        return children[0]
    if len(children) == 2:
        first, second = children
        return lambda subject: first(subject) and second(subject)

    def every(subject: Anything) -> bool:
        for child in children:  # noqa: SIM110  a loop is twice as fast as all() over a generator
            if not child(subject):
                return False
        return True

    return every


def _any(children: tuple[Test, ...]) -> Test:
    if len(children) == 1:
        return children[0]

    def one(subject: Anything) -> bool:
        for child in children:  # noqa: SIM110
            if child(subject):
                return True
        return False

    return one


def _path_test(test: PathTest) -> Test:
    path = parse_path(test.path)
    return _quick(test, path) or (lambda subject: path_holds(test, path, subject))


def _quick(test: PathTest, path: Path) -> Test | None:
    """The closure for a test of a single value by quick operators, None where there is none."""
    if path.several or not test.operations:
        return None
    if len(test.operations) == 1 and test.operations[0].operator == "changed":
        return _quick_change(test.operations[0].operand, path)
    predicates = [_predicate(operation) for operation in test.operations]
    quick = tuple(predicate for predicate in predicates if predicate is not None)
    if len(quick) < len(predicates):
        return None
    whole = {OPERATORS[operation.operator].whole for operation in test.operations}
    if len(whole) > 1:
        return None
    get = getter(path)
    passes = _all(quick)
    if whole.pop():
        return lambda subject: passes(get(subject))

    def on_elements(subject: Anything) -> bool:
        value = get(subject)
        if isinstance(value, list):
            return any(passes(element) for element in value)
        return passes(value)

    return on_elements


def _quick_change(change: Changed, path: Path) -> Test | None:
    steps = path.of_object
    if change != Changed() or steps is None:
        return None
    return lambda subject: speaks_of(subject.previous, steps)[0]


def _predicate(operation: Operation) -> Predicate | None:
    operator, operand = operation.operator, operation.operand
    if operator == "eq":
        return _equals(operand)
    if operator == "exists":
        return (lambda value: value is not MISSING and value is not None) if operand else _absent
    if operator in _ORDERS and type(operand) in (int, Decimal):
        return _ordered(_ORDERS[operator], operand)
    if operator == "prefix" and isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.startswith(operand)
    if operator == "suffix" and isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.endswith(operand)
    return None


def _absent(value: Json) -> bool:
    return value is MISSING or value is None


def _equals(operand: Json) -> Predicate | None:
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and value == operand
    if isinstance(operand, bool):
        return lambda value: value is operand
    if isinstance(operand, (int, Decimal)):
        return lambda value: (exact := number(value)) is not None and exact == operand
    if isinstance(operand, tuple) and all(isinstance(part, str) for part in operand):
        words = frozenset(operand)
        return lambda value: isinstance(value, str) and value in words
    return None


_ORDERS: dict[str, Callable[[Anything, Anything], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def _ordered(compare: Callable[[Anything, Anything], bool], bound: int | Decimal) -> Predicate:
    def predicate(value: Json) -> bool:
        if type(value) is int:
            return compare(value, bound)
        exact = number(value)
        return exact is not None and compare(exact, bound)

    return predicate
