"""What a YAML file says, each node with the place where it says it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, dataclass_transform

from engine.model.event import Json
from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def _node(cls: type[_T]) -> type[_T]:
    """A slotted dataclass that type checkers hold to be frozen.

    Really frozen ones cost five times as much to make, and a large rulebook has half a million nodes.
    """
    make: Callable[[type[_T]], type[_T]] = dataclass(slots=True, eq=False)
    return make(cls)


@_node
class Scalar:
    """One value. `text` is what stands in the file, without quotes and with escapes resolved.

    `value` follows YAML 1.2: only true and false are booleans, only null, ~ and nothing are None, numbers with a
    point or an exponent are exact decimals, and all else is text. `quoted` values are always text.
    `length` is what a caret line underlines, at least 1.
    """

    value: bool | int | Decimal | str | None
    text: str
    quoted: bool
    file: str
    line: int
    column: int
    length: int

    @property
    def position(self) -> Position:
        """Where it stands; line and column count from 1."""
        return Position(file=self.file, line=self.line, column=self.column, length=self.length)


@_node
class Sequence:
    """A list, in either form."""

    items: "tuple[Node, ...]"
    file: str
    line: int
    column: int
    length: int

    @property
    def position(self) -> Position:
        """Where it begins."""
        return Position(file=self.file, line=self.line, column=self.column, length=self.length)


@_node
class Entry:
    """A key of a mapping and what stands under it. The key's value is always text."""

    key: Scalar
    value: "Node"

    @property
    def name(self) -> str:
        """The key as text."""
        return self.key.text


@_node
class Mapping:
    """A map in the order of the file. Of a key that appears twice only the first is kept (and the mistake said)."""

    entries: tuple[Entry, ...]
    file: str
    line: int
    column: int
    length: int

    @property
    def position(self) -> Position:
        """Where it begins: its first key, or the opening brace."""
        return Position(file=self.file, line=self.line, column=self.column, length=self.length)

    def entry(self, name: str) -> Entry | None:
        """The entry of that key, None if there is none."""
        for entry in self.entries:
            if entry.key.text == name:
                return entry
        return None

    def get(self, name: str) -> "Node | None":
        """What stands under that key, None if there is no such key (a written null is a Scalar)."""
        found = self.entry(name)
        return found.value if found else None

    def keys(self) -> tuple[str, ...]:
        """The keys in the order of the file."""
        return tuple(entry.key.text for entry in self.entries)


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as read. `root` is None for an empty file and for one that YAML cannot read at all.

    Where only something had to be quoted, `mistakes` says so and `root` is what was meant, so that the rest of the
    file can still be checked in the same run.
    """

    file: str
    text: str
    root: Node | None
    mistakes: tuple[Mistake, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it may be acted on: no mistake in it is an error."""
        return not any(mistake.level is MistakeLevel.ERROR for mistake in self.mistakes)


def plain(node: Node, *, exact: bool = True) -> Json:
    """The node as lists, dicts and values. Decimals stay exact; with `exact=False` they become floats, as in JSON."""
    if isinstance(node, Scalar):
        value = node.value
        return float(value) if isinstance(value, Decimal) and not exact else value
    if isinstance(node, Sequence):
        return [plain(item, exact=exact) for item in node.items]
    return {entry.key.text: plain(entry.value, exact=exact) for entry in node.entries}
