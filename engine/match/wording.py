"""Conditions and values in words: what `explain` prints. Bounded, on one line, and close to how rules are written."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.match.comparison import amount_of
from engine.match.values import MISSING, seconds
from engine.model.condition import (
    ALWAYS,
    All,
    Any,
    Bounds,
    Changed,
    Condition,
    Members,
    Money,
    Operation,
    PathTest,
    Reference,
    Time,
)
from engine.model.event import Json
from engine.model.money import format_money
from engine.source.durations import format_duration

WIDEST = 80
"""Characters of a value that are shown."""

_HUGE = 1_000
_LAST_SECOND = 253_402_300_800  # of the year 9999
_MISTAKABLE = re.compile(r"true|false|null|missing|-?[0-9][0-9.eE+-]*")
"""Text that would be taken for another value, and therefore has its quotes."""

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_ITEMS = {"any_item": "an item with", "all_items": "every item with", "no_item": "no item with"}
_WORDS = {
    **_ITEMS,
    "older_than": "older than",
    "newer_than": "newer than",
    "same_as": "same as",
    "cidr": "in network",
    "in_table": "in table",
}


def describe(condition: Condition) -> str:
    """A condition on one line, as a person would say it: `amount >= 500.00 USD and reason fraudulent`."""
    if isinstance(condition, PathTest):
        needs = describe_operations(condition.operations)
        return needs if condition.path == "." else f"{condition.path} {needs}"
    if not condition.children:
        return "nothing" if isinstance(condition, Any) else "anything"
    if isinstance(condition, All):
        return " and ".join(_inner(child) for child in condition.children)
    if isinstance(condition, Any):
        return " or ".join(_inner(child) for child in condition.children)
    if len(condition.children) == 1:
        return f"not {_inner(condition.children[0])}"
    return f"none of ({', '.join(describe(child) for child in condition.children)})"


def _inner(condition: Condition) -> str:
    text = describe(condition)
    return text if isinstance(condition, PathTest) or len(condition.children) < 2 else f"({text})"


def describe_operations(operations: tuple[Operation, ...]) -> str:
    """What a test needs: `>= 450.00 EUR`, `one of fraudulent, unrecognized`, `prefix po_`."""
    return " and ".join(describe_operation(operation) for operation in operations)


def describe_operation(operation: Operation) -> str:
    """What one operator needs."""
    return f"{_needs(operation)}, ignoring case" if operation.fold else _needs(operation)


def _needs(operation: Operation) -> str:
    name, operand = operation.operator, operation.operand
    if name == "eq":
        return f"one of {_operand(operand)}" if isinstance(operand, tuple) and len(operand) > 1 else _operand(operand)
    if name in _SIGNS:
        return f"{_SIGNS[name]} {_operand(operand)}"
    if name == "between":
        return f"between {_operand(operand[0])} and {_operand(operand[1])}"
    if name == "exists":
        return "present" if operand else "absent"
    if name == "length":
        return f"length {describe_operations(operand)}"
    if name == "changed":
        return _change(operand)
    if name in _WORDS:
        return f"{_WORDS[name]} {describe(operand) if name in _ITEMS else _operand(operand)}"
    return f"{name} {_operand(operand)}"


def _change(change: Changed) -> str:
    """`changed from true to false`, `changed by gaining external_account`."""
    values = (("from", change.old), ("to", change.new))
    elements = (("gaining", change.added), ("losing", change.removed))
    said = [f"{word} {describe(test)}" for word, test in values if test is not None]
    moved = [
        f"{word} {'an element' if test == ALWAYS else describe(test)}" for word, test in elements if test is not None
    ]
    return " ".join(["changed", *said, *(["by", " and ".join(moved)] if moved else [])])


def _operand(operand: Json) -> str:
    if isinstance(operand, Money):
        return format_money(operand.minor, operand.currency)
    if isinstance(operand, Bounds):
        parts = [_operand(bound) for bound in operand.bounds]
        return ", ".join([*parts, "others"] if operand.others else parts)
    if isinstance(operand, Time):
        return operand.text
    if isinstance(operand, Reference):
        return operand.path
    if isinstance(operand, Members):
        return operand.name
    if isinstance(operand, timedelta):
        return format_duration(operand)
    if isinstance(operand, tuple):
        return ", ".join(_operand(part) for part in operand)
    return show(operand)


def show(value: Json) -> str:
    """A value of an event for people: text as it is, the rest as JSON, `missing` where there is none; at most WIDEST
    characters, and no control characters, whatever the event."""
    if value is MISSING:
        return "missing"
    if isinstance(value, str):
        text = value[: WIDEST + 1]
        text = text if text and text.isprintable() and not _MISTAKABLE.fullmatch(text) else _json(text)
    elif isinstance(value, (list, dict)) and not value:
        text = "[]" if isinstance(value, list) else "{}"
    elif isinstance(value, list):
        text = f"[{', '.join(show(element) for element in value[:5] if not isinstance(element, (list, dict)))}]"
        text = text if len(value) <= 5 and text != "[]" else f"a list of {len(value)}"
    elif isinstance(value, dict):
        text = f"a map of {', '.join(show(key) for key in list(value)[:5])}"
    else:
        text = format(value, "g") if isinstance(value, Decimal) and abs(value.adjusted()) > WIDEST else _json(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def show_amount(value: Json, currency: str | None) -> str:
    """An amount with its currency, `420.00 EUR`; like `show` where it is none."""
    amount, own = amount_of(value, currency)
    if amount is None or own is None or not (own.isascii() and own.isalpha() and len(own) <= 5):
        return show(value)
    if abs(Decimal(amount).adjusted()) > WIDEST:
        return show(value)
    text = format_money(amount, own)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def show_time(value: Json) -> str:
    """A time as people write it, `2026-12-02 22:49:19Z`; like `show` where it is none."""
    moment = seconds(value)
    if moment is None or isinstance(value, str) or not 0 <= moment < _LAST_SECOND:
        return show(value)
    return f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%d %H:%M:%S}Z"


def _json(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value)  # all but ASCII escaped: a text that turns the line around would lie about the rest
    if isinstance(value, int) and value.bit_length() > _HUGE:
        return "a number of very many digits"  # Python refuses to print those over 4,300
    return str(value)
