"""`threshold`: how many, how different, how much, or what share, in a sliding window of a key.

A window ends at the second of a match and reaches `within` back, its older end left out. A threshold is judged at each
match: it fires when it comes to hold, and again only after a match at which it did not. Matches come late and out of
order: one that does counts in every window that it belongs to, and a threshold that comes to hold in one of those fires
then. What has fired is never taken back.

Exact up to `EXACT` different seconds with events in a window; beyond, the older half is put together in spans of a
thousandth of the window, and the numbers are `approximate`.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from engine.decide.keys import values_at
from engine.decide.memory import State, second_of
from engine.match.lookup import find
from engine.match.paths import path_of
from engine.match.values import number
from engine.model.condition import Reference
from engine.model.event import Event, Json
from engine.model.money import format_money
from engine.model.timing import Threshold
from engine.source.durations import format_duration

LATE = timedelta(hours=1)
"""How much later than others of its key an event may come and still be counted in the windows that it belongs to."""

EXACT = 5_000
SPANS = 1_000
LISTED = 50
"""Ids of the newest events that texts may list."""

MATCH, AMONG = 1, 2
"""What an entry stands for, added up: a match of the rule, one of the events of `ratio`."""

# An entry: second, kind, number of events, for each `distinct` the hashes, for each `sums` the total as text.
_SECOND, _KIND, _NUMBER, _HASHES, _TOTALS = range(5)


@dataclass(frozen=True, slots=True)
class Window:
    """What a window holds. `totals` are in minor units; `share` is None without a `ratio`."""

    count: int
    distinct: tuple[int, ...]
    totals: tuple[Decimal, ...]
    of: int
    share: Decimal | None
    holds: bool
    approximate: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What a match came to: whether the rule fires now, the window that says so, and why it does not."""

    fires: bool
    window: Window
    reason: str | None


def take(threshold: Threshold, state: State, event: Event, kind: int) -> Judged | None:
    """Count an event; for a match what it comes to, None for another event of `ratio`."""
    at, within, late = second_of(event), int(threshold.within.total_seconds()), int(LATE.total_seconds())
    entries: list[list[Json]] = state.setdefault("entries", [])
    seconds: list[list[Json]] = state.setdefault("seconds", [])  # of matches: [second, holds, fired]
    _insert(threshold, entries, event, at, kind)
    newest = entries[-1][_SECOND]
    _forget(state, newest, within, late)
    if not kind & MATCH:
        return None
    state["ids"] = sorted([*state.get("ids", ()), [at, event.id]])[-LISTED:]
    place = bisect_left(seconds, at, key=lambda each: each[0])
    if place == len(seconds) or seconds[place][0] != at:
        seconds.insert(place, [at, False, False])
    windows: dict[int, Window] = {}
    last = place
    for last in range(place, len(seconds)):
        if seconds[last][0] >= at + within and last > place:
            break
        windows[seconds[last][0]] = found = window_at(threshold, state, seconds[last][0])
        seconds[last][1] = found.holds
    fired_at = _fire(state, seconds, place, last)
    moment = at if fired_at is None else fired_at
    shown = windows.get(moment) or window_at(threshold, state, moment)
    return Judged(fired_at is not None, shown, None if fired_at is not None else _why_not(threshold, shown))


def until(threshold: Threshold, state: State) -> datetime | None:
    """When nothing of it can matter any more."""
    entries: Sequence[Sequence[Json]] = state.get("entries", ())
    if not entries:
        return None
    return datetime.fromtimestamp(entries[-1][_SECOND], UTC) + threshold.within + LATE


def window_at(threshold: Threshold, state: State, end: int) -> Window:
    """The window that ends with that second."""
    entries: list[list[Json]] = state.get("entries", [])
    begin = end - int(threshold.within.total_seconds())
    inside = entries[bisect_right(entries, begin, key=_second) : bisect_right(entries, end, key=_second)]
    mine = [entry for entry in inside if entry[_KIND] & MATCH]
    count = sum(entry[_NUMBER] for entry in mine)
    distinct = tuple(
        len({each for entry in mine for each in entry[_HASHES][place]}) for place in range(len(threshold.distinct))
    )
    totals = tuple(
        sum((Decimal(entry[_TOTALS][place]) for entry in mine), Decimal()) for place in range(len(threshold.sums))
    )
    of = both = 0
    for entry in inside:
        of += entry[_NUMBER] if entry[_KIND] & AMONG else 0
        both += entry[_NUMBER] if entry[_KIND] == MATCH | AMONG else 0
    share = None if threshold.ratio is None else Decimal(both) / of if of else Decimal()
    holds = (
        (threshold.count is None or count >= threshold.count)
        and all(found >= least for found, (_, least) in zip(distinct, threshold.distinct, strict=True))
        and all(found >= money.minor for found, (_, money) in zip(totals, threshold.sums, strict=True))
        and (
            threshold.ratio is None
            or (share is not None and of >= threshold.ratio.min and share >= threshold.ratio.gte)
        )
    )
    return Window(count, distinct, totals, of, share, holds, bool(state.get("approximate")))


def context_of(threshold: Threshold, state: State, window: Window) -> dict[str, Json]:
    """`window` as texts see it: `count`, `distinct` and `sum` (the first of each, or by path), `ratio`, `of`,
    `events` (the ids of the newest), `approximate`."""
    distinct = {
        reference.path: found for (reference, _), found in zip(threshold.distinct, window.distinct, strict=True)
    }
    sums = {
        reference.path: {"amount": int(total), "currency": money.currency}
        for (reference, money), total in zip(threshold.sums, window.totals, strict=True)
    }
    return {
        "count": window.count,
        "distinct": next(iter(distinct.values())) if len(distinct) == 1 else distinct,
        "sum": next(iter(sums.values())) if len(sums) == 1 else sums,
        "ratio": None if window.share is None else float(round(window.share, 6)),
        "of": window.of,
        "events": [id_ for _, id_ in state.get("ids", ())],
        "approximate": window.approximate,
    }


