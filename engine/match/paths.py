"""Paths: where a rule looks.

amount, evidence_details.due_by, lines.data[*].amount, metadata['my key']      from the event's object
$.account, $['data'].object.id                                                 JSONPath, from the event's root
$event.account, $account.id, $previous.amount                                  from a named value
$tables.accounts.limit                                                         the cell of the event's account
.                                                                              the element or value itself
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from engine.match.jsonpath import parse_json_path
from engine.match.steps import EACH, PathError, Step
from engine.model.condition import Column, PathTest, Reference
from engine.source.nearest import did_you_mean

LONGEST = 500
"""Characters of a path; a longer one is a mistake."""


class Base(StrEnum):
    """What a path starts from."""

    OBJECT = "object"
    EVENT = "event"
    ACCOUNT = "account"
    PREVIOUS = "previous"
    ITEM = "item"
    TABLES = "tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path read: where it starts and the steps from there. `several`: it may yield more than one value.

    `column` is where a path that starts from a table ends; its steps are then the names of the table and the column.
    """

    text: str
    base: Base
    steps: tuple[Step, ...]
    column: Column | None = None

    @property
    def several(self) -> bool:
        """Whether `[*]` is in it."""
        return EACH in self.steps

    @property
    def of_object(self) -> tuple[Step, ...] | None:
        """The steps from the event's object, also where it was written from the root; None when it is elsewhere."""
        if self.base is Base.OBJECT:
            return self.steps
        inside = self.base is Base.EVENT and len(self.steps) > 2 and self.steps[:2] == ("data", "object")
        return self.steps[2:] if inside else None


_BASES = {f"${base}": base for base in (Base.EVENT, Base.ACCOUNT, Base.PREVIOUS, Base.TABLES)}
NAMES = (*_BASES, "$vars")
LATER_NAMES = ("$steps", "$window", "$incident", "$digest")

_PLAIN_STEP = re.compile(
    r"""(?P<name>[^\s.\[\]'"*$()?@,:|&]+)|\[(?P<index>-?\d{1,9})\]|(?P<each>\[\*\])"""
    r"""|\['(?P<single>(?:[^'\\]|\\.)*)'\]|\["(?P<double>(?:[^"\\]|\\.)*)"\]""",
    re.ASCII,
)
_NAMED = re.compile(r"\$[A-Za-z_]\w*", re.ASCII)


@lru_cache(maxsize=16_384)
def parse_path(text: str) -> Path:
    """Read a path. Raises PathError, whose message and hint are for the rule's author."""
    if not text or len(text) > LONGEST:
        raise PathError("a path is a few names with dots between, like evidence_details.due_by")
    if text == ".":
        return Path(text=text, base=Base.ITEM, steps=())
    if text.startswith(("$.", "$[")) or text == "$":
        return Path(text=text, base=Base.EVENT, steps=parse_json_path(text))
    if text.startswith("$"):
        return _named(text)
    return Path(text=text, base=Base.OBJECT, steps=_plain(text, text))


def path_of(part: PathTest | Reference) -> Path:
    """The path that a condition, or a reference in one, names. Raises PathError."""
    path = parse_path(part.path)
    return path if part.column is None else replace(path, column=part.column)


def is_name(text: str) -> bool:
    """Whether a value of a rule is meant as `$name` or a JSONPath, not as text that starts with a dollar sign."""
    return bool(_NAMED.match(text)) or text.startswith(("$.", "$["))


def _named(text: str) -> Path:
    found = _NAMED.match(text)
    name = found.group() if found else text
    if name in LATER_NAMES:
        raise PathError(f"{name} is not there yet", code="not-yet")
    if name not in NAMES:
        raise PathError(f"unknown name '{name}'", did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}")
    if name == "$vars":
        raise PathError("a variable is a value, and stands where a value may", "write path: $vars.name")
    rest = text[len(name) :]
    steps = _plain(rest.removeprefix("."), text) if rest else ()
    if name == "$tables" and (len(steps) != 2 or not all(isinstance(step, str) for step in steps)):
        raise PathError(f"'{text}' names no column", "write $tables.<table>.<column>")
    if name == "$account":
        if steps != ("id",):
            if len(steps) == 1:
                raise PathError("of the account only $account.id is there yet", code="not-yet")
            raise PathError("the account is named by its id", "write $account.id")
        return Path(text=text, base=Base.ACCOUNT, steps=steps)
    return Path(text=text, base=_BASES[name], steps=steps)


def _plain(text: str, whole: str) -> tuple[Step, ...]:
    """The steps of a dotted path. `whole` is the path as written, for messages."""
    steps: list[Step] = []
    at = 0
    while at < len(text) or not steps:
        dotted = bool(steps) and text[at] == "."
        found = _PLAIN_STEP.match(text, at + dotted)
        # A name stands at the beginning or after a dot, a bracket anywhere but after a dot.
        if found is None or (found["name"] is None if dotted else found["name"] is not None and bool(steps)):
            raise _unreadable(text[at:], whole)
        steps.append(_step(found, whole))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str], whole: str) -> Step:
    if found["each"]:
        return EACH
    if found["index"]:
        return int(found["index"])
    if found["name"]:
        if found["name"].isdecimal():
            raise PathError(
                f"'{found['name']}' in '{whole}' could be a place in a list or a name",
                f"write [{found['name']}] for the place, ['{found['name']}'] for the name",
            )
        return found["name"]
    quoted = found["single"] if found["single"] is not None else found["double"]
    return re.sub(r"\\(.)", r"\1", quoted)


def _unreadable(rest: str, whole: str) -> PathError:
    if rest.startswith(("*", ".*")):
        return PathError(f"cannot read the path '{whole}'", "write [*] for every element")
    if ".." in rest[:3] or rest.startswith("[?") or re.match(r"\[-?\d*:", rest):
        return PathError(
            f"cannot read the path '{whole}'", "a dotted path has names, [0] and [*]; JSONPaths start with $."
        )
    if rest == "" or rest == ".":
        return PathError(f"the path '{whole}' ends too early")
    return PathError(
        f"cannot read the path '{whole}' at '{rest[:20]}'",
        "names with dots between, [0], [*], and ['any name'] for names with other characters",
    )
