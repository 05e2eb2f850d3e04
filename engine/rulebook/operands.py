"""What stands after an operator: numbers, money, times, texts and `$name`s, checked and converted."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from engine.match import PathError, parse_path
from engine.match.networks import better_network, parse_network
from engine.match.paths import TOLD, Base, Path, is_name
from engine.match.regex import RegexError, compile_regex
from engine.match.values import parse_time
from engine.model.condition import Bounds, Column, Members, Money, Operation, Reference, Time
from engine.model.event import Json
from engine.rulebook.fields import check_keys, duration, expected, flag, kind_of, path_mistake, text, whole_number
from engine.rulebook.findings import Findings
from engine.rulebook.foreign import in_length
from engine.rulebook.money import better_money, looks_like_money, read_money
from engine.rulebook.names import UnknownName
from engine.source import Mapping, Node, Scalar, Sequence

OTHERS = "others"
_LONGEST_TEXT = 2_000
SIZES = ("eq", "gt", "gte", "lt", "lte", "between")


def value(found: Findings, node: Node, operator: str) -> Json:
    """A value to be equal to: text, number, true, false or a `$name`; None with a mistake for anything else."""
    if isinstance(node, Sequence):
        hint = "write the list itself under the path" if operator == "eq" else "write a list of tests under the path"
        return found.error("operand", node, f"'{operator}' takes one value, got a list", hint)
    if isinstance(node, Mapping):
        return found.error("operand", node, f"'{operator}' takes one value, got a map")
    if node.value is None:
        return found.error("null", node, "nothing is equal to null", "write {exists: false}")
    if isinstance(node.value, str):
        if len(node.value) > _LONGEST_TEXT:
            return found.error("operand", node, f"a text to compare with has at most {_LONGEST_TEXT} characters")
        return reference(found, node) if is_name(node.value) else node.value
    return node.value


def reference(found: Findings, node: Scalar) -> Reference | None:
    """A `$name` or JSONPath as a value."""
    try:
        path = parse_path(node.text)
    except PathError as error:
        return path_mistake(found, node, error)
    if path.base is Base.STEPS and not found.reads_step(str(path.steps[0]), node):
        return None
    if path.base in TOLD and not found.knows(path.base, node):
        return None
    if path.base is not Base.TABLES:
        return Reference(path=node.text)
    column = table_column(found, node, path)
    return None if column is None else Reference(path=node.text, column=column)


def table_column(found: Findings, node: Node, path: Path) -> Column | None:
    """The column that a path like `$tables.accounts.limit` names."""
    try:
        return found.names.column(*map(str, path.steps))
    except UnknownName as error:
        return found.unknown(node, error)


def bound(found: Findings, node: Node, operator: str) -> Json:
    """A number, money, a time, a `$name`, or a list of money; None with a mistake for anything else."""
    if isinstance(node, Sequence):
        return _bounds(found, node, operator)
    return _single_bound(found, node, operator)


def _single_bound(found: Findings, node: Node, operator: str) -> Json:
    wanted = "a number, money like 500 USD, or a time like 2026-01-31T09:00:00Z"
    if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
        return found.error("operand", node, f"'{operator}' takes {wanted}; got {kind_of(node)}")
    if isinstance(node.value, (int, Decimal)):
        return node.value
    if is_name(node.value):
        return reference(found, node)
    if looks_like_money(node.value):
        return read_money(found, node)
    moment = parse_time(node.value)
    if moment is not None:
        return Time(at=moment, text=node.value)
    return found.error("operand", node, f"'{operator}' takes {wanted}; got {kind_of(node)}", _better_bound(node.value))


def _better_bound(given: str) -> str | None:
    try:
        Decimal(given)
    except ArithmeticError:
        better = better_money(given)
        return f"write '{better}'" if better else None
    return f"write {given} without quotes"


def _bounds(found: Findings, node: Sequence, operator: str) -> Bounds | None:
    if not node.items:
        return found.error("empty", node, f"'{operator}' has an empty list of bounds")
    money: dict[str, Money] = {}
    others = False
    errors = found.errors
    for item in node.items:
        if isinstance(item, Scalar) and item.text == OTHERS:
            others = True
            continue
        one = _single_bound(found, item, operator)
        if isinstance(one, Money):
            if one.currency in money:
                found.error("money", item, f"there is a bound for {one.currency.upper()} already")
            money.setdefault(one.currency, one)
        elif one is not None:
            message = f"a list of bounds has money, one a currency, and 'others'; got {kind_of(item)}"
            found.error("money", item, message)
    if found.errors == errors and not money:
        found.error("money", node, f"'{operator}' has no bound but 'others'")
    return Bounds(bounds=tuple(money.values()), others=others) if found.errors == errors else None


def pair(found: Findings, node: Node) -> tuple[Json, Json] | None:
    """The two ends of `between`."""
    if not isinstance(node, Sequence) or len(node.items) != 2:
        return found.error("operand", node, f"'between' takes a list of two, like [100, 500]; got {_counted(node)}")
    low, high = (_single_bound(found, item, "between") for item in node.items)
    if low is None or high is None:
        return None
    if not isinstance(low, Reference) and not isinstance(high, Reference):
        if _kind(low) != _kind(high):
            return found.error("operand", node, "both ends of 'between' are numbers, money in one currency, or times")
        if _rank(low) > _rank(high):
            first, last = (item.text for item in node.items if isinstance(item, Scalar))
            return found.error("operand", node, f"nothing is between {first} and {last}", f"write [{last}, {first}]")
    return low, high


def _counted(node: Node) -> str:
    return f"a list of {len(node.items)}" if isinstance(node, Sequence) else kind_of(node)


def _kind(end: Json) -> str:
    if isinstance(end, Money):
        return end.currency
    return "time" if isinstance(end, Time) else "number"


def _rank(end: Json) -> Json:
    if isinstance(end, Money):
        return end.minor
    return end.at if isinstance(end, Time) else end


def part(found: Findings, node: Node, operator: str) -> str | Reference | None:
    """The text of `prefix`, `suffix` and `glob`."""
    if isinstance(node, Sequence):
        hint = f"for any of several write a list of tests: [{{{operator}: a}}, {{{operator}: b}}]"
        return found.error("operand", node, f"'{operator}' takes one text, got a list", hint)
    given = text(found, node, f"a text after '{operator}'")
    if given is None or not isinstance(node, Scalar):
        return None
    return reference(found, node) if is_name(given) else given


def exists(found: Findings, node: Node) -> bool | None:
    """true or false."""
    return flag(found, node)


def size(found: Findings, node: Node) -> tuple[Operation, ...] | None:
    """A number of characters or elements, or operators on it."""
    if not isinstance(node, Mapping):
        count = whole_number(found, node, "a length", 0, 10**9)
        return None if count is None else (Operation(operator="eq", operand=count, position=node.position),)
    if not node.entries:
        return expected(found, node, "a number or number operators")
    check_keys(found, node, "a length", SIZES, in_length(node, SIZES))
    read: list[Operation] = []
    for entry in node.entries:
        operand = _size_operand(found, entry.name, entry.value)
        if operand is not None:
            read.append(Operation(operator=entry.name, operand=operand, position=entry.key.position))
    return tuple(read) if len(read) == len(node.entries) else None


def _size_operand(found: Findings, operator: str, node: Node) -> Json:
    if operator not in SIZES:
        return None
    if operator != "between":
        return whole_number(found, node, "a length", 0, 10**9)
    if not isinstance(node, Sequence) or len(node.items) != 2:
        return found.error("operand", node, f"'between' takes a list of two, like [1, 5]; got {_counted(node)}")
    ends = [whole_number(found, item, "a length", 0, 10**9) for item in node.items]
    return None if None in ends else pair(found, node)


def regex(found: Findings, node: Node, operator: str) -> str | None:
    """The regular expression of `matches`; no `$name`, which as one would never be found in anything."""
    given = part(found, node, operator)
    if isinstance(given, Reference):
        hint = "for what stands at another path write same_as, prefix, suffix or contains"
        return found.error("operand", node, "a regular expression is written in the rule itself", hint)
    if given is None:
        return None
    if len(given) > _LONGEST_TEXT:
        return found.error("operand", node, f"a regular expression has at most {_LONGEST_TEXT} characters")
    try:
        compile_regex(given)
    except RegexError as error:
        hint = "RE2 has no look-around and no back-references: https://github.com/google/re2/wiki/Syntax"
        return found.error("operand", node, f"this is not a regular expression: {error}", hint)
    return given


def network(found: Findings, node: Node, operator: str) -> str | Reference | None:
    """The network of `cidr`."""
    given = part(found, node, operator)
    if isinstance(given, str) and parse_network(given) is None:
        better = better_network(given)
        hint = f"write {better}" if better else "write one like 10.0.0.0/8 or 2001:db8::/32"
        return found.error("operand", node, f"'{given[:40]}' is no network", hint)
    return given


def span(found: Findings, node: Node, operator: str) -> timedelta | None:
    """The duration of `older_than` and `newer_than`."""
    return duration(found, node, longest=timedelta(days=36_500))


def other_path(found: Findings, node: Node, operator: str) -> Reference | None:
    """The path of `same_as`."""
    given = text(found, node, "a path after 'same_as'")
    if given is None or not isinstance(node, Scalar):
        return None
    if given == ".":
        return found.error("path", node, "'.' is the value itself, which is always the same as itself")
    return reference(found, node)


def table(found: Findings, node: Node, operator: str) -> Members | None:
    """The table of `in_table`, or one of its columns."""
    if isinstance(node, Sequence):
        return found.error("operand", node, "'in_table' takes the name of a table, got a list", "write the list itself")
    given = text(found, node, "the name of a table, like vip or vip.account_id")
    if given is None:
        return None
    try:
        return found.names.members(given)
    except UnknownName as error:
        return found.unknown(node, error)


READERS: dict[str, Callable[[Findings, Node, str], Json]] = {
    "eq": value,
    "contains": value,
    "gt": bound,
    "gte": bound,
    "lt": bound,
    "lte": bound,
    "between": lambda found, node, _: pair(found, node),
    "exists": lambda found, node, _: exists(found, node),
    "prefix": part,
    "suffix": part,
    "glob": part,
    "matches": regex,
    "cidr": network,
    "older_than": span,
    "newer_than": span,
    "same_as": other_path,
    "in_table": table,
    "length": lambda found, node, _: size(found, node),
}
"""How the operand of each operator is read; `conditions` reads those whose operands are tests."""
