"""Tests that cannot hold of a field of that type, and values that Stripe is not known to use there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from engine.match import OPERATORS
from engine.model.condition import Bounds, Money, Operation, Reference, Time
from engine.model.event import Json
from engine.model.schema import Field, Kind
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import UNKNOWN, Spot, elements
from engine.rulebook.lints.wording import kind_in_words
from engine.rulebook.money import looks_like_money
from engine.source import nearest

TEXTS = frozenset({Kind.TEXT, Kind.ID, Kind.TIMESTAMP})
NUMBERS = frozenset({Kind.INTEGER, Kind.AMOUNT, Kind.NUMBER, Kind.TIME})
MAPS = frozenset({Kind.OBJECT, Kind.MAP})
_ORDERED = frozenset({"gt", "gte", "lt", "lte", "between"})
_OF_TEXT = frozenset({"prefix", "suffix", "glob", "matches", "cidr"})
_AGES = frozenset({"older_than", "newer_than"})
_ITEMS = frozenset({"any_item", "all_items", "no_item"})
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an operation can hardly hold of a field: the mistake it will be."""

    code: str
    message: str
    hint: str | None = None


def check_values(found: Findings, name: str, operation: Operation, spots: tuple[Spot, ...]) -> None:
    """Warn of what cannot hold at any of the spots that a path leads to. `name` is the path as written."""
    if operation.position is None or not spots:
        return
    if not OPERATORS[operation.operator].whole:
        spots = tuple(inner for spot in spots for inner in _seen(spot))
    judge = _JUDGES.get(operation.operator)
    if judge is None:
        return
    for operand in _operands(operation):
        doubt = _doubt_of_all(judge, name, operation, operand, spots)
        if doubt is not None:
            found.warn(doubt.code, operation.position, doubt.message, doubt.hint)


def _doubt_of_all(
    judge: "_Judge", name: str, operation: Operation, operand: Json, spots: tuple[Spot, ...]
) -> Doubt | None:
    """The doubt about the first spot, if there is one about each: what may hold at one of them may hold."""
    first: Doubt | None = None
    for spot in spots:
        doubt = judge(name, operation, operand, spot)
        if doubt is None:
            return None
        first = first or doubt
    return first


def _seen(spot: Spot) -> tuple[Spot, ...]:
    """What an operator sees that looks at each element of a list."""
    return elements((spot,)) if spot.field.kind is Kind.LIST else (spot,)


def _operands(operation: Operation) -> tuple[Json, ...]:
    several = isinstance(operation.operand, tuple) and operation.operator in ("eq", "between")
    return operation.operand if several else (operation.operand,)


def _type(message: str, hint: str | None = None) -> Doubt:
    return Doubt("field-type", message, hint)


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"the text '{value}'" if isinstance(value, str) else f"the number {value}"


