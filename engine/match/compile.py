"""Conditions as closures: what runs at every event. True exactly when `evaluate.holds` is; a property test holds it.

A test of one path falls into up to three parts that can be judged apart, because they are about one value: what is
asked of a list as a whole, of its elements, and of what changed. The shapes that nearly all conditions have get a
closure of their own; the rest, and any value of an unusual kind, falls back on the operators' own functions.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any as Anything

from engine.match.change import change_holds, speaks_of
from engine.match.evaluate import path_holds, split
from engine.match.paths import Base, Path, Step, Subject, currency_around, getter, parse_path, values_getter
from engine.match.values import MISSING, number
from engine.model.condition import (
    All,
    Any,
    Bounds,
    Changed,
    Condition,
    Money,
    Operation,
    PathTest,
    Reference,
)
from engine.model.event import Json

Test = Callable[[Anything], bool]
"""Whether a subject (an Event) passes."""
Predicate = Callable[[Json], bool]
"""Whether one value passes; False for MISSING, but for `exists: false`."""


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
    if path.several:
        return _on_several(test, path)
    changes = tuple(operation for operation in test.operations if operation.operator == "changed")
    whole, single = split(operation for operation in test.operations if operation.operator != "changed")
    parts = [_on_whole(test.path, path, whole)] if whole else []
    parts += [_on_elements(test.path, path, single)] if single else []
    parts += [_on_change(operation.operand, path) for operation in changes]
    return _all(tuple(parts))


def _slow(path: Path, text: str, operations: tuple[Operation, ...]) -> Test:
    test = PathTest(path=text, operations=operations)
    return lambda subject: path_holds(test, path, subject)


def _on_several(test: PathTest, path: Path) -> Test:
    """A path with `[*]`: one of its values must pass everything."""
    whole, single = split(test.operations)
    predicates = _predicates(single)
    if whole or not single or predicates is None:
        return _slow(path, test.path, test.operations)
    values = values_getter(path)
    passes = _element_passes(predicates)
    return lambda subject: any(passes(value) for value in values(subject))


def _on_whole(text: str, path: Path, operations: tuple[Operation, ...]) -> Test:
    predicates = _predicates(operations)
    if predicates is None:
        return _slow(path, text, operations)
    get = getter(path)
    passes = _all(predicates)
    return lambda subject: passes(get(subject))


def _on_elements(text: str, path: Path, operations: tuple[Operation, ...]) -> Test:
    slow = _slow(path, text, operations)
    predicates = _predicates(operations)
    if predicates is not None:
        get = getter(path)
        passes = _element_passes(predicates)
        return lambda subject: passes(get(subject))
    if len(operations) == 1:
        operation = operations[0]
        if operation.operator == "eq" and isinstance(operation.operand, Reference):
            return _same_text(path, operation.operand, slow)
        if operation.operator in _ORDERS and isinstance(operation.operand, (Money, Bounds)):
            return _amount(path, operation, slow)
    return slow


def _element_passes(predicates: tuple[Predicate, ...]) -> Predicate:
    passes = _all(predicates)

    def element(value: Json) -> bool:
        if isinstance(value, list):
            return any(passes(each) for each in value)
        return passes(value)

    return element


def _same_text(path: Path, reference: Reference, slow: Test) -> Test:
    """`id: $account.id`: two texts; anything else takes the slow way."""
    other_path = parse_path(reference.path)
    if other_path.several:
        return slow
    get, other = getter(path), getter(other_path)

    def same(subject: Anything) -> bool:
        one, two = get(subject), other(subject)
        if isinstance(one, str) and isinstance(two, str):
            return one == two
        return slow(subject)

    return same


def _amount(path: Path, operation: Operation, slow: Test) -> Test:
    """An integer amount with a currency around it; anything else takes the slow way."""
    operand, compare = operation.operand, _ORDERS[operation.operator]
    if path.base is not Base.OBJECT:
        return slow
    others = isinstance(operand, Bounds) and operand.others
    money = operand.bounds if isinstance(operand, Bounds) else (operand,)
    bounds = {bound.currency: bound.minor for bound in money}
    get, around = getter(path), _currency_getter(path.steps)

    def amount(subject: Anything) -> bool:
        value = get(subject)
        if type(value) is not int:
            return slow(subject)
        currency = around(subject)
        bound = bounds.get(currency) if currency is not None else None
        if bound is None:
            return others and currency is not None
        return compare(value, bound)

    return amount


def _currency_getter(steps: tuple[Step, ...]) -> Callable[[Anything], str | None]:
    if len(steps) > 1:
        return lambda subject: currency_around(subject.object, steps)

    def own(subject: Anything) -> str | None:
        currency = subject.object.get("currency")  # the amount was found in it, so there is an object
        return currency.lower() if isinstance(currency, str) else None

    return own


def _on_change(change: Changed, path: Path) -> Test:
    steps = path.of_object
    if steps is None:
        return lambda subject: False
    if change == Changed():
        return lambda subject: speaks_of(subject.previous, steps)[0]
    asked = (change.old, change.new, change.added, change.removed)
    tests = {id(condition): compile_condition(condition) for condition in asked if condition is not None}

    def judge(condition: Condition, item: Subject) -> bool:
        return tests[id(condition)](item)

    return lambda subject: subject.previous is not None and change_holds(change, path, subject, judge)


def _predicates(operations: tuple[Operation, ...]) -> tuple[Predicate, ...] | None:
    """A predicate for each, None where one has none and the operators themselves must decide."""
    found = [_predicate(operation) for operation in operations]
    good = tuple(predicate for predicate in found if predicate is not None)
    return good if len(good) == len(found) else None


def _predicate(operation: Operation) -> Predicate | None:
    operator, operand = operation.operator, operation.operand
    if operator == "eq":
        return _equals(operand)
    if operator == "exists":
        return (lambda value: value is not MISSING and value is not None) if operand else _absent
    if operator == "length":
        return _length(operand)
    if operator in _ORDERS and type(operand) in (int, Decimal):
        return _ordered(_ORDERS[operator], operand)
    if operator == "prefix" and isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.startswith(operand)
    if operator == "suffix" and isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.endswith(operand)
    if operator == "contains" and isinstance(operand, str):
        return _contains(operand)
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


def _contains(operand: str) -> Predicate:
    def contains(value: Json) -> bool:
        if isinstance(value, list):
            return any(isinstance(element, str) and element == operand for element in value)
        return isinstance(value, str) and operand in value

    return contains


def _length(operations: tuple[Operation, ...]) -> Predicate | None:
    predicates = _predicates(operations)
    if predicates is None:
        return None
    passes = _all(predicates)
    return lambda value: isinstance(value, (str, list)) and passes(len(value))


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
