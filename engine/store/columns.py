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


SEPARATOR, NULL = "\x1f", "\x1e"
"""ASCII's own unit and record separators, which nothing Stripe sends holds; what does is caught by `joined`."""


def joined(values: Sequence[str | None]) -> str:
    """A text array as one string, for `string_to_array(.., E'\\x1f', E'\\x1e')`.

    asyncpg looks at each element of an array several times: this halves what a batch of events costs to send. An
    empty string becomes null too: alone in its array it could not be told from no element at all.
    Raises ValueError where a value holds the separator, as asyncpg does for other values that cannot be sent.
    """
    found = SEPARATOR.join([value or NULL for value in values])
    if found.count(SEPARATOR) != len(values) - 1:
        raise ValueError("a value holds the separator of columns")
    return found


def text(value: str | None) -> str | None:
    """`value` without what PostgreSQL's text or `joined` refuses: such characters become U+FFFD."""
    if value is None or (value.isascii() and value.isprintable()):
        return value
    return value.translate(_REFUSED).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_REFUSED = dict.fromkeys(map(ord, ("\0", SEPARATOR, NULL)), "\ufffd")


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
