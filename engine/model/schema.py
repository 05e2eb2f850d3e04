"""What Stripe's objects look like: a committed table of fields, of which an object is read when it is first asked for.

The table, objects.txt, is made from the installed SDK by `python -m scripts.stripe_objects`, and a test holds the two
together. It is knowledge for warnings and completion, never a gate: Stripe adds fields and values.

A line that begins with a letter is an object; below it a field a line, `name type`, indented by a space a level. Types
are the words of `Kind`, and: `=a|b` a text that is one of these; `~a|b` the same, as Stripe says that it adds some;
`?a|b` a text for which the SDK's words list these. `id:charge` is the id of an object, which `expand` would put in its
place; `object:charge` that object itself; `[]..` a list; `{}..` a map with any keys. `#1 a|b` above the objects is a
list of values that several fields have.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType


class Kind(StrEnum):
    """What a field holds, null aside. A time is in seconds since 1970, a timestamp an ISO 8601 text."""

    TEXT = "text"
    INTEGER = "integer"
    AMOUNT = "amount"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    TIMESTAMP = "timestamp"
    ID = "id"
    OBJECT = "object"
    LIST = "list"
    MAP = "map"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """The type of a field, or an object.

    `values` are the texts it may be, empty where any; `listed`: they are all that Stripe defines, else only those the
    SDK's words mention. `item` is what a list or a map holds. `of` are the names of the objects that an id or an
    object is one of; `fields` those of a map of its own (use `within`, which knows them of both).
    """

    kind: Kind
    values: tuple[str, ...] = ()
    listed: bool = False
    item: "Field | None" = None
    of: tuple[str, ...] = ()
    fields: Mapping[str, "Field"] = field(default_factory=dict)

    @property
    def within(self) -> "tuple[Mapping[str, Field], ...]":
        """The fields below it, one map for each object that it may be; none where it has none or they are unknown."""
        if self.kind is not Kind.OBJECT:
            return ()
        if not self.of:
            return (self.fields,)
        return tuple(found.fields for name in self.of if (found := schema(name)) is not None)


@cache
def schema(name: str) -> Field | None:
    """The object of that name (`charge`, `v2.core.account`), None where it is not known."""
    text, shared = _table()
    begin = text.find(f"\n{name}\n")
    if begin < 0:
        return None
    begin += len(name) + 2
    end = re.compile(r"^[^ ]", re.MULTILINE).search(text, begin)
    lines = text[begin : end.start() if end else len(text)].splitlines()
    fields, _ = _fields(lines, 0, 1, shared)
    return Field(kind=Kind.OBJECT, fields=fields)


@cache
def objects() -> tuple[str, ...]:
    """The names of every object that is known, in order."""
    return tuple(re.findall(r"^[a-z].*$", _table()[0], re.MULTILINE))


@cache
def versions() -> tuple[str, str]:
    """The version of the SDK and of the API that the table was made of: `16.1.0`, `2026-10-28`."""
    found = re.match(r"# The objects of stripe-python (\S+) \(API ([\d-]+)", _table()[0])
    assert found is not None
    return found[1], found[2]


@cache
def _table() -> tuple[str, Mapping[str, tuple[str, ...]]]:
    text = (files("engine.model") / "objects.txt").read_text(encoding="utf-8")
    shared = {number: tuple(values.split("|")) for number, values in re.findall(r"^(#\d+) (.*)$", text, re.MULTILINE)}
    return text, shared


def _fields(
    lines: list[str], at: int, depth: int, shared: Mapping[str, tuple[str, ...]]
) -> tuple[Mapping[str, Field], int]:
    """The fields from a line on that are as deep as it, and the line after them."""
    found: dict[str, Field] = {}
    while at < len(lines) and len(lines[at]) - len(lines[at].lstrip()) == depth:
        name, _, word = lines[at].strip().partition(" ")
        below, at = _fields(lines, at + 1, depth + 1, shared)
        found[name] = _field(word, below, shared)
    return MappingProxyType(found), at


def _field(word: str, below: Mapping[str, Field], shared: Mapping[str, tuple[str, ...]]) -> Field:
    if word.startswith(("[]", "{}")):
        kind = Kind.LIST if word.startswith("[]") else Kind.MAP
        return Field(kind=kind, item=_field(word[2:], below, shared))
    if word[0] in "=~?":
        values = shared.get(word[1:]) or tuple(word[1:].split("|"))
        return Field(kind=Kind.TEXT, values=values, listed=word[0] != "?")
    name, _, names = word.partition(":")
    return Field(kind=Kind(name), of=tuple(names.split("|")) if names else (), fields=below)


def field_at(name: str, path: str) -> Field | None:
    """The field at a dotted path of an object of that name, None where it is not known."""
    found = schema(name)
    for each in path.split("."):
        found = next((fields[each] for fields in found.within if each in fields), None) if found else None
    return found


def paths_to(name: str, fields: Mapping[str, Field], depth: int = 3, before: str = "") -> Iterator[str]:
    """The dotted paths, at most `depth` names long, to fields of that name, through maps and not through lists."""
    if name in fields:
        yield before + name
    if depth > 1:
        for each, below in fields.items():
            if below.kind is Kind.OBJECT and not below.of:
                yield from paths_to(name, below.fields, depth - 1, f"{before}{each}.")
