"""What a file defines for all of them: its `vars` and `tables`; and all files' definitions together, as the names."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position
from engine.rulebook.fields import mapping
from engine.rulebook.findings import Findings
from engine.rulebook.names import Names, Variable
from engine.rulebook.tables import CsvFiles, Table, read_table
from engine.source import Document, Entry, Node, Scalar, Sequence, plain
from engine.source import Mapping as MappingNode

KEYS = ("vars", "tables")

D = TypeVar("D", Variable, Table)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What one file defines. `broken`: the names that have a mistake; `csv`: the CSV files it names, there or not, with
    the text that was read."""

    file: str
    vars: tuple[Variable, ...] = ()
    tables: tuple[Table, ...] = ()
    broken: frozenset[str] = frozenset()
    csv: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    mistakes: tuple[Mistake, ...] = ()
    usable: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Everything it defines, as `vars.big` and `tables.vip`."""
        good = {f"vars.{each.name}" for each in self.vars} | {f"tables.{each.name}" for each in self.tables}
        return self.broken | good


def may_define(text: str) -> bool:
    """Whether a file's text can have definitions at all: it need not be read for them where not."""
    return "vars" in text or "tables" in text


def read_definitions(document: Document, file: str, csv_texts: Mapping[str, str], lost: Iterable[str]) -> Definitions:
    """The `vars` and `tables` of a file. Never raises; what is wrong is in `mistakes`."""
    root = document.root
    if not isinstance(root, MappingNode) or all(root.get(key) is None for key in KEYS):
        return Definitions(file=file)
    found, files = Findings(), CsvFiles(csv_texts, frozenset(lost))
    broken: set[str] = set()
    variables: list[Variable] = []
    tables: list[Table] = []
    for entry in _entries(found, root, "vars"):
        variable = _variable(found, entry)
        variables += [variable] if variable is not None else []
        broken |= {f"vars.{entry.name}"} if variable is None else set()
    for entry in _entries(found, root, "tables"):
        table = _table(found, entry, files)
        tables += [table] if table is not None else []
        broken |= {f"tables.{entry.name}"} if table is None else set()
    return Definitions(
        file=file,
        vars=tuple(variables),
        tables=tuple(tables),
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
    broken = frozenset(name for each in definitions for name in each.broken)
    return Names(vars=variables, tables=tables, broken=broken, partial=partial), [*again, *more]


def _unique(what: str, defined: Iterable[D]) -> tuple[dict[str, D], list[Mistake]]:
    """The first of each name, and what is wrong with the others."""
    first: dict[str, D] = {}
    again = [each for each in defined if first.setdefault(each.name, each) is not each]
    return first, [_again(what, each, first[each.name].position) for each in again]


def _again(what: str, second: Variable | Table, first: Position) -> Mistake:
    message = f"{what} '{second.name}' is already defined in {first.file}:{first.line}"
    return Mistake(level=MistakeLevel.ERROR, code="duplicate-name", message=message, position=second.position)


def _entries(found: Findings, root: MappingNode, key: str) -> tuple[Entry, ...]:
    node = root.get(key)
    if node is None:
        return ()
    example = "{big: 500 USD}" if key == "vars" else "{vip: [acct_1, acct_2]}"
    given = mapping(found, node, f"a map of names under {key}, like {example}")
    return given.entries if given else ()


def _named(found: Findings, entry: Entry, what: str) -> bool:
    if _NAME.fullmatch(entry.name):
        return True
    better = re.sub(r"[^A-Za-z0-9_]+", "_", entry.name).strip("_")
    hint = f"write '{better}'" if _NAME.fullmatch(better) else None
    found.error("vars" if what == "variable" else "table", entry.key, f"a {what}'s name is letters, digits and _", hint)
    return False


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