def just_reached(threshold: Threshold) -> dict[str, Json]:
    """`window` as it is when everything that is asked for has just come together: for tests and previews."""
    ratio = threshold.ratio
    count = threshold.count or (int(ratio.min * ratio.gte) if ratio is not None else 0)
    count = max(count, 1, *(least for _, least in threshold.distinct))
    reached = Window(
        count=count,
        distinct=tuple(least for _, least in threshold.distinct),
        totals=tuple(Decimal(money.minor) for _, money in threshold.sums),
        of=count if ratio is None else max(ratio.min, count),
        share=None if ratio is None else ratio.gte,
        holds=True,
        approximate=False,
    )
    return context_of(threshold, {}, reached)


def _second(entry: Sequence[Json]) -> int:
    found: int = entry[_SECOND]
    return found


def _insert(threshold: Threshold, entries: list[list[Json]], event: Event, at: int, kind: int) -> None:
    """Events of one second and kind are one entry."""
    mine = bool(kind & MATCH)
    hashes = [sorted({_hash(v) for v in values_at(path, event)}) if mine else [] for path, _ in threshold.distinct]
    totals = [_total(path, money.currency, event) if mine else "0" for path, money in threshold.sums]
    place = bisect_left(entries, (at, kind), key=lambda entry: (entry[_SECOND], entry[_KIND]))
    if place < len(entries) and entries[place][_SECOND] == at and entries[place][_KIND] == kind:
        entries[place] = _together(entries[place], [at, kind, 1, hashes, totals])
    else:
        entries.insert(place, [at, kind, 1, hashes, totals])


def _together(one: Sequence[Json], other: Sequence[Json]) -> list[Json]:
    return [
        max(one[_SECOND], other[_SECOND]),
        one[_KIND],
        one[_NUMBER] + other[_NUMBER],
        [sorted({*a, *b}) for a, b in zip(one[_HASHES], other[_HASHES], strict=True)],
        [str(Decimal(a) + Decimal(b)) for a, b in zip(one[_TOTALS], other[_TOTALS], strict=True)],
    ]


def _hash(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _total(path: Reference, currency: str, event: Event) -> str:
    """What the event adds: the amounts at the path that are in that currency."""
    found = Decimal()
    for value, of in find(path_of(path), event):
        exact = number(value["value"] if isinstance(value, Mapping) and "value" in value else value)
        own = value.get("currency") if isinstance(value, Mapping) else of
        if exact is not None and isinstance(own, str) and own.lower() == currency:
            found += Decimal(exact)
    return str(found)


def _forget(state: State, newest: int, within: int, late: int) -> None:
    """Drop what is in no window any more, and put together what is too much."""
    entries, seconds = state["entries"], state["seconds"]
    del entries[: bisect_right(entries, newest - within - late, key=_second)]
    old = bisect_right(seconds, newest - late, key=lambda each: each[0])
    for _, holds, fired in seconds[:old]:
        state["before"] = bool(holds and (fired or state.get("before")))
    del seconds[:old]
    if len(entries) > EXACT:
        width = max(within // SPANS, 1)
        half = len(entries) // 2
        spans: dict[tuple[int, int], list[Json]] = {}
        for entry in entries[:half]:
            key = (entry[_SECOND] // width, entry[_KIND])
            spans[key] = _together(spans[key], entry) if key in spans else entry
        entries[:half] = sorted(spans.values(), key=lambda entry: (entry[_SECOND], entry[_KIND]))
        state["approximate"] = True


def _fire(state: State, seconds: list[list[Json]], first: int, last: int) -> int | None:
    """The second at which the threshold came to hold without having fired, of those from `first` to behind `last`,
    which one between may have parted from those before; every run of seconds at which it holds fires once."""
    found: int | None = None
    place = first
    while place > 0 and seconds[place - 1][1]:  # to where the run begins that the first belongs to
        place -= 1
    while place <= last + 1 and place < len(seconds):
        if not seconds[place][1]:
            place += 1
            continue
        end = place
        while end + 1 < len(seconds) and seconds[end + 1][1]:
            end += 1
        run = seconds[place : end + 1]
        if not any(fired for _, _, fired in run) and not (place == 0 and state.get("before")):
            run[0][2] = True
            found = run[0][0] if found is None else found
        place = end + 1
    return found


def _why_not(threshold: Threshold, window: Window) -> str:
    """What is missing, or that it has fired."""
    if window.holds:
        return "threshold: it holds since it last fired"
    missing: list[str] = []
    if threshold.count is not None and window.count < threshold.count:
        missing.append(f"{window.count} of {threshold.count}")
    for (path, least), found in zip(threshold.distinct, window.distinct, strict=True):
        if found < least:
            missing.append(f"{found} of {least} different {path.path}")
    for (path, money), total in zip(threshold.sums, window.totals, strict=True):
        if total < money.minor:
            has, needs = format_money(total, money.currency), format_money(money.minor, money.currency)
            missing.append(f"{path.path} adds up to {has} of {needs}")
    if threshold.ratio is not None:
        if window.of < threshold.ratio.min:
            missing.append(f"{window.of} of at least {threshold.ratio.min} events")
        elif window.share is not None and window.share < threshold.ratio.gte:
            missing.append(f"{window.share:.1%} of {threshold.ratio.gte:.1%}")
    return f"threshold: {', '.join(missing)} within {format_duration(threshold.within)}"
