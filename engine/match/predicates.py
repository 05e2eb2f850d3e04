"""What an operator asks of one value, as a closure; the operators that need more than the value have none."""

from collections.abc import Callable
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any as Anything

from engine.match.networks import in_network, parse_network
from engine.match.patterns import compile_pattern
from engine.match.regex import compile_regex
from engine.match.values import MISSING, folded, identity, number
from engine.model.condition import Operation
from engine.model.event import Json

Predicate = Callable[[Json], bool]
"""Whether one value passes; False for MISSING, but for `exists: false`."""


def predicates_of(operations: tuple[Operation, ...]) -> tuple[Predicate, ...] | None:
    """A predicate for each, None where one has none and the operators themselves must decide."""
    found = [_predicate(operation) for operation in operations]
    good = tuple(predicate for predicate in found if predicate is not None)
    return good if len(good) == len(found) else None


def _predicate(operation: Operation) -> Predicate | None:
    operator, operand = operation.operator, operation.operand
    if operator == "in_table":
        keys = operand.folded if operation.fold else operand.keys
        seen = folded if operation.fold else _as_it_is
        return lambda value: identity(seen(value)) in keys
    if operation.fold:
        return _folded(operation)
    if operator == "eq":
        return _equals(operand)
    if operator == "exists":
        return (lambda value: value is not MISSING and value is not None) if operand else _absent
    if operator == "length":
        return _length(operand)
    if operator in ORDERS and type(operand) in (int, Decimal):
        return _ordered(ORDERS[operator], operand)
    if operator == "prefix" and isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.startswith(operand)
    if operator == "suffix" and isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.endswith(operand)
    if operator == "contains" and isinstance(operand, str):
        return _contains(operand)
    if operator == "glob" and isinstance(operand, str):
        return _of_text(compile_pattern(operand))
    if operator == "matches":
        return _of_text(compile_regex(operand))
    if operator == "cidr" and isinstance(operand, str):
        network = parse_network(operand)
        return None if network is None else _of_text(lambda text: in_network(text, network))
    return None


def _as_it_is(value: Json) -> Json:
    return value


def _folded(operation: Operation) -> Predicate | None:
    """With `ignore_case`, for the operators that look at one text."""
    operator, operand = operation.operator, operation.operand
    if not isinstance(operand, str):
        return None
    part = operand.casefold()
    if operator == "eq":
        return _of_text(lambda text: text.casefold() == part)
    if operator == "prefix":
        return _of_text(lambda text: text.casefold().startswith(part))
    if operator == "suffix":
        return _of_text(lambda text: text.casefold().endswith(part))
    if operator == "glob":
        fits = compile_pattern(part)
        return _of_text(lambda text: fits(text.casefold()))
    return _of_text(compile_regex(operand, fold=True)) if operator == "matches" else None


def _of_text(accepts: Callable[[str], bool]) -> Predicate:
    return lambda value: isinstance(value, str) and accepts(value)


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
    predicates = predicates_of(operations)
    if predicates is None:
        return None
    return lambda value: isinstance(value, (str, list)) and all(passes(len(value)) for passes in predicates)


ORDERS: dict[str, Callable[[Anything, Anything], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


def _ordered(compare: Callable[[Anything, Anything], bool], bound: int | Decimal) -> Predicate:
    def predicate(value: Json) -> bool:
        if type(value) is int:
            return compare(value, bound)
        exact = number(value)
        return exact is not None and compare(exact, bound)

    return predicate
