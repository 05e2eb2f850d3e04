"""Paths: where a rule looks.

    amount, evidence_details.due_by, lines.data[*].amount, metadata['my key']      from the event's object
    $.account, $.data..id, $.data.object.items[?@.amount > 100].id                 JSONPath, from the event's root
    $event.account, $account.country, $previous.amount                             from a named value
    $tables.accounts.limit                                                         the cell of the event's account
    $steps.charge.result.amount                                                    what a step before this one gave
    $window.count, $digest.count, $incident.first.id                               what came of a rule's time and noise
    .                                                                              the element or value itself

What stands in brackets is RFC 9535's in all of them: slices, several names, filters.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from engine.match.grammar import read_bracket, read_json_path
from engine.match.steps import EACH, PathError, Step
from engine.model.condition import Column, PathTest, Reference
from engine.model.timing import TOLD as FIELDS
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
    STEPS = "steps"
    WINDOW = "window"
    INCIDENT = "incident"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path read: where it starts and the steps from there, and where in the text each step ends.

    `column` is where a path that starts from a table ends; its steps are then the names of the table and the column.
    """

    text: str
    base: Base
    steps: tuple[Step, ...]
    ends: tuple[int, ...]
    column: Column | None = None

    @property
    def several(self) -> bool:
        """Whether it may lead to more than one value: it has more than names and indexes."""
        return not all(isinstance(step, (str, int)) for step in self.steps)

    @property
    def of_object(self) -> tuple[Step, ...] | None:
        """The steps from the event's object, also where it was written from the root; None when it is elsewhere."""
        if self.base is Base.OBJECT:
            return self.steps
        inside = self.base is Base.EVENT and len(self.steps) > 2 and self.steps[:2] == ("data", "object")
        return self.steps[2:] if inside else None

    def split(self, place: int) -> tuple[str, str]:
        """The text up to the step of that place, and from it on."""
        begin = self.ends[place - 1] if place else 0
        return self.text[:begin], self.text[begin:]


TOLD = frozenset({Base.WINDOW, Base.INCIDENT, Base.DIGEST})
"""Bases that are there only for the steps of rules with the key that they come with."""

_BASES = {f"${base}": base for base in Base if base not in (Base.OBJECT, Base.ITEM)}
NAMES = (*(name for name, base in _BASES.items() if base not in TOLD), "$vars")

_PLAIN_STEP = re.compile(
    r"""(?P<name>[^\s.\[\]'"*$()?@,:|&]+)|\[(?P<index>0|-?[1-9]\d{0,8})\]|(?P<each>\[\*\])"""
    r"""|\['(?P<single>[^'\\\x00-\x1f]*)'\]|\["(?P<double>[^"\\\x00-\x1f]*)"\]|(?P<bracket>\[)""",
    re.ASCII,
)
_ROOTED = re.compile(r"\$(?:$|[ \t\n\r]*[.\[])")
_NAMED = re.compile(r"\$[A-Za-z_]\w*", re.ASCII)


@lru_cache(maxsize=16_384)
def parse_path(text: str) -> Path:
    """Read a path. Raises PathError, whose message and hint are for the rule's author."""
    if not text or len(text) > LONGEST:
        raise PathError("a path is a few names with dots between, like evidence_details.due_by")
    if text == ".":
        return Path(text=text, base=Base.ITEM, steps=(), ends=())
    if _ROOTED.match(text):
        steps, ends = read_json_path(text)
        return Path(text=text, base=Base.EVENT, steps=steps, ends=ends)
    if text.startswith("$"):
        return _named(text)
    steps, ends = _plain(text, 0)
    return Path(text=text, base=Base.OBJECT, steps=steps, ends=ends)


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
    if name != "$vars" and name not in _BASES:
        hint = did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}"
        raise PathError(f"unknown name '{name}'", hint, at=0, length=len(name))
    if name == "$vars":
        raise PathError("a variable is a value, and stands where a value may", "write path: $vars.name")
    begin = len(name) + text.startswith(".", len(name))
    steps, ends = _plain(text, begin) if len(text) > len(name) else ((), ())
    if name == "$tables" and (len(steps) != 2 or not all(isinstance(step, str) for step in steps)):
        raise PathError(f"'{text}' names no column", "write $tables.<table>.<column>")
    if name == "$steps" and not (steps and isinstance(steps[0], str)):
        raise PathError(f"'{text}' names no step", "write $steps.<step>.ok, .result or .reason")
    if _BASES[name] in TOLD:
        _check_told(text, name, steps)
    if name == "$account" and not steps:
        raise PathError("the account is named by its id", "write $account.id, or a field of it, like $account.country")
    return Path(text=text, base=_BASES[name], steps=steps, ends=ends)


def _check_told(text: str, name: str, steps: tuple[Step, ...]) -> None:
    known = FIELDS[name.removeprefix("$")]
    example = f"write {name}.{'first.id' if known is None else 'count'}"
    if not steps or not isinstance(steps[0], str):
        raise PathError(f"'{text}' names nothing of {name}", example)
    if known is not None and steps[0] not in known:
        hint = did_you_mean(steps[0], known) or f"it has {', '.join(sorted(known))}"
        raise PathError(f"{name} has no '{steps[0]}'", hint)


def _plain(text: str, begin: int) -> tuple[tuple[Step, ...], tuple[int, ...]]:
    """The steps of the dotted path that begins at a place of the text, and where each ends."""
    steps: list[Step] = []
    ends: list[int] = []
    at = begin
    while at < len(text) or not steps:
        dotted = bool(steps) and text[at] == "."
        found = _PLAIN_STEP.match(text, at + dotted)
        # A name stands at the beginning or after a dot, a bracket anywhere but after a dot.
        if found is None or (found["name"] is None if dotted else found["name"] is not None and bool(steps)):
            raise _unreadable(text, at)
        if found["bracket"]:
            step, at = read_bracket(text, found.start())
        else:
            step, at = _step(found), found.end()
        steps.append(step)
        ends.append(at)
    return tuple(steps), tuple(ends)


def _step(found: re.Match[str]) -> Step:
    if found["each"]:
        return EACH
    if found["index"]:
        return int(found["index"])
    if found["name"]:
        if found["name"].isdecimal():
            raise PathError(
                f"'{found['name']}' could be a place in a list or a name",
                f"without the dot, write [{found['name']}] for the place, ['{found['name']}'] for the name",
                at=found.start(),
                length=len(found["name"]),
            )
        return found["name"]
    return found["single"] if found["single"] is not None else found["double"]


def _unreadable(text: str, at: int) -> PathError:
    rest = text[at:]
    if rest in ("", "."):
        return PathError(f"the path '{text}' ends too early")
    hint = "names with dots between, [0], [*], and ['any name'] for names with other characters"
    if rest.startswith(("*", ".*")):
        hint = f"write {'[*] without the dot' if at else '[*]'} for every element"
    elif rest.startswith(".."):
        hint = "one dot leads to a field; to look at any depth write $.data.object.. and the name"
    elif rest.startswith(".["):
        hint = "a bracket stands without a dot before it"
    return PathError(f"cannot read the path at '{rest[:20]}'", hint, at=at, length=len(rest))
