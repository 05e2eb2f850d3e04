"""The operators of `where`, in one table: name, operand, what they apply to, meaning, and the function that decides.

Adding one: write its function here, its row in OPERATORS, its operand in `engine.rulebook.operands`, and its tests.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.match.change import change_holds
from engine.match.comparison import bound_for, order, order_in_time, others_pass
from engine.match.lookup import find
from engine.match.networks import in_network, parse_network
from engine.match.paths import Path, path_of
from engine.match.patterns import compile_pattern
from engine.match.regex import compile_regex
from engine.match.subjects import Element, Subject
from engine.match.values import MISSING, equal, folded, identity
from engine.model.condition import Bounds, Condition, Members, Operation, Reference
from engine.model.event import Json


class Operand(StrEnum):
    """What may be written after an operator."""

    VALUE = "value"
    TEST = "test"
    BOUND = "bound"
    PAIR = "pair of bounds"
    FLAG = "true or false"
    TEXT = "text"
    PATTERN = "pattern"
    REGEX = "regular expression"
    NETWORK = "network"
    AGE = "duration"
    PATH = "path"
    TABLE = "table"
    SIZE = "number or number operators"
    CHANGE = "true, {from, to}, {added} or {removed}"
    CONDITIONS = "map of paths and tests"


class Place:
    """Where a value stands: the subject it is of, the path that led to it, the currency around it.

    `fold` says for one operator at a time whether upper and lower case are the same to it.
    """

    __slots__ = ("currency", "fold", "judge", "path", "subject")

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
        self.fold = False


Decides = Callable[[Json, Json, Place], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator. `decides` is a function of value, operand and place, None for the two that the loader resolves:
    `not` becomes a `none` block, `ignore_case` a mark on the operators beside it.

    `whole`: a list is one value to it; else each of its elements is. `folds`: `ignore_case` can stand beside it.
    """

    name: str
    operand: Operand
    on: str
    doc: str
    decides: Decides | None
    whole: bool = False
    folds: bool = False


def _candidates(operand: Json, place: Place) -> Iterable[Json]:
    """What the operand stands for: itself, each of a list, or the values a `$name` finds."""
    if isinstance(operand, Reference):
        for value, _ in find(path_of(operand), place.subject):
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
    if value is None or value is MISSING:
        return False
    if place.fold:
        value = folded(value)
        return any(equal(value, folded(other)) for other in _candidates(operand, place))
    return any(equal(value, other) for other in _candidates(operand, place))


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
        if not isinstance(value, str):
            return False
        others = (other for other in _candidates(operand, place) if isinstance(other, str))
        if place.fold:
            text = value.casefold()
            return any(accept(text, other.casefold()) for other in others)
        return any(accept(value, other) for other in others)

    return decides


_within = _text(lambda value, part: part in value)


def _contains(value: Json, operand: Json, place: Place) -> bool:
    if not isinstance(value, list):
        return _within(value, operand, place)
    seen = folded if place.fold else _as_it_is
    inside = {identity(seen(element)) for element in value}
    return any(identity(seen(other)) in inside for other in _candidates(operand, place))


def _as_it_is(value: Json) -> Json:
    return value


def _matches(value: Json, operand: Json, place: Place) -> bool:
    return isinstance(value, str) and compile_regex(operand, place.fold)(value)


def _cidr(value: Json, operand: Json, place: Place) -> bool:
    if not isinstance(value, str):
        return False
    texts = (other for other in _candidates(operand, place) if isinstance(other, str))
    networks = (parse_network(text) for text in texts)
    return any(network is not None and in_network(value, network) for network in networks)


def _older_than(value: Json, operand: Json, place: Place) -> bool:
    return order_in_time(value, place.subject.created, operand) == -1


def _newer_than(value: Json, operand: Json, place: Place) -> bool:
    return order_in_time(value, place.subject.created, operand) == 1


