"""How the index finds a rule, said for people: `check` warns of those that it cannot find."""

from dataclasses import dataclass
from enum import StrEnum

from engine.match.covers import Covers, rank, weight
from engine.match.keys import Rank, Spot
from engine.match.steps import EACH
from engine.model.condition import ALWAYS, Condition, PathTest
from engine.model.rule import When


class Found(StrEnum):
    """How the index comes to a `when`: from what costs least to what costs most."""

    VALUE = "value"
    PART = "part"
    BAND = "band"
    BOUND = "bound"
    PRESENCE = "presence"
    TYPE = "type"
    SCAN = "scan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """How the index finds a `when` among many of the same type.

    `value`: by a value that a field has to equal (or one of several); `part`: by the beginning or end of a text, a
    field that changed, or a table; `band`, `bound`: by order; `presence`: by a field that has to be there and seldom
    is; `type`: by its type alone, because it asks for nothing else; `scan`: not at all, so that every event of its
    type tests it.
    `paths` are the fields looked at, as dotted paths.
    """

    found: Found
    paths: tuple[str, ...] = ()


def selector_of(when: When, covers: Covers | None = None) -> Selector:
    """How the index finds it, judged by itself; among other rules it may do better, never worse.

    `covers` is for who asks of many, and then the same for all of them.
    """
    own = [cover for cover, _ in (covers or Covers()).of(when) if rank(cover) is not Rank.FRAME]
    if not own:
        return Selector(found=Found.TYPE if when.where == ALWAYS else Found.SCAN)
    best = min(own, key=weight)
    found = _FOUND[rank(best)]
    if found is Found.PRESENCE and not _asks_only_presence(when.where):
        found = Found.SCAN
    return Selector(found=found, paths=tuple(dict.fromkeys(_written(slot.spot) for slot, _ in best)))


_FOUND = {
    Rank.ONE_VALUE: Found.VALUE,
    Rank.PART: Found.PART,
    Rank.BAND: Found.BAND,
    Rank.BOUND: Found.BOUND,
    Rank.WORD_OF_TWO: Found.VALUE,
    Rank.THERE: Found.PRESENCE,
}


def _asks_only_presence(condition: Condition) -> bool:
    if isinstance(condition, PathTest):
        return all(operation.operator == "exists" for operation in condition.operations)
    return all(map(_asks_only_presence, condition.children))


def _written(spot: Spot) -> str:
    if spot.base in ("account", "frame"):
        return spot.base
    text = "".join(
        f".{step}" if isinstance(step, str) else "[*]" if step is EACH else f"[{step}]" for step in spot.steps
    )
    return text.removeprefix(".") if spot.base == "object" else f"${spot.base}{text}"
