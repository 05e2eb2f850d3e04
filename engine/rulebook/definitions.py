"""What a file defines for all of them: its `vars`, `tables` and `calendars`; and all files' definitions together, as
the names."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position
from engine.model.timing import Calendar
from engine.rulebook.calendars import read_calendar
from engine.rulebook.fields import mapping
from engine.rulebook.findings import Findings
from engine.rulebook.names import Names, Variable
from engine.rulebook.tables import CsvFiles, Table, read_table
from engine.source import Document, Entry, Node, Scalar, Sequence, plain
from engine.source import Mapping as MappingNode

KEYS = ("vars", "tables", "calendars")

D = TypeVar("D", Variable, Table, Calendar)

_EXAMPLES = {
    "vars": "{big: 500 USD}",
    "tables": "{vip: [acct_1, acct_2]}",
    "calendars": "{weekends: {timezone: Europe/Berlin, weekdays: [sat, sun]}}",
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What one file defines. `broken`: the names that have a mistake; `csv`: the CSV files it names, there or not, with
    the text that was read."""

    file: str
    vars: tuple[Variable, ...] = ()
    tables: tuple[Table, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    broken: frozenset[str] = frozenset()
    csv: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    mistakes: tuple[Mistake, ...] = ()
    usable: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Everything it defines, as `vars.big`, `tables.vip` and `calendars.nights`."""
        good = {f"vars.{each.name}" for each in self.vars} | {f"tables.{each.name}" for each in self.tables}
        return self.broken | good | {f"calendars.{each.name}" for each in self.calendars}


def may_define(text: str) -> bool:
    """Whether a file's text can have definitions at all: it need not be read for them where not."""
    return any(key in text for key in KEYS)


def read_definitions(document: Document, file: str, csv_texts: Mapping[str, str], lost: Iterable[str]) -> Definitions:
    """The `vars`, `tables` and `calendars` of a file. Never raises; what is wrong is in `mistakes`."""
    root = document.root
    if not isinstance(root, MappingNode) or all(root.get(key) is None for key in KEYS):
        return Definitions(file=file)
    found, files = Findings(), CsvFiles(csv_texts, frozenset(lost))
    broken: set[str] = set()
    variables: list[Variable] = []
    tables: list[Table] = []
    calendars: list[Calendar] = []
    for entry in _entries(found, root, "vars"):
        variable = _variable(found, entry)
        variables += [variable] if variable is not None else []
        broken |= {f"vars.{entry.name}"} if variable is None else set()
    for entry in _entries(found, root, "tables"):
        table = _table(found, entry, files)
        tables += [table] if table is not None else []
        broken |= {f"tables.{entry.name}"} if table is None else set()
    for entry in _entries(found, root, "calendars"):
        calendar = read_calendar(found, entry) if _named(found, entry, "calendar") else None
        calendars += [calendar] if calendar is not None else []
        broken |= {f"calendars.{entry.name}"} if calendar is None else set()
    return Definitions(
        file=file,
        vars=tuple(variables),
        tables=tuple(tables),
        calendars=tuple(calendars),
        broken=frozenset(broken),
        csv={name: csv_texts.get(name) for name in sorted(files.named)},
        mistakes=tuple(found.mistakes),
        usable=not found.errors,
    )


def gather(definitions: Iterable[Definitions], *, partial: bool) -> tuple[Names, list[Mistake]]:
    """The names of all files. Of two with one name, the second is mistaken."""
    definitions = tuple(definitions)
    variables, again = _unique("variable", (variable for each in definitions for variable in each.vars))
    tables, more = _unique("table", (table for each in definitions for table in each.tables))
    calendars, others = _unique("calendar", (calendar for each in definitions for calendar in each.calendars))
    broken = frozenset(name for each in definitions for name in each.broken)
    names = Names(vars=variables, tables=tables, calendars=calendars, broken=broken, partial=partial)
    return names, [*again, *more, *others]


def _unique(what: str, defined: Iterable[D]) -> tuple[dict[str, D], list[Mistake]]:
    """The first of each name, and what is wrong with the others."""
    first: dict[str, D] = {}
    again = [each for each in defined if first.setdefault(each.name, each) is not each]
    return first, [_again(what, each, first[each.name].position) for each in again]


def _again(what: str, second: Variable | Table | Calendar, first: Position | None) -> Mistake:
    where = f" in {first.file}:{first.line}" if first is not None else ""
    message = f"{what} '{second.name}' is already defined{where}"
    return Mistake(level=MistakeLevel.ERROR, code="duplicate-name", message=message, position=second.position)


def _entries(found: Findings, root: MappingNode, key: str) -> tuple[Entry, ...]:
    node = root.get(key)
    if node is None:
        return ()
    given = mapping(found, node, f"a map of names under {key}, like {_EXAMPLES[key]}")
    return given.entries if given else ()


def _named(found: Findings, entry: Entry, what: str) -> bool:
    if _NAME.fullmatch(entry.name):
        return True
    better = re.sub(r"[^A-Za-z0-9_]+", "_", entry.name).strip("_")
    hint = f"write '{better}'" if _NAME.fullmatch(better) else None
    code = "vars" if what == "variable" else what
    return bool(found.error(code, entry.key, f"a {what}'s name is letters, digits and _", hint))


def _table(found: Findings, entry: Entry, files: CsvFiles) -> Table | None:
    return read_table(found, entry, files) if _named(found, entry, "table") else None


def _variable(found: Findings, entry: Entry) -> Variable | None:
    if not _named(found, entry, "variable"):
        return None
    node = entry.value
    problem = _problem(node)
    if problem is not None:
        return found.error("vars", problem[0], problem[1], problem[2])
    digest = hashlib.sha256(json.dumps(plain(node), default=repr, sort_keys=True).encode("utf-8", "replace"))
    return Variable(name=entry.name, value=node, digest=digest.hexdigest(), position=entry.key.position)


def _problem(node: Node) -> tuple[Node, str, str | None] | None:
    if isinstance(node, Scalar):
        if node.value is None:
            return node, "a variable has a value", None
        if isinstance(node.value, str) and node.text.startswith("$vars"):
            return node, "a variable cannot stand for another variable", "write the value itself"
        return None
    children = node.items if isinstance(node, Sequence) else tuple(entry.value for entry in node.entries)
    if not children:
        return node, "a variable has a value, and this is empty", None
    return next((problem for problem in map(_problem, children) if problem is not None), None)
