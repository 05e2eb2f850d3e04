"""Values as PostgreSQL takes them."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from engine.model.event import Json

Row = TypeVar("Row")


def columns(rows: Sequence[Row], *values: Callable[[Row], object]) -> list[list[object]]:
    """One list for each of `values`, the arguments of an `unnest`."""
    return [[value(row) for row in rows] for value in values]


def text(value: str | None) -> str | None:
    """`value` without what PostgreSQL's text refuses: NUL and lone surrogates become U+FFFD."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def texts(values: Iterable[str]) -> list[str]:
    """`text` of each."""
    return [text(value) or "" for value in values]


def to_json(value: Json) -> str | None:
    """JSON escaped to ASCII, so that any string can be kept; None for None."""
    return None if value is None else json.dumps(value, separators=(",", ":"))


def from_json(stored: str | None) -> Any:
    """The value that `to_json` was given."""
    return None if stored is None else json.loads(stored)
