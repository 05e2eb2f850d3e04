"""What a window is counted from: an entry for each second of a key that had events, and sums that slide over them.

Exact up to `EXACT` entries and `EXACT` different values of a path. Of more entries the older half is put together in
spans of a thousandth of the window. Of more values a half is left out, by their hash, and each of the others stands
for two; and so on. Both pass with time: a window is exact again when it reaches back to nothing of the kind.
"""

import hashlib
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.decide.memory import State
from engine.model.event import Json

EXACT = 5_000
SPANS = 1_000

MATCH, AMONG = 1, 2
"""What an event counts as, added up: a match of the rule, one of the events of `ratio`."""
BOTH = MATCH | AMONG

Entry = list[Json]
"""Second, numbers of matches, of events of `ratio`, and of those that are both; the level at which values are sampled;
of the matches for each `distinct` the hashes, for each `sums` the total as text. Of level n are the hashes that end in
n bits of nothing, each of which stands for 2^n values."""

SECOND, MATCHES, OF, SHARED, LEVEL, HASHES, TOTALS = range(7)


@dataclass(frozen=True, slots=True)
class Counted:
    """What lies in a window: `of` are the events of `ratio`, `both` the matches among them."""

    count: int
    distinct: tuple[int, ...]
    totals: tuple[Decimal, ...]
    of: int
    both: int
    sampled: bool


def place_of(listed: Sequence[list[Json]], second: int) -> int:
    """Where the first begins that is of that second or later, in what is sorted by seconds, which come first."""
    return bisect_left(listed, [second])


def add(state: State, added: Entry) -> None:
    """Count an event, whose entry holds nothing else: events of one second are one entry."""
    entries: list[Entry] = state.setdefault("entries", [])
    place = place_of(entries, added[SECOND])
    if place < len(entries) and entries[place][SECOND] == added[SECOND]:
        entries[place] = _together(entries[place], added)
    else:
        entries.insert(place, added)
    if added[HASHES]:
        state["values"] = state.get("values", 0) + max(map(len, added[HASHES]))


def bound(state: State, within: int) -> None:
    """Put together what is too much."""
    entries: list[Entry] = state["entries"]
    if len(entries) > EXACT:
        width, half = max(within // SPANS, 1), len(entries) // 2
        spans: dict[int, Entry] = {}
        for entry in entries[:half]:
            span = entry[SECOND] // width
            spans[span] = _together(spans[span], entry) if span in spans else entry
        state["spans"] = entries[half - 1][SECOND]  # up to here
        entries[:half] = spans.values()
    if state.get("values", 0) > EXACT:  # at most so many, for nothing is taken off for what was there or has gone
        state["values"] = _sample(entries)


def _sample(entries: Sequence[Entry]) -> int:
    """Leave out values until there are no more than may be; how many there are of the path that has the most."""
    while (most := max(sum(len(entry[HASHES][place]) for entry in entries) for place in _paths(entries))) > EXACT:
        levels = {entry[LEVEL] for entry in entries}
        level = max(levels) + (1 if len(levels) == 1 else 0)
        for entry in entries:
            entry[HASHES] = [[each for each in hashes if rank(each) >= level] for hashes in entry[HASHES]]
            entry[LEVEL] = level
    return most


def _paths(entries: Sequence[Entry]) -> range:
    return range(len(entries[0][HASHES]))


def _together(one: Entry, other: Entry) -> Entry:
    level = max(one[LEVEL], other[LEVEL])
    return [
        max(one[SECOND], other[SECOND]),
        one[MATCHES] + other[MATCHES],
        one[OF] + other[OF],
        one[SHARED] + other[SHARED],
        level,
        [
            sorted(each for each in {*a, *b} if rank(each) >= level)
            for a, b in zip(one[HASHES], other[HASHES], strict=True)
        ],
        [str(Decimal(a) + Decimal(b)) for a, b in zip(one[TOTALS], other[TOTALS], strict=True)],
    ]


def hash_of(value: Json) -> int:
    """A value as it is remembered: 48 bits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def rank(hashed: int) -> int:
    """In how many bits of nothing a hash ends: the highest level of which it is."""
    return (hashed & -hashed).bit_length() - 1 if hashed else 48


class _Sums:
    """Sums over the entries that have been added and not taken off again."""

    def __init__(self, paths: int, sums: int) -> None:
        self.count = self.of = self.both = 0
        self.totals = [Decimal()] * sums
        self.values: list[Counter[int]] = [Counter() for _ in range(paths)]
        self.ranks: list[Counter[int]] = [Counter() for _ in range(paths)]  # of the different values of each path
        self.levels: Counter[int] | dict[int, int] = Counter() if paths else {}

    def take(self, entries: Sequence[Entry], sign: int) -> None:
        """Add entries (1), or take them off (-1)."""
        self.count += sign * sum([entry[MATCHES] for entry in entries])
        self.of += sign * sum([entry[OF] for entry in entries])
        self.both += sign * sum([entry[SHARED] for entry in entries])
        for place, _ in enumerate(self.totals):
            self.totals[place] += sign * sum([Decimal(entry[TOTALS][place]) for entry in entries])
        for place, values in enumerate(self.values):
            ranks = self.ranks[place]
            for entry in entries:
                self.levels[entry[LEVEL]] += sign
                for each in entry[HASHES][place]:
                    values[each] += sign
                    if values[each] == (1 if sign > 0 else 0):
                        ranks[rank(each)] += sign

    def counted(self) -> Counted:
        if not self.values:
            return Counted(self.count, (), tuple(self.totals), self.of, self.both, sampled=False)
        level = max((level for level, number in self.levels.items() if number), default=0)
        distinct = (sum(n for r, n in ranks.items() if r >= level) << level for ranks in self.ranks)
        return Counted(self.count, tuple(distinct), tuple(self.totals), self.of, self.both, sampled=level > 0)


def slide(entries: Sequence[Entry], within: int, ends: Sequence[int], paths: int, sums: int) -> Iterator[Counted]:
    """What lies in the windows of `within` seconds that end with each of those, which ascend, in one pass over the
    entries. `paths` and `sums`: of how many values and totals there are."""
    first = last = place_of(entries, ends[0] - within + 1) if ends else 0
    found = _Sums(paths, sums)
    for end in ends:
        reach = place_of(entries, end + 1)
        begin = place_of(entries, end - within + 1)
        found.take(entries[last:reach], 1)
        if begin > first:
            found.take(entries[first:begin], -1)
        first, last = begin, reach
        yield found.counted()
