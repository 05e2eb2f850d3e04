"""`calendars`: times that come again, by name, for the rules of all files.

calendars:
  nights: {timezone: Europe/Berlin, from: "22:00", until: "07:00"}
  weekends: {timezone: Europe/Berlin, weekdays: [sat, sun]}
  holidays: {timezone: Europe/Berlin, dates: [2026-12-25, 2026-12-26]}
"""

import re
from datetime import date

from engine.model.timing import Calendar
from engine.rulebook.fields import check_keys, expected, listed, mapping, read
from engine.rulebook.findings import Findings
from engine.rulebook.spans import read_clock, read_timezone, required
from engine.source import Entry, Mapping, Node, Scalar, nearest

KEYS = ("timezone", "weekdays", "from", "until", "dates")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of their numbers, Monday's being 0."""

DATE = r"\d{4}-\d{2}-\d{2}"

_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"(\w+)-(\w+)", re.ASCII)
_WHEN = 'from: "22:00" and until: "07:00", weekdays: [sat, sun] or dates: [2026-12-25]'


def read_calendar(found: Findings, entry: Entry) -> Calendar | None:
    """The calendar under a name; None with a mistake where it cannot be used."""
    given = mapping(found, entry.value, 'a map like {timezone: Europe/Berlin, from: "22:00", until: "07:00"}')
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "a calendar", KEYS)
    zone_node = required(found, given, "timezone", entry.name, "write timezone: Europe/Berlin, or UTC")
    zone = None if zone_node is None else read_timezone(found, zone_node)
    weekdays = read(given, "weekdays", lambda value: _weekdays(found, value))
    dates = read(given, "dates", lambda value: _dates(found, value)) or ()
    begin = read(given, "from", lambda value: read_clock(found, value))
    end = read(given, "until", lambda value: read_clock(found, value, end=True))
    if found.errors == errors:
        _check_span(found, given, entry)
    if found.errors > errors or zone is None:
        return None
    return Calendar(
        name=entry.name,
        timezone=zone,
        weekdays=weekdays,
        dates=dates,
        begin=begin,
        end=end,
        position=entry.key.position,
    )


def _check_span(found: Findings, given: Mapping, entry: Entry) -> None:
    begin, end = given.entry("from"), given.entry("until")
    if (begin is None) is not (end is None):
        there, missing = ("from", "until") if end is None else ("until", "from")
        place = begin or end
        assert place is not None
        found.error(
            "calendar", place.key, f"'{there}' stands without '{missing}'", 'write both: from: "22:00", until: "07:00"'
        )
    elif begin is not None and end is not None and _text(begin.value) == _text(end.value):
        found.error("calendar", end.key, "'from' and 'until' are the same", "leave both out for whole days")
    elif begin is None and given.get("weekdays") is None and given.get("dates") is None:
        found.error(
            "calendar", entry.key, f"'{entry.name}' would be always: it says no time and no day", f"write {_WHEN}"
        )


def _text(node: Node) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    return "00:00" if text == "24:00" else text


def read_weekday(found: Findings, node: Node) -> int | None:
    """A day of the week, Monday being 0."""
    number = _number(node.text) if isinstance(node, Scalar) else None
    if number is None:
        return found.error("calendar", node, *_no_weekday(node))
    return number


def _number(word: str) -> int | None:
    word = word.casefold()
    return next((n for n, names in enumerate(zip(WEEKDAYS, _LONG, strict=True)) if word in names), None)


def _no_weekday(node: Node) -> tuple[str, str | None]:
    given = node.text if isinstance(node, Scalar) else ""
    near = nearest(given, (*WEEKDAYS, *_LONG)) if given else None
    number = None if near is None else _number(near)
    hint = f"did you mean '{WEEKDAYS[number]}'?" if number is not None else None
    return f"expected a day of the week: {', '.join(WEEKDAYS)}" + (f"; got '{given[:40]}'" if given else ""), hint


def _weekdays(found: Findings, node: Node) -> frozenset[int] | None:
    """Days and spans of days: `[mon-thu, sun]`."""
    days: set[int] = set()
    errors = found.errors
    for item in listed(found, node, "days of the week like [sat, sun] or mon-fri") or ():
        span = _SPAN.fullmatch(item.text) if isinstance(item, Scalar) else None
        ends = [_number(word) for word in (span[1], span[2])] if span else []
        if span and None not in ends:
            first, last = (number for number in ends if number is not None)
            days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
        else:
            number = read_weekday(found, item)
            days |= set() if number is None else {number}
    return frozenset(days) if found.errors == errors else None


def _dates(found: Findings, node: Node) -> tuple[date, ...] | None:
    errors = found.errors
    dates = [_date(found, item) for item in listed(found, node, "a date like 2026-12-25 or a list of them") or ()]
    return tuple(sorted({each for each in dates if each is not None})) if found.errors == errors else None


def _date(found: Findings, node: Node) -> date | None:
    given = node.text if isinstance(node, Scalar) else ""
    if not re.fullmatch(DATE, given, re.ASCII):
        return expected(found, node, "a date like 2026-12-25")
    try:
        return date.fromisoformat(given)
    except ValueError:
        return found.error("calendar", node, f"there is no day {given}")
