"""Times in texts: dates people read, and how far away they are."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from engine.errors import TemplateError
from engine.model.event import Json

_FORMATS = {
    "long": "%-d %b %Y %H:%M",
    "date": "%-d %b %Y",
    "time": "%H:%M",
}
# No widths: glibc honours `%999999999d` and would fill the memory.
_SAFE_FORMAT = re.compile(r"(?:[^%]|%-?[aAbBdeHIjmMpSyYZzuV%]){0,200}\Z")

_UNITS = (("minute", 60, 60), ("hour", 3600, 48), ("day", 86_400, 60), ("month", 2_629_746, 24))


def moment(value: Json) -> datetime:
    """A time as an aware UTC datetime: epoch seconds (Stripe v1), ISO 8601 text (v2), or a datetime.

    Raises TemplateError for anything else; a text without an offset is UTC.
    """
    try:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise TemplateError("a time is epoch seconds or an ISO date, and this value is neither")


def zone(name: str) -> tzinfo:
    """The time zone of that IANA name. Raises TemplateError when there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise TemplateError("there is no such timezone; write one like 'Europe/Paris'") from None


def date_text(value: Json, style: str = "long", timezone: str = "UTC") -> str:
    """A time for people: `23 Nov 2026 14:02 UTC`; `date` and `time` for a part, `iso`, or a strftime format."""
    local = moment(value).astimezone(zone(timezone))
    if style == "iso":
        return local.isoformat(timespec="seconds")
    if not _SAFE_FORMAT.match(style):
        raise TemplateError("date takes 'long', 'date', 'time', 'iso' or a strftime format without widths")
    text = local.strftime(_FORMATS.get(style, style))
    return f"{text} {local.tzname()}" if style in ("long", "time") else text


def ago_text(value: Json, now: datetime) -> str:
    """How far away a time is: `in 6 days`, `3 hours ago`, `just now`. Parts of a unit are left out, so that a
    deadline never reads as further away than it is."""
    seconds = int((moment(value) - now).total_seconds())
    distance = abs(seconds)
    if distance < 60:
        return "now" if seconds > 0 else "just now"
    name, size = next(((name, size) for name, size, most in _UNITS if distance < size * most), ("year", 31_556_952))
    count = distance // size
    words = f"{count} {name}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds > 0 else f"{words} ago"
