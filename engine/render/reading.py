"""Reading facts out of any JSON: what is not there, or not of the kind expected, is no fact, never an error."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.errors import TemplateError
from engine.model.event import Json
from engine.model.money import money_text
from engine.render.spelling import code_words, written
from engine.render.times import ago_text, date_text, moment

LONGEST = 240


def at(value: Json, path: str) -> Json:
    """What stands at a dotted path of maps, None where it does not lead anywhere."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def text(value: Json) -> str | None:
    """One short line of a text or number; None for null, empty, maps and lists."""
    if value is None or isinstance(value, Mapping | list):
        return None
    line = " ".join(written(value).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def words(value: Json) -> str | None:
    """A code in words: `insufficient_funds` is `insufficient funds`."""
    line = text(value)
    return line.replace("_", " ") if line else None


def money(amount: Json, currency: Json) -> str | None:
    """An amount in minor units with its currency (v2: a map of `value` and `currency`)."""
    if isinstance(amount, Mapping):
        amount, currency = amount.get("value"), amount.get("currency", currency)
    if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(currency, str):
        return None
    return money_text(amount, currency[:10]) if currency and abs(amount) < 10**18 else None


def balances(value: Json) -> str | None:
    """The amounts of a balance, `€12.00, $3.50`, negative ones first."""
    owed: list[str] = []
    held: list[str] = []
    for entry in value[:20] if isinstance(value, list) else []:
        amount, line = at(entry, "amount"), money(at(entry, "amount"), at(entry, "currency"))
        if line:
            (owed if amount < 0 else held).append(line)
    return ", ".join(owed + held) or None


def when(value: Json, style: str = "long") -> str | None:
    """A time for people."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return date_text(value, style)
    except (TemplateError, ValueError, OverflowError):
        return None


def deadline(value: Json, now: datetime) -> str | None:
    """A time, and how far away it is: `29 Nov 2026 14:00 UTC (in 6 days)`."""
    shown = when(value)
    if shown is None:
        return None
    return f"{shown} ({ago_text(moment(value), now)})"


def listed(value: Json, most: int = 8) -> str | None:
    """The texts of a list in words, the rest counted."""
    items = [line for line in (requirement(item) for item in value[:200]) if line] if isinstance(value, list) else []
    if not items:
        return None
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def requirement(value: Json) -> str | None:
    """A field path as Stripe's requirements name it, in words: `individual: verification document`."""
    line = text(value)
    if not line:
        return None
    return code_words(line)


def identifier(value: Json) -> str | None:
    """The id of an object, expanded or not."""
    return text(value.get("id") if isinstance(value, Mapping) else value)


def first(*lines: str | None) -> str | None:
    """The first that says something."""
    return next((line for line in lines if line), None)


def joined(lines: Sequence[Any], separator: str) -> str | None:
    """Those that say something, joined; None if none does."""
    return separator.join(line for line in lines if line) or None
