"""What rules remember, for the time of one decision: taken from the store under lock, changed, and put back."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from engine.model.event import Event, Json
from engine.model.position import Position

LATE = timedelta(hours=1)
"""How much later than others that happened after it an event may come, and still land where it belongs."""

SPARE = timedelta(hours=1)
"""For so long after nothing of it matters any more a state is kept all the same: a timer of it may be late."""

MOST = 1_000
"""Events remembered of a cell that others may be late for: beyond that the oldest are forgotten."""

State = dict[str, Json]
"""What a part of a rule remembers under a key, as JSON; empty: nothing. A reducer changes it in place."""


class Cell(NamedTuple):
    """One thing remembered: `part` is a key of the rule (`threshold`), `key` what `key_of` gives."""

    rule: str
    part: str
    key: str


@dataclass(slots=True)
class Kept:
    """A state with the shape of the rule it was kept for and the moment after which nothing of it matters."""

    state: State
    shape: str = ""
    until: datetime | None = None


@dataclass(slots=True)
class Memory:
    """The cells that one decision may look at. A cell that was not taken is empty and will be kept all the same, so
    whoever decides has to take them all first."""

    kept: dict[Cell, Kept] = field(default_factory=dict)
    touched: dict[Cell, None] = field(default_factory=dict)

    def open(self, cell: Cell, shape: str) -> Kept:
        """The state of a cell, to be changed; empty where it was kept for a rule of another shape."""
        found = self.kept.get(cell)
        if found is None or (found.shape != shape and found.shape):
            found = self.kept[cell] = Kept({})
        found.shape = shape
        self.touched[cell] = None
        return found

    def changed(self, now: datetime) -> Mapping[Cell, Kept]:
        """What has to be put back; what is empty may be forgotten.

        What events leave behind stays for LATE after they came, however long ago they happened: others may be as late.
        """
        for cell in self.touched:
            kept = self.kept[cell]
            kept.until = None if kept.until is None else max(kept.until, now + LATE)
        return {cell: self.kept[cell] for cell in self.touched}


def forget_old(known: State, second: Callable[[Json], int], oldest: int) -> None:
    """Keep of what is known by key what is not from before that second, and of that the newest MOST."""
    for key in [key for key, each in known.items() if second(each) < oldest]:
        del known[key]
    if len(known) > MOST:
        newest = sorted(known, key=lambda key: (second(known[key]), key), reverse=True)
        for key in newest[MOST:]:
            del known[key]


_SHAPES: dict[tuple[int, ...], tuple[tuple[object, ...], str]] = {}
"""By the identity of the parts, which are kept so that no other thing takes it."""
_MOST_SHAPES = 10_000


def shape_of(*parts: object) -> str:
    """A hash of what a rule says, the same wherever it stands in its file: what is remembered is good for just that.
    It is asked for at every event, and found once for the parts of a rule, which never change."""
    identity = tuple(map(id, parts))
    known = _SHAPES.get(identity)
    if known is not None:
        return known[1]
    shape = hashlib.sha256(repr([_plain(part) for part in parts]).encode()).hexdigest()[:16]
    while len(_SHAPES) >= _MOST_SHAPES:
        del _SHAPES[next(iter(_SHAPES))]  # of rules that a reload has replaced, most likely
    _SHAPES[identity] = (parts, shape)
    return shape


def _plain(thing: object) -> object:
    """The values of a model, positions left out, sets in order."""
    if is_dataclass(thing) and not isinstance(thing, type):
        values = [(each.name, getattr(thing, each.name)) for each in fields(thing)]
        return [type(thing).__name__, *((n, _plain(v)) for n, v in values if not isinstance(v, Position))]
    if isinstance(thing, Mapping):
        return sorted((str(name), repr(_plain(value))) for name, value in thing.items())
    if isinstance(thing, frozenset | set):
        return sorted(repr(_plain(each)) for each in thing)
    if isinstance(thing, Iterable) and not isinstance(thing, str | bytes):
        return [_plain(each) for each in thing]
    return thing


def second_of(event: Event) -> int:
    """The event's `created` in whole seconds since 1970: what windows count by."""
    return int(event.created.timestamp())


LAST = 32_503_680_000
"""The year 3000, in seconds since 1970: nothing is remembered for longer, and what is beyond it is no deadline."""


def moment_of(second: float) -> datetime:
    """The moment of a second since 1970, LAST at the latest: what an event says of its time may add up to none."""
    return datetime.fromtimestamp(min(second, LAST), UTC)


_KNOWN = 100
"""Letters of a value whose key is kept at hand."""

_to_json = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=str).encode


def as_key(*values: Json) -> str:
    """A key as the store has it: JSON, or a hash of it where that is long."""
    for value in values:
        if type(value) is not bool and not (type(value) is str and len(value) <= _KNOWN):
            return _key(*values)
    return _known_key(*values)  # of accounts and ids, which come again


def _key(*values: Json) -> str:
    found = _to_json(values)
    return found if len(found) <= 200 else "sha256:" + hashlib.sha256(found.encode()).hexdigest()


_known_key = lru_cache(maxsize=10_000)(_key)
