"""Plain values of a rule: texts, words, lists, durations. Each reader says what it expected, and returns None then."""

import re
from collections.abc import Callable, Collection, Iterable
from collections.abc import Mapping as Pairs
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from operator import is_not
from typing import TypeVar

from engine.match import PathError
from engine.model.position import Position
from engine.rulebook.findings import Findings
from engine.rulebook.names import VARS, UnknownName
from engine.source import Entry, Mapping, Node, Scalar, Sequence, nearest, parse_duration

Words = Pairs[str, str]
"""What to write, by the word that stands there instead."""

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)

ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
LONGEST_ID = 100


def kind_of(node: Node) -> str:
    """What a node is, in words: `a list`, `the number 5`, `the text 'x'`."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a map"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return str(node.value).lower()
    shown = node.text if len(node.text) <= 40 else f"{node.text[:39]}…"
    return f"the text '{shown}'" if isinstance(node.value, str) else f"the number {shown}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` to follow a message, empty where nothing is near."""
    found = nearest(word, known)
    return f"; did you mean '{found}'?" if found else ""


def path_mistake(found: Findings, node: Scalar, error: PathError) -> T | None:
    """Note a path that cannot be used: at the character that is wrong, if the file has the path as it is read."""
    place = node.position
    quote = 1 if node.quoted else 0
    if error.at is not None and node.length == len(node.text) + 2 * quote:
        column = node.column + quote + error.at
        place = Position(file=node.file, line=node.line, column=column, length=error.length)
    return found.error("path", place, error.message, error.hint)


def expected(found: Findings, node: Node, what: str, hint: str | None = None) -> T | None:
    """Note that something else was expected."""
    code = "empty" if isinstance(node, Scalar) and node.value is None else "type"
    return found.error(code, node, f"expected {what}, got {kind_of(node)}", hint)


def text(found: Findings, node: Node, what: str = "a text") -> str | None:
    """A text that is not empty."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        hint = None
        if isinstance(node, Scalar) and node.value is not None:
            hint = f'write "{node.text}"'
        return expected(found, node, what, hint)
    if not node.value.strip():
        return found.error("empty", node, f"expected {what}, got an empty text")
    return node.value


def texts(found: Findings, node: Node, what: str = "a text") -> tuple[str, ...] | None:
    """One text or a list of them, each once."""
    items = listed(found, node, f"{what} or a list of them")
    if items is None:
        return None
    read = [text(found, item, what) for item in items]
    good = [value for value in read if value is not None]
    return tuple(dict.fromkeys(good)) if len(good) == len(read) else None


def listed(found: Findings, node: Node, what: str) -> tuple[Node, ...] | None:
    """The items of a list that is not empty; anything else is a list of itself."""
    if not isinstance(node, Sequence):
        return (node,)
    if not node.items:
        return found.error("empty", node, f"expected {what}, got an empty list")
    return node.items


def mapping(found: Findings, node: Node, what: str, *, may_be_empty: bool = False) -> Mapping | None:
    """A map, with something in it unless it may be empty."""
    if not isinstance(node, Mapping):
        return expected(found, node, what)
    if not node.entries and not may_be_empty:
        return found.error("empty", node, f"expected {what}, got an empty map")
    return node


def with_vars(found: Findings, node: Node) -> Node | None:
    """The node with the value of each `$vars.name` in the place of the name.

    What names no variable is a mistake, and left out, so that the rest can be looked at; None where nothing is left.
    Where no variable is named it is the same node.
    """
    if isinstance(node, Scalar):
        if not isinstance(node.value, str) or not (node.text == VARS or node.text.startswith(f"{VARS}.")):
            return node
        try:
            return found.names.variable(node.text, node)
        except UnknownName as error:
            return found.unknown(node, error)
    if isinstance(node, Sequence):
        given = [with_vars(found, item) for item in node.items]
        if not any(map(is_not, given, node.items)):
            return node
        items = tuple(item for item in given if item is not None)
        return replace(node, items=items) if items else None
    values = [with_vars(found, entry.value) for entry in node.entries]
    if not any(map(is_not, values, [entry.value for entry in node.entries])):
        return node
    pairs = zip(node.entries, values, strict=True)
    entries = tuple(Entry(entry.key, value) for entry, value in pairs if value is not None)
    return replace(node, entries=entries) if entries else None


def flag(found: Findings, node: Node) -> bool | None:
    """true or false."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    return expected(found, node, "true or false", "YAML 1.2 knows only true and false, without quotes")


def word(found: Findings, node: Node, known: type[W], what: str) -> W | None:
    """One of a closed set of words."""
    names = [str(member) for member in known]
    given = node.text if isinstance(node, Scalar) else None
    if given in names:
        return known(given)
    message = f"expected {what}: {', '.join(names)}; got {kind_of(node)}"
    near = nearest(given, names) if given else None
    return found.error("unknown-value", node, message, f"did you mean '{near}'?" if near else None)


def whole_number(found: Findings, node: Node, what: str, low: int, high: int) -> int | None:
    """A whole number from low to high."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    return expected(found, node, f"{what} from {low} to {high}")


def duration(found: Findings, node: Node, *, longest: timedelta) -> timedelta | None:
    """A duration like 10m, more than nothing and at most `longest`."""
    if not isinstance(node, Scalar):
        return found.error("duration", node, f"expected a duration like 10m, got {kind_of(node)}")
    try:
        span = parse_duration(node.text)
    except ValueError as error:
        return found.error("duration", node, str(error))
    if not timedelta() < span <= longest:
        return found.error("duration", node, f"'{node.text}' is not between 1s and {longest.days}d")
    return span


def is_id(given: str) -> bool:
    """Whether a text is a kebab-case id."""
    return len(given) <= LONGEST_ID and ID.fullmatch(given) is not None


def as_id(given: str) -> str:
    """The nearest kebab-case id; empty where nothing of the text can be in one."""
    return re.sub(r"[^a-z0-9]+", "-", given.lower())[:LONGEST_ID].strip("-")


def identifier(found: Findings, node: Node, what: str) -> str | None:
    """A kebab-case id."""
    given = text(found, node, f"the id of {what}")
    if given is None:
        return None
    if is_id(given):
        return given
    better = as_id(given)
    hint = f"write '{better}'" if better and better != given else None
    return found.error("id", node, f"the id of {what} is lower case words with hyphens, like payout-failed", hint)


def check_keys(
    found: Findings, node: Mapping, where: str, known: Collection[str], foreign: Words | None = None
) -> None:
    """Note every key that is not known there. `where` is how a message calls the place: `a rule`. `foreign` says what
    to write for keys that other languages have."""
    for entry in node.entries:
        if entry.name not in known:
            instead = (foreign or {}).get(entry.name)
            near = did_you_mean(entry.name, known) if instead is None else ""
            found.error("unknown-key", entry.key, f"unknown key '{entry.name}' in {where}{near}", instead)


def read(node: Mapping, key: str, reader: Callable[[Node], T | None]) -> T | None:
    """What stands under a key, through its reader; None where there is no such key."""
    value = node.get(key)
    return None if value is None else reader(value)
