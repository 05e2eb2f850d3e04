"""Spans of time and rates as people write them: `90s 15m 36h 3d 2w`, `30/m`."""

import re
from dataclasses import dataclass
from datetime import timedelta

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_RATE = re.compile(r"(\d{1,6})/([smhd])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `count` in any `every`."""

    count: int
    every: timedelta

    def __str__(self) -> str:
        return f"{self.count}/{format_duration(self.every).removeprefix('1')}"


def parse_duration(text: str) -> timedelta:
    """One number and one unit. Raises ValueError, whose message can be shown as it is."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a duration like 10m, got '{text[:40]}'")
    return int(found[1]) * _UNITS[found[2]]


def parse_rate(text: str) -> Rate:
    """A count and a unit of time, at least 1. Raises ValueError, whose message can be shown as it is."""
    found = _RATE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError(f"expected a rate like 30/m, got '{text[:40]}'")
    return Rate(count=int(found[1]), every=_UNITS[found[2]])


def format_duration(span: timedelta) -> str:
    """The shortest form that `parse_duration` reads back; parts of a second are dropped."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in reversed(_UNITS.items()):
        whole = int(size.total_seconds())
        if seconds and seconds % whole == 0:
            return f"{seconds // whole}{unit}"
    return "0s"
