"""`threshold`: how many, how different, how much, or what share, in a sliding window of a key.

A window ends at the second of a match and reaches `within` back, its older end left out. A threshold is judged at each
match: it fires when it comes to hold, and again only after a match at which it did not, or a time in which its window
was empty. Matches come late and out of order: one that does counts in every window that it belongs to, and a threshold
that comes to hold in one of those fires then. What has fired is never taken back.

An event may be seen more than once, and as more than it was before: a thin one when its snapshot comes, or what it
speaks of has been read; one of `ratio` when what has to precede it comes late. It counts once in each number.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from engine.decide import entries
from engine.decide.entries import AMONG, BOTH, EXACT, MATCH, Counted, Entry
from engine.decide.keys import values_at
from engine.decide.memory import LATE, State, moment_of, second_of
from engine.match.lookup import find
from engine.match.paths import path_of
from engine.match.values import number
from engine.model.condition import Reference
from engine.model.event import Event, Json
from engine.model.money import format_money
from engine.model.timing import Threshold
from engine.source.durations import format_duration

__all__ = ["AMONG", "BOTH", "EXACT", "MATCH", "Judged", "Window", "take", "window_at"]

_LATE = int(LATE.total_seconds())

LISTED = 50
"""Ids of the newest events that texts may list."""

AGAIN = EXACT
"""Events of a key that are remembered as those that may be seen again: beyond that the oldest are forgotten."""


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


def take(
    threshold: Threshold, state: State, event: Event, kind: int, *, again: bool = False, known: bool = False
) -> Judged | None:
    """Count an event; for a match what it comes to, None for another event of `ratio`. `kind` 0: it does not count yet.

    `again`: it may be seen once more. `known`: it was counted before, as whatever is remembered of it.
    """
    at = _count(threshold, state, event, kind, again=again, known=known)
    _forget(threshold, state, at)
    if not kind & MATCH:
        return None
    seconds: list[list[Json]] = state.setdefault("seconds", [])  # of matches: [second, holds, fired]
    ids: list[list[Json]] = state.setdefault("ids", [])
    insort(ids, [at, event.id])
    del ids[:-LISTED]
    place = entries.place_of(seconds, at)
    if place == len(seconds) or seconds[place][0] != at:
        seconds.insert(place, [at, False, False])
    behind = max(entries.place_of(seconds, at + _within(threshold)), place + 1)
    ends = [second for second, _, _ in seconds[place:behind]]
    windows = dict(zip(ends, _windows(threshold, state, ends), strict=True))
    for each in seconds[place:behind]:
        each[1] = windows[each[0]].holds
    fired_at = _fire(state, _within(threshold), seconds, place, behind)
    moment = at if fired_at is None else fired_at
    shown = windows.get(moment) or window_at(threshold, state, moment)
    return Judged(fired_at is not None, shown, None if fired_at is not None else _why_not(threshold, shown))


def until(threshold: Threshold, state: State) -> datetime | None:
    """When nothing of it can matter any more."""
    found = [entry[entries.SECOND] for entry in state.get("entries", ())[-1:]]
    found += [at for at, _ in state.get("again", {}).values()]
    return moment_of(max(found) + _within(threshold) + _LATE) if found else None


def window_at(threshold: Threshold, state: State, end: int) -> Window:
    """The window that ends with that second."""
    return _windows(threshold, state, [end])[0]


def _windows(threshold: Threshold, state: State, ends: Sequence[int]) -> list[Window]:
    """The windows that end with those seconds, which ascend."""
    within, paths, sums = _within(threshold), len(threshold.distinct), len(threshold.sums)
    counted = entries.slide(state.get("entries", ()), within, ends, paths, sums)
    spans = state.get("spans")
    return [
        _window(threshold, found, in_spans=spans is not None and end - within < spans)
        for end, found in zip(ends, counted, strict=True)
    ]


def _window(threshold: Threshold, found: Counted, *, in_spans: bool) -> Window:
    ratio = threshold.ratio
    share = None if ratio is None else Decimal(found.both) / found.of if found.of else Decimal()
    holds = (
        (threshold.count is None or found.count >= threshold.count)
        and all(number >= least for number, (_, least) in zip(found.distinct, threshold.distinct, strict=True))
        and all(total >= money.minor for total, (_, money) in zip(found.totals, threshold.sums, strict=True))
        and (ratio is None or (share is not None and found.of >= ratio.min and share >= ratio.gte))
    )
    return Window(found.count, found.distinct, found.totals, found.of, share, holds, in_spans or found.sampled)


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


def _within(threshold: Threshold) -> int:
    return int(threshold.within.total_seconds())


def _count(threshold: Threshold, state: State, event: Event, kind: int, *, again: bool, known: bool) -> int:
    """Count an event as what it was not counted as before; the second that it counts in."""
    seen: dict[str, list[int]] = state.get("again", {})
    before = seen.get(event.dedupe_key)
    if before is None and known:
        return second_of(event)
    at, was = before or (second_of(event), 0)
    if threshold.ratio is not None and (again or before is not None):
        state["again"] = {**seen, event.dedupe_key: [at, was | kind]}
    if kind & ~was:
        entries.add(state, _entry(threshold, event, at, kind, was))
    return at


def _entry(threshold: Threshold, event: Event, at: int, kind: int, was: int) -> Entry:
    """What an event adds that counts as `was` so far."""
    match, shared = bool(kind & ~was & MATCH), (kind | was) == BOTH and was != BOTH
    hashes = [
        sorted({entries.hash_of(v) for v in values_at(path, event)}) if match else [] for path, _ in threshold.distinct
    ]
    totals = [_total(path, money.currency, event) if match else "0" for path, money in threshold.sums]
    return [at, int(match), int(bool(kind & ~was & AMONG)), int(shared), 0, hashes, totals]


def _total(path: Reference, currency: str, event: Event) -> str:
    """What the event adds: the amounts at the path that are in that currency."""
    found = Decimal()
    for value, of in find(path_of(path), event):
        exact = number(value["value"] if isinstance(value, Mapping) and "value" in value else value)
        own = value.get("currency") if isinstance(value, Mapping) else of
        if exact is not None and isinstance(own, str) and own.lower() == currency:
            found += Decimal(exact)
    return str(found)


def _forget(threshold: Threshold, state: State, at: int) -> None:
    """Drop what is in no window any more, and put together what is too much."""
    counted: list[Entry] = state.setdefault("entries", [])
    seconds: list[list[Json]] = state.setdefault("seconds", [])
    within = _within(threshold)
    newest = max(at, counted[-1][entries.SECOND]) if counted else at
    oldest = newest - within - _LATE
    if counted and counted[0][entries.SECOND] <= oldest:
        del counted[: entries.place_of(counted, oldest + 1)]
    if not counted:
        state.pop("values", None)
    if state.get("again"):
        state["again"] = _kept_again(state["again"], oldest)
    if state.get("spans", newest) <= oldest:
        del state["spans"]
    if seconds and seconds[0][0] <= newest - _LATE:
        old = entries.place_of(seconds, newest - _LATE + 1)
        for second, holds, fired in seconds[:old]:
            if second <= state.get("before", second - 1):
                continue  # it came late, from before the end of a run that has fired
            goes_on = _is_near(state.pop("before", None), second, within)
            if holds and (fired or goes_on):
                state["before"] = second  # the last of a run that has fired
        del seconds[:old]
    entries.bound(state, within)


def _kept_again(again: Mapping[str, list[int]], since: int) -> dict[str, list[int]]:
    """Those from after that moment; where they are too many, the newest nine tenths of what may be."""
    found = {key: each for key, each in again.items() if each[0] > since}
    if len(found) <= AGAIN:
        return found
    newest = sorted(found.items(), key=lambda each: (each[1][0], each[0]))[-AGAIN * 9 // 10 :]
    return dict(newest)


def _is_near(one: int | None, other: int, within: int) -> bool:
    """Whether between two matches, if there was one, the window was never empty."""
    return one is not None and other - one <= within


def _fire(state: State, within: int, seconds: list[list[Json]], first: int, last: int) -> int | None:
    """The second at which the threshold came to hold without having fired, of those from `first` to behind `last`,
    which one between may have parted from those before; every run of seconds at which it holds fires once."""

    def goes_on(place: int) -> bool:
        """Whether it holds at the second at that place and the one before, and in all of the time between may have."""
        one, other = seconds[place - 1 : place + 1]
        return bool(one[1] and other[1]) and _is_near(one[0], other[0], within)

    found: int | None = None
    known = state.get("before")
    place = first
    if place > 0 and seconds[place - 1][1]:
        place -= 1
    while place > 0 and goes_on(place):  # to where the run begins that the first belongs to, or parts
        place -= 1
    while place <= last + 1 and place < len(seconds):
        if not seconds[place][1]:
            place += 1
            continue
        end = place
        while end + 1 < len(seconds) and goes_on(end + 1):
            end += 1
        run = seconds[place : end + 1]
        fired_before = _is_near(known, run[0][0], within) and all(each[0] <= known for each in seconds[:place])
        if not any(fired for _, _, fired in run) and not fired_before:
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
