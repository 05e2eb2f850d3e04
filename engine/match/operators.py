"""The operators of `where`, in one table: name, operand, what they apply to, meaning, and the function that decides.

Adding one: write its function here, its row in OPERATORS, its operand in `engine.rulebook.operands`, and its tests.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.match.change import change_holds
from engine.match.comparison import bound_for, order, others_pass
from engine.match.paths import Path, Subject, find, parse_path
from engine.match.values import MISSING, equal, identity
from engine.model.condition import Bounds, Condition, Operation, Reference
from engine.model.event import Json


class Operand(StrEnum):
    """What may be written after an operator."""

    VALUE = "value"
    TEST = "test"
    BOUND = "bound"
    PAIR = "pair of bounds"
    FLAG = "true or false"
    TEXT = "text"
    SIZE = "number or number operators"
    CHANGE = "true, {from, to}, {added} or {removed}"


class Place:
    """Where a value stands: the subject it is of, the path that led to it, the currency around it."""

    __slots__ = ("currency", "judge", "path", "subject")

    def __init__(
        self,
        subject: Subject,
        path: Path,
        currency: str | None,
        judge: Callable[[Condition, Subject], bool],
    ) -> None:
        self.subject = subject
        self.path = path
        self.currency = currency
        self.judge = judge


Decides = Callable[[Json, Json, Place], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator. `decides` is a function of value, operand and place, None for `not`, which the loader turns into
    a `none` block. `whole`: a list is one value to it; else each of its elements is."""

    name: str
    operand: Operand
    on: str
    doc: str
    decides: Decides | None
    whole: bool = False


def _candidates(operand: Json, place: Place) -> Iterable[Json]:
    """What the operand stands for: itself, each of a list, or the values a `$name` finds."""
    if isinstance(operand, Reference):
        for value, _ in find(parse_path(operand.path), place.subject):
            if isinstance(value, list):
                yield from value
            elif value is not None:
                yield value
    elif isinstance(operand, tuple):
        for part in operand:
            yield from _candidates(part, place)
    else:
        yield operand


def _eq(value: Json, operand: Json, place: Place) -> bool:
    return value is not None and any(equal(value, other) for other in _candidates(operand, place))


def _ordered(accept: Callable[[int], bool]) -> Decides:
    def decides(value: Json, operand: Json, place: Place) -> bool:
        if isinstance(operand, Bounds):
            bound = bound_for(value, operand, place.currency)
            if bound is None:
                return others_pass(value, operand, place.currency)
            operand = bound
        signs = (order(value, other, place.currency) for other in _candidates(operand, place))
        return any(sign is not None and accept(sign) for sign in signs)

    return decides


_gt = _ordered(lambda sign: sign > 0)
_gte = _ordered(lambda sign: sign >= 0)
_lt = _ordered(lambda sign: sign < 0)
_lte = _ordered(lambda sign: sign <= 0)


def _between(value: Json, operand: Json, place: Place) -> bool:
    low, high = operand
    return _gte(value, low, place) and _lte(value, high, place)


def _exists(value: Json, operand: Json, place: Place) -> bool:
    return (value is not MISSING and value is not None) is operand


def _text(accept: Callable[[str, str], bool]) -> Decides:
    def decides(value: Json, operand: Json, place: Place) -> bool:
        return isinstance(value, str) and any(
            isinstance(other, str) and accept(value, other) for other in _candidates(operand, place)
        )

    return decides


_within = _text(lambda value, part: part in value)


def _contains(value: Json, operand: Json, place: Place) -> bool:
    if not isinstance(value, list):
        return _within(value, operand, place)
    inside = {identity(element) for element in value}
    return any(identity(other) in inside for other in _candidates(operand, place))


def _length(value: Json, operand: Json, place: Place) -> bool:
    return isinstance(value, (str, list)) and passes(len(value), operand, place)


def _changed(value: Json, operand: Json, place: Place) -> bool:
    return change_holds(operand, place.path, place.subject, place.judge)


def passes(value: Json, operations: Iterable[Operation], place: Place) -> bool:
    """Whether every operation holds of this one value."""
    for operation in operations:
        decides = OPERATORS[operation.operator].decides
        if decides is None or not decides(value, operation.operand, place):
            return False
    return True


_TABLE = (
    Operator(name="eq", operand=Operand.VALUE, on="any", doc="equal, by type and value", decides=_eq),
    Operator(
        name="not",
        operand=Operand.TEST,
        on="any",
        doc="true exactly when the test in it is false, a missing path included",
        decides=None,
    ),
    Operator(name="gt", operand=Operand.BOUND, on="number, money, time", doc="greater than", decides=_gt),
    Operator(name="gte", operand=Operand.BOUND, on="number, money, time", doc="at least", decides=_gte),
    Operator(name="lt", operand=Operand.BOUND, on="number, money, time", doc="less than", decides=_lt),
    Operator(name="lte", operand=Operand.BOUND, on="number, money, time", doc="at most", decides=_lte),
    Operator(
        name="between",
        operand=Operand.PAIR,
        on="number, money, time",
        doc="from the first to the second, both included",
        decides=_between,
    ),
    Operator(
        name="exists",
        operand=Operand.FLAG,
        on="any",
        doc="true: present and not null; false: absent or null",
        decides=_exists,
        whole=True,
    ),
    Operator(
        name="prefix",
        operand=Operand.TEXT,
        on="string",
        doc="starts with",
        decides=_text(lambda value, part: value.startswith(part)),
    ),
    Operator(
        name="suffix",
        operand=Operand.TEXT,
        on="string",
        doc="ends with",
        decides=_text(lambda value, part: value.endswith(part)),
    ),
    Operator(
        name="contains",
        operand=Operand.VALUE,
        on="string, list",
        doc="has in it: a part of a text, an element of a list",
        decides=_contains,
        whole=True,
    ),
    Operator(
        name="changed",
        operand=Operand.CHANGE,
        on="any",
        doc="previous_attributes speaks of it, and its old and new values pass",
        decides=_changed,
        whole=True,
    ),
    Operator(
        name="length",
        operand=Operand.SIZE,
        on="string, list",
        doc="how many characters or elements",
        decides=_length,
        whole=True,
    ),
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _TABLE}
"""Every operator there is, by name."""

LATER = frozenset(
    {"glob", "matches", "ignore_case", "cidr", "older_than", "newer_than"}
    | {"same_as", "in_table", "any_item", "all_items", "no_item"}
)
"""Operators of the language that are not there yet."""
