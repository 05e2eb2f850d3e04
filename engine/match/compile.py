"""Conditions as closures: what runs at every event. True exactly when `evaluate.holds` is; a property test holds it.

A test of one path falls into up to three parts that can be judged apart, because they are about one value: what is
asked of a list as a whole, of its elements, and of what changed. The shapes that nearly all conditions have get a
closure of their own; the rest, and any value of an unusual kind, falls back on the operators' own functions.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any as Anything

from engine.match.change import change_holds, speaks_of
from engine.match.evaluate import path_holds, split
from engine.match.lookup import currency_around, find, getter, values_getter
from engine.match.paths import Base, Path, path_of
from engine.match.predicates import ORDERS, Predicate, predicates_of
from engine.match.steps import Step
from engine.match.subjects import Element, Subject
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


def compile_condition(condition: Condition) -> Test:
    """The closure of a condition. Raises PathError where a path in it cannot be used."""
    if isinstance(condition, PathTest):
        return _path_test(condition)
    children = tuple(compile_condition(child) for child in condition.children)
    if isinstance(condition, All):
        return every(children)
    if isinstance(condition, Any):
        return _any(children)
    inner = _any(children)
    return lambda subject: not inner(subject)


def every(tests: tuple[Test, ...]) -> Test:
    """All of them as one; of none, what always passes."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda subject: first(subject) and second(subject)
    if len(tests) == 3:
        one, two, three = tests
        return lambda subject: one(subject) and two(subject) and three(subject)

    def all_of_them(subject: Anything) -> bool:
        for test in tests:  # noqa: SIM110  a loop is twice as fast as all() over a generator
            if not test(subject):
                return False
        return True

    return all_of_them


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
    path = path_of(test)
    if path.several:
        return _on_several(test, path)
    apart = [operation for operation in test.operations if operation.operator in _APART]
    whole, single = split(operation for operation in test.operations if operation.operator not in _APART)
    parts = [_on_whole(test, path, whole)] if whole else []
    parts += [_on_elements(test, path, single)] if single else []
    parts += [_APART[operation.operator](operation.operand, path) for operation in apart]
    return every(tuple(parts))


def _slow(path: Path, test: PathTest, operations: tuple[Operation, ...]) -> Test:
    part = replace(test, operations=operations)
    return lambda subject: path_holds(part, path, subject)


def _on_several(test: PathTest, path: Path) -> Test:
    """A path with `[*]`: one of its values must pass everything."""
    whole, single = split(test.operations)
    predicates = predicates_of(single)
    if whole or not single or predicates is None:
        return _slow(path, test, test.operations)
    values = values_getter(path)
    passes = _element_passes(predicates)
    return lambda subject: any(passes(value) for value in values(subject))


def _on_whole(test: PathTest, path: Path, operations: tuple[Operation, ...]) -> Test:
    predicates = predicates_of(operations)
    if predicates is None:
        return _slow(path, test, operations)
    get = getter(path)
    passes = every(predicates)
    return lambda subject: passes(get(subject))


def _on_elements(test: PathTest, path: Path, operations: tuple[Operation, ...]) -> Test:
    slow = _slow(path, test, operations)
    predicates = predicates_of(operations)
    if predicates is not None:
        return _value_passes(path, predicates)
    if len(operations) == 1:
        operation = operations[0]
        if operation.operator in ("eq", "same_as") and isinstance(operation.operand, Reference) and not operation.fold:
            return _same_text(path, operation.operand, slow)
        if operation.operator in ORDERS and isinstance(operation.operand, (Money, Bounds)):
            return _amount(path, operation, slow)
    return slow


def _value_passes(path: Path, predicates: tuple[Predicate, ...]) -> Test:
    get, passes = getter(path), every(predicates)

    def value_passes(subject: Anything) -> bool:
        value = get(subject)
        if isinstance(value, list):
            return any(passes(each) for each in value)
        return passes(value)

    return value_passes


def _element_passes(predicates: tuple[Predicate, ...]) -> Predicate:
    passes = every(predicates)

    def element(value: Json) -> bool:
        if isinstance(value, list):
            return any(passes(each) for each in value)
        return passes(value)

    return element


def _same_text(path: Path, reference: Reference, slow: Test) -> Test:
    """`id: $account.id`: two texts; anything else takes the slow way."""
    other_path = path_of(reference)
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
    operand, compare = operation.operand, ORDERS[operation.operator]
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
        if currency is None:
            return slow(subject)  # of an element of a list, the currency may be that of the object around it
        bound = bounds.get(currency)
        return others if bound is None else compare(value, bound)

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


def _on_items(name: str) -> Callable[[Condition, Path], Test]:
    def on_items(condition: Condition, path: Path) -> Test:
        inner = compile_condition(condition)
        get, around = getter(path), _currency_of_list(path)
        negative, every = name == "no_item", name == "all_items"

        def items(subject: Anything) -> bool:
            found = get(subject)
            if not isinstance(found, list) or not found:
                return negative
            currency = around(subject)
            for element in found:
                if inner(Element(subject, element, currency)) is not every:
                    return not every and not negative
            return every or negative

        return items

    return on_items


def _currency_of_list(path: Path) -> Callable[[Anything], str | None]:
    """The currency around the elements of the list at a path, as `find` gives it."""
    return lambda subject: next((currency for _, currency in find(path, subject)), None)


_APART: dict[str, Callable[[Anything, Path], Test]] = {
    "changed": _on_change,
    **{name: _on_items(name) for name in ("any_item", "all_items", "no_item")},
}
"""Operators that look at more than the one value, and are judged each by itself."""
