"""Values as PostgreSQL takes them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from engine.model.delivery import Delivery, Firing
from engine.model.event import Event, Json

Row = TypeVar("Row")
Noun = TypeVar("Noun", Event, Firing, Delivery)


def columns(rows: Sequence[Row], *values: Callable[[Row], object]) -> list[list[object]]:
    """One list for each of `values`, the arguments of an `unnest`."""
    return [[value(row) for row in rows] for value in values]


def text(value: str | None) -> str | None:
    """`value` without what PostgreSQL's text refuses: NUL and lone surrogates become U+FFFD."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def cleaned(row: Noun) -> Noun:
    """The noun with `text` of each of its strings; what it holds as bytes or JSON stays as it is."""
    values = ((field.name, getattr(row, field.name)) for field in fields(row))
    changes: dict[str, Any] = {name: text(value) for name, value in values if type(value) is str}
    return replace(row, **changes)


def to_json(value: Json) -> str | None:
    """JSON escaped to ASCII, so that any string can be kept; None for None."""
    return None if value is None else json.dumps(value, separators=(",", ":"))


def from_json(stored: str | None) -> Any:
    """The value that `to_json` was given."""
    return None if stored is None else json.loads(stored)