def _in_table(value: Json, operand: Json, place: Place) -> bool:
    members: Members = operand
    return identity(folded(value)) in members.folded if place.fold else identity(value) in members.keys


def _elements(value: Json, operand: Condition, place: Place) -> Iterable[bool]:
    for element in value if isinstance(value, list) else ():
        yield place.judge(operand, Element(place.subject, element, place.currency))


def _any_item(value: Json, operand: Json, place: Place) -> bool:
    return any(_elements(value, operand, place))


def _all_items(value: Json, operand: Json, place: Place) -> bool:
    return bool(isinstance(value, list) and value) and all(_elements(value, operand, place))


def _no_item(value: Json, operand: Json, place: Place) -> bool:
    return not any(_elements(value, operand, place))


def _length(value: Json, operand: Json, place: Place) -> bool:
    return isinstance(value, (str, list)) and passes(len(value), operand, place)


def _changed(value: Json, operand: Json, place: Place) -> bool:
    return change_holds(operand, place.path, place.subject, place.judge)


def passes(value: Json, operations: Iterable[Operation], place: Place) -> bool:
    """Whether every operation holds of this one value."""
    for operation in operations:
        decides = OPERATORS[operation.operator].decides
        place.fold = operation.fold
        if decides is None or not decides(value, operation.operand, place):
            return False
    return True


_TABLE = (
    Operator(name="eq", operand=Operand.VALUE, on="any", doc="equal, by type and value", decides=_eq, folds=True),
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
        folds=True,
    ),
    Operator(
        name="suffix",
        operand=Operand.TEXT,
        on="string",
        doc="ends with",
        decides=_text(lambda value, part: value.endswith(part)),
        folds=True,
    ),
    Operator(
        name="contains",
        operand=Operand.VALUE,
        on="string, list",
        doc="has in it: a part of a text, an element of a list",
        decides=_contains,
        whole=True,
        folds=True,
    ),
    Operator(
        name="glob",
        operand=Operand.PATTERN,
        on="string",
        doc="the whole of it fits a pattern in which only * is special: any characters",
        decides=_text(lambda value, pattern: compile_pattern(pattern)(value)),
        folds=True,
    ),
    Operator(
        name="matches",
        operand=Operand.REGEX,
        on="string",
        doc="a regular expression (RE2, linear time) is found in it, anywhere unless anchored with ^ or $",
        decides=_matches,
        folds=True,
    ),
    Operator(
        name="ignore_case",
        operand=Operand.FLAG,
        on="string",
        doc="true: upper and lower case are the same to the operators beside it",
        decides=None,
    ),
    Operator(name="cidr", operand=Operand.NETWORK, on="string", doc="an IP address in that network", decides=_cidr),
    Operator(
        name="older_than",
        operand=Operand.AGE,
        on="time",
        doc="longer ago than that, at the time of the event",
        decides=_older_than,
    ),
    Operator(
        name="newer_than",
        operand=Operand.AGE,
        on="time",
        doc="less long ago than that, at the time of the event; what is still to come is newer than anything",
        decides=_newer_than,
    ),
    Operator(
        name="same_as",
        operand=Operand.PATH,
        on="any",
        doc="equal to the value at another path",
        decides=_eq,
        folds=True,
    ),
    Operator(
        name="in_table",
        operand=Operand.TABLE,
        on="any",
        doc="one of the values of a table: of its first column, or of the one named after a dot",
        decides=_in_table,
        folds=True,
    ),
    Operator(
        name="any_item",
        operand=Operand.CONDITIONS,
        on="list",
        doc="the conditions all hold on one and the same element",
        decides=_any_item,
        whole=True,
    ),
    Operator(
        name="all_items",
        operand=Operand.CONDITIONS,
        on="list",
        doc="the conditions hold on every element, and there is one",
        decides=_all_items,
        whole=True,
    ),
    Operator(
        name="no_item",
        operand=Operand.CONDITIONS,
        on="list",
        doc="the conditions hold on no element; true of an empty or missing list",
        decides=_no_item,
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
