"""What of an event an index can look up: a place in it, and a way of asking what stands there."""

from enum import IntEnum
from typing import Literal

from engine.match.paths import Base, Path
from engine.match.steps import EACH, Step
from engine.model.event import Json

Facet = Literal[
    "text",
    "folded",
    "number",
    "prefix",
    "suffix",
    "folded prefix",
    "folded suffix",
    "element",
    "member",
    "band",
    "above",
    "below",
    "truth",
    "others",
    "present",
    "changed",
    "scope",
    "livemode",
]
"""A way of asking. `above` and `below` are bounds that the value has to reach or keep under, a `band` is both at once;
`element` is a list that has it, `member` a value of a table, `others` an amount in a currency without a bound,
`changed` a name in the previous attributes; `scope` and `livemode` are the event's own."""

NUMBER, TIME = "", "@time"
"""The unit of a bound; of money it is the currency."""


class Rank(IntEnum):
    """How few events a key is likely to leave, best first, before anything is known of the other rules."""

    ONE_VALUE = 1
    PART = 2
    BAND = 3
    BOUND = 4
    WORD_OF_TWO = 5
    THERE = 6
    FRAME = 7


RANKS: dict[Facet, Rank] = {
    "text": Rank.ONE_VALUE,
    "folded": Rank.ONE_VALUE,
    "number": Rank.ONE_VALUE,
    "element": Rank.ONE_VALUE,
    "prefix": Rank.PART,
    "suffix": Rank.PART,
    "folded prefix": Rank.PART,
    "folded suffix": Rank.PART,
    "member": Rank.PART,
    "changed": Rank.PART,
    "band": Rank.BAND,
    "above": Rank.BOUND,
    "below": Rank.BOUND,
    "truth": Rank.WORD_OF_TWO,
    "others": Rank.THERE,
    "present": Rank.THERE,
    "scope": Rank.FRAME,
    "livemode": Rank.FRAME,
}

ORDERED: frozenset[Facet] = frozenset({"band", "above", "below"})
"""Facets whose keys are found by order; those of the others are found by hash."""


class Slot:
    """One facet of one place, in one unit. There is one of each, so they are compared by identity, which is quick.

    `ordered` says how it is found, `preference` which of two slots is taken where all else is equal: the lower.
    """

    __slots__ = ("facet", "ordered", "preference", "rank", "spot", "unit")

    def __init__(self, spot: "Spot", facet: Facet, unit: str) -> None:
        self.spot = spot
        self.facet = facet
        self.unit = unit
        self.rank = RANKS[facet]
        self.ordered = facet in ORDERED
        self.preference = float(self.rank) / 100


Key = tuple[Slot, Json]
"""Something that an event may have: a slot, and what to find there."""

Cover = tuple[Key, ...]
"""Keys of which every event that meets the condition has at least one; with none of them nothing meets it."""


class Spot:
    """A place in an event: where it starts (`event` is the root, `frame` the event's own fields), the steps."""

    __slots__ = ("_slots", "base", "steps")

    def __init__(self, base: str, steps: tuple[Step, ...]) -> None:
        self.base = base
        self.steps = steps
        self._slots: dict[tuple[Facet, str], Slot] = {}

    def slot(self, facet: Facet, unit: str = NUMBER) -> Slot:
        """The slot of that facet, always the same one."""
        found = self._slots.get((facet, unit))
        if found is None:
            found = self._slots[facet, unit] = Slot(self, facet, unit)
        return found

    def key(self, facet: Facet, value: Json = None, unit: str = NUMBER) -> Key:
        """A key of that facet."""
        return self.slot(facet, unit), value


_BASES = {Base.OBJECT: "object", Base.EVENT: "event", Base.PREVIOUS: "previous"}


class Spots:
    """The places that rules look at, each once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[Step, ...]], Spot] = {}
        self.account = self.at("account", ())
        self.frame = self.at("frame", ())

    def at(self, base: str, steps: tuple[Step, ...]) -> Spot:
        """The place there; always the same for the same steps."""
        found = self._known.get((base, steps))
        if found is None:
            found = self._known[base, steps] = Spot(base, steps)
        return found

    def of(self, path: Path) -> Spot | None:
        """The place of a path from the event; None where it goes by steps that an index does not follow."""
        if path.base is Base.ACCOUNT:
            return self.account if path.steps == ("id",) else None
        base = _BASES.get(path.base)
        return self.at(base, path.steps) if base is not None and walkable(path.steps) else None


def walkable(steps: tuple[Step, ...]) -> bool:
    """Whether an index can follow them."""
    return all(type(step) in (str, int) or step is EACH for step in steps)
