"""Texts that read what the event's object does not have, or write it as what it is not."""

import re
from collections.abc import Sequence
from functools import lru_cache

from engine.match import parse_path
from engine.model.rule import When
from engine.model.schema import Field, Kind
from engine.render import Survey
from engine.render.filters import AMOUNT_FIELDS
from engine.render.sandbox import STRING_METHODS
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Carried, Lost, carried, lead, with_ids
from engine.rulebook.lints.paths import Context, spots_of
from engine.rulebook.lints.values import MAPS, TEXTS
from engine.rulebook.lints.wording import kind_in_words
from engine.source import Scalar

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FILTERS = frozenset({"money", "date", "ago"})
_Path = tuple[str | int, ...]
_ROOTS = {"object": "", "previous": "$previous."}


def advise_text(found: Findings, text: Scalar, asks: Survey, whens: tuple[When, ...]) -> None:
    """Warn of fields in a text that no object has of the events that its rule takes."""
    about = with_ids(carried(tuple(dict.fromkeys(pattern for when in whens for pattern in when.types))), whens)
    if about.whole:
        for path, root in _paths(asks.fields):
            spots_of(found, parse_path(path), Context(about=about, within=root), text.position)
        for path, root in _paths(asks.called):
            if not _may_call(path, about):
                spots_of(found, parse_path(path), Context(about=about, within=root), text.position)
        for path, name, told in _filtered(asks.filtered):
            ends = lead(parse_path(path), about, None) if path else about.spots
            doubts = [] if isinstance(ends, Lost) else [_doubt(path, name, told, spot.field, about) for spot in ends]
            first = doubts[0] if doubts and all(doubts) else None
            if first is not None:
                found.warn("field-type", text, *first)


def _may_call(path: str, about: Carried) -> bool:
    """Whether what stands before the last name may be a text or a map with that method; also where it is unknown, which
    is told by itself."""
    owner, _, method = path.rpartition(".")
    ends = lead(parse_path(owner), about, None) if owner not in ("", "$previous") else ()
    wanted = TEXTS if method in STRING_METHODS else MAPS
    return isinstance(ends, Lost) or not ends or any(spot.field.kind in (Kind.ANY, *wanted) for spot in ends)


@lru_cache(maxsize=4_096)
def _paths(fields: frozenset[_Path]) -> tuple[tuple[str, str], ...]:
    """The fields that a text reads as paths of the rule language, and the name that stands before each in the text."""
    found: list[tuple[str, str]] = []
    for root, *steps in sorted(fields, key=str):
        path = _written(steps)
        if path:
            found.append((f"{_ROOTS[str(root)]}{path}", str(root)))
    return tuple(found)


@lru_cache(maxsize=4_096)
def _filtered(filtered: frozenset[tuple[_Path, str, bool]]) -> tuple[tuple[str, str, bool], ...]:
    """The paths that go through the filters of times and money (empty: the object itself)."""
    return tuple(
        (_written(steps), name, told)
        for (_, *steps), name, told in sorted(filtered, key=str)
        if name in _FILTERS and all(map(_is_plain, steps))
    )


def _written(steps: Sequence[str | int]) -> str:
    """Steps as a path, as far as they are plain names and places."""
    path = ""
    for step in steps:
        if not _is_plain(step):
            break
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path[1:] if path.startswith(".") else ""


def _is_plain(step: str | int) -> bool:
    return isinstance(step, int) or _NAME.fullmatch(step) is not None


def _doubt(path: str, name: str, told: bool, field: Field, about: Carried) -> tuple[str, str | None] | None:
    """Why a filter can do nothing with such a field: a message and a hint."""
    kind, what = field.kind, f"object.{path}" if path else "object"
    if kind is Kind.ANY or (kind is Kind.TEXT and not field.values):
        return None
    if name in ("date", "ago"):
        if kind in (Kind.TIME, Kind.TIMESTAMP, Kind.INTEGER):
            return None
        return f"'{name}' writes times, and {what} is {kind_in_words(field)}", None
    if kind is Kind.OBJECT:
        if any(set(AMOUNT_FIELDS) & fields.keys() for fields in field.within):
            return None
        return f"'money' finds no amount in {what}", "write which one, like object.amount_paid | money"
    if kind not in (Kind.AMOUNT, Kind.INTEGER, Kind.NUMBER):
        return f"'money' writes amounts, and {what} is {kind_in_words(field)}", None
    if told or any("currency" in fields for spot in about.spots for fields in spot.field.within):
        return None
    return f"'money' cannot tell the currency of {what}: the object has none", "write it, like money('usd')"
