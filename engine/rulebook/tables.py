"""`tables`: lists of values, and CSV files of rows.

    tables:
      vip: [acct_1, acct_2]
      accounts: {file: accounts.csv, key: account, types: {limit: integer}}

The first line of a CSV file names its columns. Cells are text unless `types` says otherwise; spaces around them are
dropped, and an empty cell is no value.
"""

import csv
import hashlib
import io
import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from engine.match.values import folded, identity
from engine.model.condition import Column, Members
from engine.model.event import Json
from engine.model.position import Position
from engine.model.rule import Rows
from engine.rulebook import files
from engine.rulebook.fields import check_keys, expected, kind_of, mapping, text, word
from engine.rulebook.findings import Findings
from engine.source import Entry, Node, Scalar, Sequence, nearest
from engine.source import Mapping as MappingNode

if TYPE_CHECKING:
    from _csv import Reader

KEYS = ("file", "key", "types")
ENDING = files.TABLES
MOST_ROWS = 1_000_000
LARGEST = 100_000_000
"""Characters of a CSV file."""

_NUMBER = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,3})?", re.ASCII)
_UNREADABLE = re.compile("[\ud800-\udfff\x00]")

Row = Mapping[str, Json]


class CellType(StrEnum):
    """What the cells of a column are."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"

    @property
    def article(self) -> str:
        """The word in a sentence."""
        return {"integer": "an integer", "boolean": "true or false"}.get(self, f"a {self}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A table as read: `columns` in their order, `rows` without their empty cells, `key` the column of account ids.

    `digest` changes when anything in it does; `file` is the CSV file, None for a table written in the rules.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    key: str | None
    digest: str
    position: Position
    file: str | None = None

    @cached_property
    def by_account(self) -> dict[str, Row]:
        """The row of each account, of a table that has a key."""
        return {str(row[self.key]): row for row in self.rows} if self.key is not None else {}

    @cached_property
    def for_texts(self) -> Rows:
        """The rows as texts read them: with null for an empty cell."""
        empty: dict[str, Json] = dict.fromkeys(self.columns)
        rows = {
            account: {**empty, **{name: _for_texts(cell) for name, cell in row.items()}}
            for account, row in self.by_account.items()
        }
        return Rows(by_account=rows, empty=empty)

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    @cached_property
    def _members(self) -> dict[str, Members]:
        return {}

    def column(self, name: str) -> Column:
        """The cells of a column by account id, without the empty ones; always the same object."""
        if name not in self._columns:
            cells = {account: row[name] for account, row in self.by_account.items() if name in row}
            self._columns[name] = Column(table=self.name, name=name, cells=cells)
        return self._columns[name]

    def members(self, name: str) -> Members:
        """The values of a column; always the same object."""
        if name not in self._members:
            values = [row[name] for row in self.rows if name in row]
            self._members[name] = Members(
                name=self.name if name == self.columns[0] else f"{self.name}.{name}",
                keys=frozenset(map(identity, values)),
                folded=frozenset(identity(folded(value)) for value in values),
            )
        return self._members[name]


def _for_texts(cell: Json) -> Json:
    return float(cell) if isinstance(cell, Decimal) else cell


class CsvFiles:
    """The CSV files beside the rules, by name; `named` collects those that tables ask for, there or not.

    `lost`: files that had a mistake which was said before, and are now as if they were not there.
    """

    def __init__(self, texts: Mapping[str, str], lost: Collection[str] = ()) -> None:
        self.texts = texts
        self.lost = lost
        self.named: set[str] = set()


def read_table(found: Findings, entry: Entry, files: CsvFiles) -> Table | None:
    """One entry of `tables`; None with a mistake where it cannot be used."""
    node = entry.value
    if isinstance(node, Sequence):
        return _read_list(found, entry, node)
    if not isinstance(node, MappingNode):
        return expected(found, node, "a list of values, or {file: accounts.csv}")
    errors = found.errors
    check_keys(found, node, "a table", KEYS)
    file_node = node.get("file")
    if file_node is None:
        return found.error("missing-key", node, f"table '{entry.name}' has no 'file'", "or write its values as a list")
    name = text(found, file_node, "the name of a CSV file")
    if name is None or found.errors > errors or not isinstance(file_node, Scalar):
        return None
    file = _resolve(found, file_node, name, files)
    return None if file is None else _read_csv(found, entry, node, file, files.texts[file])


def _read_list(found: Findings, entry: Entry, node: Sequence) -> Table | None:
    if not node.items:
        return found.error("empty", node, f"table '{entry.name}' is empty", "a rule that looks in it could never fire")
    values: list[Json] = []
    for item in node.items:
        if not isinstance(item, Scalar) or item.value is None:
            return found.error("type", item, f"a table written here is a list of values; got {kind_of(item)}")
        values.append(item.value)
    digest = hashlib.sha256(repr([(type(value), value) for value in values]).encode("utf-8", "replace")).hexdigest()
    rows = tuple({"value": value} for value in values)
    return Table(name=entry.name, columns=("value",), rows=rows, key=None, digest=digest, position=entry.key.position)


def _resolve(found: Findings, node: Scalar, name: str, files: CsvFiles) -> str | None:
    """The name among the CSV files of one that is written relative to the file of rules that names it."""
    if not name.endswith(ENDING):
        return found.error("table-file", node, f"a table's file is a CSV file, got '{name}'", "its name ends with .csv")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(node.file), name))
    files.named.add(file)
    if file in files.texts:
        return file
    if file in files.lost:
        found.errors += 1
        return None
    near = nearest(posixpath.basename(name), [posixpath.basename(known) for known in files.texts])
    folder = posixpath.dirname(node.file) or "the folder of the rules"
    hint = f"did you mean '{near}'?" if near else f"put it in {folder}"
    return found.error("table-file", node, f"there is no file {file} among the rules", hint)


def _read_csv(found: Findings, entry: Entry, node: MappingNode, file: str, source: str) -> Table | None:
    errors = found.errors
    unreadable = _UNREADABLE.search(source)
    if unreadable is not None:
        line = source.count("\n", 0, unreadable.start()) + 1
        return found.error("table-file", _line(file, line), "this is not UTF-8 text", "save the file as UTF-8")
    if len(source) > LARGEST:
        return found.error("table-file", _line(file, 1), f"{file} has over {LARGEST:,} characters")
    lines = csv.reader(io.StringIO(source.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(lines, [])]
        if not any(header):
            return found.error("table", _line(file, 1), f"{file} is empty: its first line names the columns")
        for place, column in enumerate(header):
            if not column or column in header[:place]:
                what = f"column '{column}' appears twice" if column else f"column {place + 1} has no name"
                found.error("table", _line(file, 1), what)
        if found.errors > errors:
            return None
        key = _read_key(found, node, header)
        types = _read_types(found, node, header)
        if found.errors > errors:
            return None
        rows = _read_rows(found, file, lines, header, types)
    except csv.Error as error:
        return found.error("table", _line(file, lines.line_num), f"this is not CSV: {error}")
    if not rows and found.errors == errors:
        return found.error("table", _line(file, 1), f"{file} has no rows", "a rule that looks in it could never fire")
    if key is not None:
        _check_key(found, file, key, rows)
    if found.errors > errors:
        return None
    settings = repr((key, sorted((name, str(kind)) for name, kind in types.items())))
    digest = hashlib.sha256(f"{settings}\n{source}".encode("utf-8", "surrogateescape")).hexdigest()
    return Table(
        name=entry.name,
        columns=tuple(header),
        rows=tuple(row for _, row in rows),
        key=key,
        digest=digest,
        position=entry.key.position,
        file=file,
    )


def _read_key(found: Findings, node: MappingNode, header: list[str]) -> str | None:
    key_node = node.get("key")
    key = None if key_node is None else text(found, key_node, "the column of account ids")
    if key_node is not None and key is not None and key not in header:
        _no_column(found, key_node, key, header)
    return key


def _read_types(found: Findings, node: MappingNode, header: list[str]) -> dict[str, CellType]:
    types_node = node.get("types")
    given = None if types_node is None else mapping(found, types_node, "a map of columns and types")
    types: dict[str, CellType] = {}
    for entry in given.entries if given else ():
        kind = word(found, entry.value, CellType, "a type of cells")
        if entry.name not in header:
            _no_column(found, entry.key, entry.name, header)
        elif kind is not None:
            types[entry.name] = kind
    return types


def _no_column(found: Findings, node: Node, name: str, header: list[str]) -> None:
    near = nearest(name, header)
    hint = f"did you mean '{near}'?" if near else f"its columns are {', '.join(header)}"
    found.error("table", node, f"the table has no column '{name}'", hint)


def _read_rows(
    found: Findings, file: str, lines: "Reader", header: list[str], types: Mapping[str, CellType]
) -> list[tuple[int, dict[str, Json]]]:
    rows: list[tuple[int, dict[str, Json]]] = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        line = lines.line_num
        if len(cells) != len(header):
            found.error("table", _line(file, line), f"this row has {len(cells)} cells, the first line {len(header)}")
            continue
        if len(rows) == MOST_ROWS:
            found.error("table", _line(file, line), f"a table has at most {MOST_ROWS:,} rows")
            break
        row: dict[str, Json] = {}
        for column, cell in zip(header, cells, strict=True):
            written = cell.strip()
            if not written:
                continue
            value = _cell(written, types.get(column, CellType.STRING))
            if value is None:
                message = f"{column} is to be {types[column].article}, got '{written[:40]}'"
                found.error("table", _line(file, line), message)
            row[column] = value
        rows.append((line, row))
    return rows


def _check_key(found: Findings, file: str, key: str, rows: list[tuple[int, dict[str, Json]]]) -> None:
    seen: dict[str, int] = {}
    for line, row in rows:
        if key not in row:
            found.error("table", _line(file, line), f"this row has no {key}, which is the key")
            continue
        first = seen.setdefault(str(row[key]), line)
        if first != line:
            found.error("table", _line(file, line), f"there is a row for {row[key]} already, in line {first}")


def _cell(written: str, kind: CellType) -> Json:
    """The value of a cell, None where it is not of its type."""
    if kind is CellType.STRING:
        return written
    if kind is CellType.BOOLEAN:
        return {"true": True, "false": False}.get(written.lower())
    if not _NUMBER.fullmatch(written):
        return None
    number = Decimal(written)
    if abs(number.adjusted()) > 30:
        return None
    if kind is CellType.INTEGER:
        return int(number) if number == number.to_integral_value() else None
    return number


def _line(file: str, line: int) -> Position:
    return Position(file=file, line=max(line, 1), column=1)
