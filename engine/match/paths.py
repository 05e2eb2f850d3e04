"""Paths: where a rule looks. The only importer of jsonpath-ng.

    amount, evidence_details.due_by, lines.data[*].amount, metadata['my key']      from the event's object
    $.account, $['data'].object.id                                                 JSONPath, from the event's root
    $event.account, $account.id, $previous.amount                                  from a named value
    .                                                                              the element or value itself

jsonpath-ng reads a JSONPath (RFC 9535) but does not run it: on the plain ones, names, indexes and `[*]`, a getter of
our own is exact where the library is lenient, and thirty times as fast.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Any, Final, Protocol

from engine.match.values import MISSING, Missing
from engine.model.event import Json
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


class Each(Enum):
    """`[*]`: every element of a list, or every value of a map (RFC 9535 section 2.3.2)."""

    EACH = "[*]"


EACH: Final = Each.EACH
Step = str | int | Each


class Subject(Protocol):
    """What conditions are judged on: an `Event`, or an `Item` or `Element` within one."""

    @property
    def object(self) -> dict[str, Json] | None: ...
    @property
    def data(self) -> dict[str, Json]: ...
    @property
    def previous(self) -> dict[str, Json] | None: ...
    @property
    def account(self) -> str | None: ...
    @property
    def created(self) -> datetime: ...


class Item:
    """One value within an event, judged by itself: what `.` is. `currency` is that of the object around it."""

    __slots__ = ("account", "created", "currency", "data", "object", "previous", "value", "whole")

    def __init__(self, subject: Subject, value: Json, currency: str | None) -> None:
        self.object = subject.object
        self.data = subject.data
        self.previous = subject.previous
        self.account = subject.account
        self.created = subject.created
        self.value = value
        self.currency = currency
        self.whole: dict[str, Json] | None = subject.whole if isinstance(subject, Item) else subject.object


class Element(Item):
    """An element of a list, judged by itself: paths begin at it. `whole` is the event's own object."""

    __slots__ = ()

    def __init__(self, subject: Subject, value: Json, currency: str | None) -> None:
        super().__init__(subject, value, currency)
        self.object = value if isinstance(value, dict) else None


class PathError(ValueError):
    """A path that cannot be used. `code` is `path` or `not-yet`, `hint` what to write instead, where that is known."""

    def __init__(self, message: str, hint: str | None = None, code: str = "path") -> None:
        self.code, self.message, self.hint = code, message, hint
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path read: where it starts and the steps from there. `several`: it may yield more than one value."""

    text: str
    base: Base
    steps: tuple[Step, ...]

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


_BASES = {f"${base}": base for base in (Base.EVENT, Base.ACCOUNT, Base.PREVIOUS)}
NAMES = tuple(_BASES)
LATER_NAMES = ("$vars", "$tables", "$steps", "$window", "$incident", "$digest")

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
        return Path(text=text, base=Base.EVENT, steps=_json_path(text))
    if text.startswith("$"):
        return _named(text)
    return Path(text=text, base=Base.OBJECT, steps=_plain(text, text))


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
    rest = text[len(name) :]
    steps = _plain(rest.removeprefix("."), text) if rest else ()
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


def _json_path(text: str) -> tuple[Step, ...]:
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse  # here: the import takes 50 ms, and few rules have a JSONPath

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of operators that are refused below anyway
        try:
            tree = parse(text)
        except (JSONPathError, ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = str(error).splitlines()[0].rstrip() if str(error) else "it cannot be read"
            raise PathError(f"'{text}' is not a JSONPath: {reason}") from None
    return tuple(_steps_of(tree, text))


_REFUSED = {
    "Descendants": "descendants (..)",
    "Filter": "filters ([?..])",
    "Slice": "slices ([1:3])",
    "Union": "unions",
    "Fields": "several names at once",
    "Index": "several indexes at once",
}


def _steps_of(tree: Any, text: str) -> Iterator[Step]:
    kind = type(tree).__name__
    if kind == "Root":
        return
    if kind == "Child":
        yield from _steps_of(tree.left, text)
        yield from _steps_of(tree.right, text)
    elif kind == "Fields" and len(tree.fields) == 1:
        yield EACH if tree.fields == ("*",) and "'*'" not in text and '"*"' not in text else str(tree.fields[0])
    elif kind == "Index" and len(tree.indices) == 1:
        yield int(tree.indices[0])
    elif kind == "Wildcard" or (kind == "Slice" and (tree.start, tree.end, tree.step) == (None, None, None)):
        yield EACH
    else:
        what = _REFUSED.get(kind, "this")
        raise PathError(f"{what} in a JSONPath: not there yet", "a JSONPath has names, indexes and [*]", code="not-yet")


# Getters: what a path finds in an event.

_ROOTS: dict[Base, Callable[[Any], Json]] = {
    Base.OBJECT: lambda subject: subject.object,
    Base.EVENT: lambda subject: subject.data,
    Base.PREVIOUS: lambda subject: subject.previous,
    Base.ACCOUNT: lambda subject: {"id": subject.account},
    Base.ITEM: lambda subject: subject.value,
}


def descend(root: Json, steps: tuple[Step, ...]) -> Json | Missing:
    """The one value at the end of steps without `[*]`; MISSING where the path breaks off. Never raises."""
    value = root
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return MISSING
            value = value[step]
        else:
            if not isinstance(value, list) or not isinstance(step, int) or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
    return value


def getter(path: Path) -> Callable[[Any], Json | Missing]:
    """A function of a subject giving the path's one value or MISSING; for paths without `[*]`."""
    steps = path.steps
    if path.base is Base.OBJECT and len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]

        def field(subject: Any) -> Json | Missing:
            found = subject.object
            return found.get(name, MISSING) if found is not None else MISSING

        return field
    root = _ROOTS[path.base]
    return lambda subject: descend(root(subject), steps)


