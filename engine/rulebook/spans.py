"""Spans, clock times, time zones and shares, as the keys of time and noise have them."""

import re
from datetime import time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from engine.rulebook.fields import duration, expected, kind_of, mapping, text
from engine.rulebook.findings import Findings
from engine.source import Mapping, Node, Scalar, nearest

LONGEST = timedelta(days=90)
"""Of every window, wait and lead time: what was longer ago is not remembered."""

CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
"""A clock time."""

SHARE = r"\d{1,3}(\.\d{1,4})?%"
"""A share, more than 0% and at most 100%."""

_LOOSE_CLOCK = re.compile(r"(\d{1,2})[:.h]?(\d{2})?\s*([ap]\.?m\.?)?", re.ASCII | re.IGNORECASE)
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files among the zones that are none: they mean another one on each machine."""


def read_span(found: Findings, node: Node) -> timedelta | None:
    """A duration, at most LONGEST."""
    return duration(found, node, longest=LONGEST)


def as_map(found: Findings, node: Node, example: str, key: str) -> Mapping | None:
    """A map with something in it; of a text the mistake says under which `key` it was probably meant to stand."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.text.strip():
        return expected(found, node, f"a map like {example}", f"write {{{key}: {node.text}}}")
    return mapping(found, node, f"a map like {example}")


def required(found: Findings, given: Mapping, key: str, what: str, hint: str) -> Node | None:
    """What stands under a key that must be there; None with a mistake."""
    node = given.get(key)
    return node if node is not None else found.error("missing-key", given, f"'{what}' has no '{key}'", hint)


def read_clock(found: Findings, node: Node, *, end: bool = False) -> time | None:
    """A clock time like "09:00". At the `end` of a span "24:00" is midnight, too."""
    given = node.text if isinstance(node, Scalar) else None
    if given is not None and re.fullmatch(CLOCK, given, re.ASCII):
        return time.fromisoformat(given)
    if end and given == "24:00":
        return time()
    better = _better_clock(given or "")
    message = f'expected a clock time from "00:00" to "23:59", got {kind_of(node)}'
    return found.error("clock", node, message, f'write "{better}"' if better else None)


def _better_clock(given: str) -> str | None:
    matched = _LOOSE_CLOCK.fullmatch(given.strip())
    if matched is None:
        return None
    hour, minute, half = int(matched[1]), int(matched[2] or 0), (matched[3] or "").lower()[:1]
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "p") if half else hour
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def read_timezone(found: Findings, node: Node) -> str | None:
    """The IANA name of a time zone, like Europe/Berlin."""
    given = text(found, node, "a time zone like Europe/Berlin")
    if given is None or _is_zone(given):
        return given
    zones = {zone for zone in available_timezones() if "/" in zone}  # short ones look alike and are hours apart
    places = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zones, reverse=True)} | {"utc": "UTC"}
    near = places.get(given.strip().replace(" ", "_").casefold()) or nearest(given, zones)
    hint = f"did you mean '{near}'?" if near else "write one like Europe/Berlin, America/New_York or UTC"
    return found.error("timezone", node, f"there is no time zone '{given[:60]}'", hint)


def _is_zone(name: str) -> bool:
    if name in _NO_ZONES:
        return False
    try:
        return ZoneInfo(name).key == name
    except (LookupError, ValueError, OSError):
        return False


def read_share(found: Findings, node: Node) -> Decimal | None:
    """A share like 30%, as a number from 0 to 1."""
    wanted = "a share like 30%, more than 0% and at most 100%"
    if not isinstance(node, Scalar) or not re.fullmatch(SHARE, node.text, re.ASCII):
        return expected(found, node, wanted, _better_share(node))
    share = Decimal(node.text.removesuffix("%")) / 100
    return share if 0 < share <= 1 else expected(found, node, wanted)


def _better_share(node: Node) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value <= 100:
        return None
    percent = Decimal(value * 100 if value < 1 else value).normalize()
    return f"write {percent:f}%"
