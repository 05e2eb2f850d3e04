"""Values as the language compares them: by type and value, exactly, and without ever raising.

Numbers are integers and exact decimals: a JSON float counts as the decimal it was written as. `true` is no number,
text is never a number, and NaN is nothing at all.
"""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from engine.model.event import Json


class Missing(Enum):
    """The value of a path that is not there."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.{0,30})?", re.ASCII)


def number(value: Json) -> int | Decimal | None:
    """The exact number, None where the value is none (true, text, NaN)."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is float:
        return Decimal(repr(value)) if math.isfinite(value) else None
    if kind is Decimal:
        return Decimal(value) if value.is_finite() else None
    return None


def parse_time(text: str) -> datetime | None:
    """An ISO 8601 date or date and time as aware UTC (without an offset it is taken as UTC), None if it is none."""
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def seconds(value: Json) -> int | Decimal | None:
    """A time as exact seconds since 1970, from Stripe's epoch seconds or an ISO string; None where it is no time."""
    if isinstance(value, str):
        moment = parse_time(value)
        return epoch_seconds(moment) if moment else None
    return number(value)


def epoch_seconds(moment: datetime) -> Decimal:
    """An aware moment as exact seconds since 1970."""
    since = moment - _EPOCH
    return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds) / 1_000_000


def equal(one: Json, other: Json) -> bool:
    """Equality by type and value: 1 is 1.0, never "1" and never true. Lists and maps by their content."""
    if isinstance(one, str):
        return isinstance(other, str) and one == other
    if one is None or isinstance(one, bool):
        return one is other
    if isinstance(one, (list, tuple, dict)) or isinstance(other, (list, tuple, dict)):
        return bool(identity(one) == identity(other))
    first, second = number(one), number(other)
    return first is not None and second is not None and first == second


def folded(value: Json) -> Json:
    """A text in one case, the same for all its spellings in upper and lower case; anything else as it is."""
    return value.casefold() if isinstance(value, str) else value


def identity(value: Json) -> Json:
    """A hashable stand-in, the same for exactly those values that `equal` holds the same.

    Containers are flattened with a stack of our own: an event may be nested more deeply than Python recurses.
    """
    if not isinstance(value, (list, tuple, dict)):
        return _atom(value)
    tokens: list[Json] = []
    pending: list[Json] = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            tokens += [(dict, len(current)), *sorted(map(str, current))]
            pending += [current[key] for key in sorted(current, key=str)]
        elif isinstance(current, (list, tuple)):
            tokens.append((list, len(current)))
            pending += current
        else:
            tokens.append(_atom(current))
    return tuple(tokens)


def _atom(value: Json) -> Json:
    if value is None or isinstance(value, (bool, Missing)):
        return (type(value), value)
    if isinstance(value, str):
        return value
    exact = number(value)
    return (Decimal, exact) if exact is not None else object()  # NaN equals nothing, itself included
