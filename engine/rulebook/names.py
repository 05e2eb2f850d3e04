"""The names that all files share: `vars`, `tables` and `calendars`, and what a rule's `$vars.big`,
`$tables.accounts.limit` or `during: nights` means.

A variable's value takes the place of its name before anything is read, so that a rule with `$vars.big` is the same
rule, checked and indexed, as one with the number in it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.model.condition import Column, Members
from engine.model.event import Json
from engine.model.position import Position
from engine.model.rule import Rows, Shared
from engine.model.timing import Calendar
from engine.source import Entry, Node, Scalar, Sequence, nearest, plain
from engine.source import Mapping as MappingNode

if TYPE_CHECKING:
    from engine.rulebook.tables import Table

VARS = "$vars"
TABLES = "$tables"

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One of `vars`: what stands under it, and where it was defined. `digest` changes when the value does."""

    name: str
    value: Node
    digest: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Every global name by kind. `broken` are the names (`tables.vip`) that are defined, but with a mistake;
    `partial`: a file could not be read at all, so that there may be more."""

    vars: Mapping[str, Variable] = field(default_factory=dict)
    tables: "Mapping[str, Table]" = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    partial: bool = False

    def digest(self, name: str) -> str:
        """What `vars.big` or `tables.vip` is now, in short: another digest means that who uses it is read again."""
        kind, _, rest = name.partition(".")
        calendar = self.calendars.get(rest) if kind == "calendars" else None
        if calendar is not None:
            return hashlib.sha256(repr(calendar).encode()).hexdigest()
        found: Variable | Table | None = self.vars.get(rest) if kind == "vars" else self.tables.get(rest)
        if found is not None and kind != "calendars":
            return found.digest
        return "broken" if name in self.broken or self.partial else "unknown"


class UnknownName(ValueError):
    """A name that there is not; `hint` is what to write instead, where that is known.

    `told`: the mistake is said elsewhere, at the name's own place, and need not be said again.
    """

    def __init__(self, message: str, hint: str | None = None, *, told: bool = False) -> None:
        self.message, self.hint, self.told = message, hint, told
        super().__init__(message)


class Lookup:
    """Looks names up, and remembers which: a file whose names did not change need not be read again."""

    def __init__(self, names: Names | None = None) -> None:
        self.names = names or Names()
        self.used: set[str] = set()
        self._vars: dict[str, Json] = {}
        self._tables: dict[str, Rows] = {}

    def variable(self, text: str, place: Scalar) -> Node:
        """The value of `$vars.big`, as if it stood at `place`. Raises UnknownName."""
        name = text.removeprefix(VARS).removeprefix(".")
        if not name:
            raise UnknownName("$vars is all variables", "write one of them, like $vars.big")
        return _at(self._variable(name).value, place)

    def members(self, text: str) -> Members:
        """What `vip` or `vip.account_id` stands for under `in_table`. Raises UnknownName."""
        name, _, column = text.removeprefix(f"{TABLES}.").partition(".")
        table = self._table(name)
        return table.members(_column(table, column) if column else table.columns[0])

    def calendar(self, name: str) -> Calendar:
        """The calendar of that name. Raises UnknownName."""
        self.used.add(f"calendars.{name}")
        found = self.names.calendars.get(name)
        if found is None:
            raise self._unknown("calendars", "calendar", name, self.names.calendars)
        return found

    def column(self, name: str, column: str) -> Column:
        """What `$tables.accounts.limit` stands for. Raises UnknownName."""
        table = self._with_key(name)
        return table.column(_column(table, column))

    def in_text(self, path: tuple[str, ...]) -> None:
        """Note that a text reads `vars.big` or `tables.accounts.limit`. Raises UnknownName."""
        kind, *rest = path
        if kind == "vars":
            variable = self._variable(rest[0])
            self._vars[variable.name] = plain(variable.value, exact=False)
            return
        table = self._with_key(rest[0])
        if len(rest) > 1:
            _column(table, rest[1])
        self._tables[table.name] = table.for_texts

    def take_shared(self) -> Shared:
        """What the texts of one rule read, by `in_text`; begins anew for the next."""
        shared = Shared(vars=self._vars, tables=self._tables)
        self._vars, self._tables = {}, {}
        return shared

    def _variable(self, name: str) -> Variable:
        self.used.add(f"vars.{name}")
        found = self.names.vars.get(name)
        if found is None:
            raise self._unknown("vars", "variable", name, self.names.vars)
        return found

    def _table(self, name: str) -> "Table":
        self.used.add(f"tables.{name}")
        found = self.names.tables.get(name)
        if found is None:
            raise self._unknown("tables", "table", name, self.names.tables)
        return found

    def _with_key(self, name: str) -> "Table":
        table = self._table(name)
        if table.key is None:
            hint = f"add key: <the column of account ids> to table {name}, or write {{in_table: {name}}}"
            raise UnknownName(f"table '{name}' has no key, so there is no row for the event's account", hint)
        return table

    def _unknown(self, kind: str, what: str, name: str, known: Iterable[str]) -> UnknownName:
        told = self.names.partial or f"{kind}.{name}" in self.names.broken
        known = list(known)
        near = nearest(name, known)
        hint = f"define it under '{kind}' at the top of a file of rules"
        if near:
            hint = f"did you mean '{near}'?"
        elif known:
            more = ", .." if len(known) > _SHOWN else ""
            hint = f"there {'is' if len(known) == 1 else 'are'} {', '.join(known[:_SHOWN])}{more}; {hint}"
        return UnknownName(f"there is no {what} '{name}'", hint, told=told)


def _column(table: "Table", name: str) -> str:
    if name in table.columns:
        return name
    near = nearest(name, table.columns)
    hint = f"did you mean '{near}'?" if near else f"its columns are {', '.join(table.columns[:_SHOWN])}"
    raise UnknownName(f"table '{table.name}' has no column '{name}'", hint)


def _at(node: Node, place: Scalar) -> Node:
    """A copy of a node, all of it standing at `place`: its mistakes belong to the rule that uses it."""
    at = (place.file, place.line, place.column, place.length)
    if isinstance(node, Scalar):
        return _moved(node, place)
    if isinstance(node, Sequence):
        return Sequence(tuple(_at(item, place) for item in node.items), *at)
    return MappingNode(tuple(Entry(_moved(entry.key, place), _at(entry.value, place)) for entry in node.entries), *at)


def _moved(node: Scalar, place: Scalar) -> Scalar:
    return replace(node, file=place.file, line=place.line, column=place.column, length=place.length)