def _equal(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    kind = spot.field.kind
    if kind is Kind.ANY or not isinstance(operand, (bool, int, Decimal, str)):
        return None
    if kind in MAPS:
        return _type(f"{name} is a map, never {_shown(operand)}", _deeper(name, spot.field))
    if isinstance(operand, str) and kind in TEXTS:
        return _unknown_value(name, operation, operand, spot.field)
    if isinstance(operand, bool) is (kind is Kind.BOOLEAN) and not isinstance(operand, str) and kind not in TEXTS:
        return None
    message = f"{name} is {kind_in_words(spot.field)}, never {_shown(operand)}"
    if kind is Kind.BOOLEAN:
        word = operand.lower() if isinstance(operand, str) else ""
        return _type(message, f"write {word} without quotes" if word in ("true", "false") else "write true or false")
    if kind in TEXTS:
        return _type(message, f'write "{str(operand).lower()}"')
    if isinstance(operand, str) and looks_like_money(operand):
        return None  # said where it was read
    numeric = isinstance(operand, str) and re.fullmatch(r"-?\d+(\.\d+)?", operand)
    return _type(message, f"write {operand} without quotes" if numeric else None)


def _deeper(name: str, field: Field) -> str | None:
    inner = next((each for fields in field.within for each in fields), None)
    return f"name a field in it, like {name}.{inner}" if inner else f"name a key in it, like {name}.order"


def _unknown_value(name: str, operation: Operation, value: str, field: Field) -> Doubt | None:
    last = name.rpartition(".")[2]
    if last == "currency" and not operation.fold and value != value.lower():
        return Doubt("enum-value", f"Stripe writes currencies in lower case, never '{value}'", f"write {value.lower()}")
    if not field.values or value in field.values:
        return None
    if operation.fold and value.casefold() in map(str.casefold, field.values):
        return None
    message = f"{name} is not known to be '{value}'"
    near = nearest(value, field.values, 0.6 if field.listed else 0.8)
    if near is not None:
        return Doubt("enum-value", message, f"did you mean '{near}'?")
    if not field.listed:
        return None
    more = ", .." if len(field.values) > _SHOWN else ""
    return Doubt("enum-value", message, f"Stripe knows {', '.join(field.values[:_SHOWN])}{more}")


def _ordered(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    kind = spot.field.kind
    if kind is Kind.ANY or isinstance(operand, Reference):
        return None
    if isinstance(operand, (Money, Bounds)):
        return _money(name, spot)
    if kind in (Kind.TEXT, Kind.ID, Kind.BOOLEAN, *MAPS):
        if isinstance(operand, Time) and kind is Kind.TEXT and not spot.field.values:
            return None  # a date as text
        hint = _deeper(name, spot.field) if kind in MAPS else None
        what = kind_in_words(spot.field)
        return _type(f"'{operation.operator}' compares numbers, money and times, and {name} is {what}", hint)
    if kind is Kind.TIMESTAMP and not isinstance(operand, Time):
        hint = "write a time like 2026-01-31T09:00:00Z"
        return _type(f"{name} is a time written as text, never a number", hint)
    if kind is Kind.AMOUNT and isinstance(operand, Time):
        return _type(f"{name} is an amount, and this is a time", "write money, like 500 USD")
    return None


def _money(name: str, spot: Spot) -> Doubt | None:
    field = spot.field
    if field.kind is Kind.OBJECT and any({"value", "currency"} <= fields.keys() for fields in field.within):
        return None  # an amount of API v2
    if field.kind is Kind.AMOUNT and not spot.priced:
        message = f"nothing around {name} says its currency, so no money can be compared with it"
        return Doubt("money", message, "write a number of minor units")
    if field.kind in (Kind.AMOUNT, Kind.MAP):
        return None
    hint = "write a time like 2026-01-31T09:00:00Z" if field.kind in (Kind.TIME, Kind.TIMESTAMP) else None
    return Doubt("money", f"{name} is {kind_in_words(field)}, and no amount of money", hint)


def _of_text(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    if spot.field.kind in (Kind.ANY, *TEXTS):
        return None
    return _type(f"'{operation.operator}' looks at text, and {name} is {kind_in_words(spot.field)}")


def _contains(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    kind = spot.field.kind
    if kind is Kind.LIST:
        item = Spot(spot.field.item or UNKNOWN)
        return None if isinstance(operand, Reference) else _equal(f"an element of {name}", operation, operand, item)
    if kind in (Kind.ANY, *TEXTS):
        return None
    message = f"'contains' looks into texts and lists, and {name} is {kind_in_words(spot.field)}"
    return _type(message, _pages(name, spot))


def _length(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    if spot.field.kind in (Kind.ANY, Kind.LIST, *TEXTS):
        return None
    message = f"only texts and lists have a length, and {name} is {kind_in_words(spot.field)}"
    return _type(message, _pages(name, spot))


def _pages(name: str, spot: Spot) -> str | None:
    """What to write for the elements of one of Stripe's lists, which are maps with the elements under data."""
    return f"write {name}.data" if any("data" in fields for fields in spot.field.within) else None


def _age(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    field = spot.field
    may_be = field.kind is Kind.TEXT and not field.values
    if may_be or field.kind in (Kind.ANY, Kind.TIME, Kind.TIMESTAMP, Kind.INTEGER):
        return None
    return _type(f"'{operation.operator}' looks at times, and {name} is {kind_in_words(field)}")


def _items(name: str, operation: Operation, operand: Json, spot: Spot) -> Doubt | None:
    if spot.field.kind in (Kind.ANY, Kind.LIST):
        return None
    message = f"'{operation.operator}' looks at the elements of a list, and {name} is {kind_in_words(spot.field)}"
    return _type(message, _pages(name, spot))


_Judge = Callable[[str, Operation, Json, Spot], Doubt | None]
_JUDGES: dict[str, _Judge] = {
    "eq": _equal,
    "contains": _contains,
    "length": _length,
    **dict.fromkeys(_ORDERED, _ordered),
    **dict.fromkeys(_OF_TEXT, _of_text),
    **dict.fromkeys(_AGES, _age),
    **dict.fromkeys(_ITEMS, _items),
}