def values_getter(path: Path) -> Callable[[Any], list[Json]]:
    """A function of a subject giving every value of the path; an empty list means missing."""
    root, steps = _ROOTS[path.base], path.steps

    def values(subject: Any) -> list[Json]:
        found = [root(subject)]
        for step in steps:
            found = [child for value in found for child in _children(value, step)]
        return found

    return values


def find(path: Path, subject: Any) -> list[tuple[Json, str | None]]:
    """Every value of the path, each with the `currency` of the nearest enclosing object that has one, if any.

    An empty list means missing. What changed is in the currency of the object it belongs to, if it says no other.
    """
    found: list[tuple[Json, str | None]] = [(_ROOTS[path.base](subject), _currency_outside(path, subject))]
    for step in path.steps:
        found = [
            (child, _currency_of(value) or currency) for value, currency in found for child in _children(value, step)
        ]
    if path.base is Base.ACCOUNT:
        found = [pair for pair in found if pair[0] is not None]  # the platform's own id is not known
    return [pair for pair in found if pair[0] is not MISSING]


def _currency_outside(path: Path, subject: Any) -> str | None:
    """The currency around where a path begins."""
    if path.base is Base.ITEM or (path.base is Base.OBJECT and isinstance(subject, Element)):
        found: str | None = subject.currency
        return found
    if path.base is Base.PREVIOUS:
        return currency_around(subject.whole if isinstance(subject, Item) else subject.object, path.steps)
    return None


def currency_around(root: Json, steps: tuple[Step, ...]) -> str | None:
    """The currency of the nearest enclosing object on the way along steps (as far as they lead), None if none has."""
    currency: str | None = None
    value = root
    for step in steps:
        currency = _currency_of(value) or currency
        children = _children(value, step)
        if step is EACH or not children:
            break
        value = children[0]
    return currency


def _children(value: Json, step: Step) -> list[Json]:
    if step is EACH:
        if isinstance(value, list):
            return value
        return list(value.values()) if isinstance(value, dict) else []
    if isinstance(value, dict):
        return [value[step]] if step in value else []
    child = descend(value, (step,))
    return [] if child is MISSING else [child]


def _currency_of(value: Json) -> str | None:
    if isinstance(value, dict):
        currency = value.get("currency")
        if isinstance(currency, str):
            return currency.lower()
    return None
