"""What a reader of a reason might miss: a currency without a bound, text that looks like the number, a way that ends
before the path does."""

from datetime import timedelta
from decimal import Decimal

from engine.match.comparison import amount_of, bound_for
from engine.match.lookup import find
from engine.match.networks import parse_address
from engine.match.paths import Path, path_of
from engine.match.subjects import Subject
from engine.match.values import epoch_seconds, number, seconds
from engine.match.way import where_it_ends
from engine.match.wording import show
from engine.model.condition import Bounds, Column, Money, Operation, Reference, Time
from engine.model.event import Json
from engine.source.durations import format_duration

SHOWN = 3
"""Values of a path that are shown, where there are several."""

_MOST_SECONDS = 10**11
"""A moment further away than that, some 3,000 years, is no time that anybody meant."""

_ORDERED = frozenset({"gt", "gte", "lt", "lte", "between"})
_AGES = frozenset({"older_than", "newer_than"})

Found = list[tuple[Json, str | None]]
"""What a path leads to, each value with the currency around it."""


def is_money(operation: Operation) -> bool:
    """Whether an operation compares with an amount of money."""
    operands = operation.operand if isinstance(operation.operand, tuple) else (operation.operand,)
    return operation.operator in _ORDERED and any(isinstance(operand, (Money, Bounds)) for operand in operands)


def is_time(operation: Operation) -> bool:
    """Whether an operation compares with a time."""
    operands = operation.operand if isinstance(operation.operand, tuple) else (operation.operand,)
    return operation.operator in _AGES or any(isinstance(operand, Time) for operand in operands)


def note_on(path: Path, decisive: Operation, found: Found, subject: Subject) -> str | None:
    """What is worth saying of a test that failed at `decisive`, None where its value and need say it all."""
    if not found and path.column is not None:
        return _note_on_column(path.column, subject)
    if not found and decisive.operator != "changed":
        return _note_on_reference(decisive, subject) or where_it_ends(path, subject)
    return _note(decisive, found, subject) or _note_on_reference(decisive, subject)


def note_on_held(operations: tuple[Operation, ...], subject: Subject) -> str | None:
    """What the `$name` in a test that held stood for."""
    return next((note for each in operations if (note := _note_on_reference(each, subject)) is not None), None)


def _note_on_column(column: Column, subject: Subject) -> str:
    return f"{column.table} has no {column.name} for {subject.account or 'the platform'}"


def _note(operation: Operation, found: Found, subject: Subject) -> str | None:
    """What a reader might miss: a currency without a bound, a text that looks like the number."""
    if len(found) != 1:
        return None
    value, currency = found[0]
    if value is None:
        return "null counts as missing"
    if is_money(operation):
        return _note_on_money(operation.operand, value, currency)
    if operation.operator == "eq" or operation.operator in _ORDERED:
        return _note_on_type(operation.operand, value)
    if operation.operator == "cidr" and not isinstance(operation.operand, Reference):
        return None if isinstance(value, str) and parse_address(value) else "not an IP address"
    if operation.operator in _AGES:
        return _note_on_age(value, subject)
    return None


def _note_on_reference(operation: Operation, subject: Subject) -> str | None:
    """What the `$name` beside an operator stood for."""
    reference = operation.operand
    if not isinstance(reference, Reference):
        return None
    path = path_of(reference)
    found = find(path, subject)
    if not found:
        why = f": {_note_on_column(reference.column, subject)}" if reference.column is not None else ""
        return f"{reference.path} is missing{why}"
    said = ", ".join(show(value) for value, _ in found[:SHOWN])
    return f"{reference.path} is {said}{' and more' if len(found) > SHOWN else ''}"


def _note_on_money(operand: Json, value: Json, currency: str | None) -> str | None:
    amount, own = amount_of(value, currency)
    if amount is None:
        return "not an amount"
    if own is None:
        return "no currency beside it"
    if isinstance(operand, Bounds):
        return None if bound_for(value, operand, currency) else f"no bound for {own.upper()[:8]}"
    first = operand[0] if isinstance(operand, tuple) else operand
    return f"no bound for {own.upper()[:8]}" if isinstance(first, Money) and first.currency != own else None


def _note_on_age(value: Json, subject: Subject) -> str | None:
    moment = seconds(value)
    if moment is None:
        return "not a time"
    if abs(Decimal(moment)) > _MOST_SECONDS:
        return None
    ago = int(epoch_seconds(subject.created)) - int(moment)
    span = format_duration(timedelta(seconds=_rounded(abs(ago))))
    return f"{span} before the event" if ago >= 0 else f"{span} after the event"


def _rounded(span: int) -> int:
    """Seconds to the largest unit that leaves at least two of it: 5 days and an hour are 5 days."""
    unit = next((unit for unit in (86_400, 3_600, 60) if span >= 2 * unit), 1)
    return span // unit * unit


def _note_on_type(operand: Json, value: Json) -> str | None:
    operands = operand if isinstance(operand, tuple) else (operand,)
    if any(isinstance(each, Reference) for each in operands):
        return None
    numeric = any(number(each) is not None for each in operands)
    if isinstance(value, str) and numeric:
        return "the event has text, the rule a number"
    if isinstance(value, str) and all(isinstance(each, bool) for each in operands):
        return "the event has text, the rule true or false"
    if number(value) is not None and all(isinstance(each, str) for each in operands):
        return "the event has a number, the rule text"
    if isinstance(value, bool) and all(isinstance(each, str) for each in operands):
        return "the event has true or false, the rule text"
    return None
