"""What an event is to a rule with a memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.rule import Rule, When


class Role(StrEnum):
    """What an event is to a rule: one that it is for, or one of those that its keys speak of."""

    MATCH = "match"
    AMONG = "among"  # of `threshold.ratio.of`
    PRECEDES = "precedes"
    FOLLOWS = "follows"
    RESOLVES = "resolves"  # of `incident.resolve`
    SETTLES = "settles"  # of `remind.until`


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event seen by a rule in a role; `place` says which of several keys of that role (`not_followed_by`).
    `reads_object`: what the rule asks of it stands in its object."""

    rule: Rule
    role: Role
    place: int = 0
    reads_object: bool = field(default=False, compare=False)

    def __hash__(self) -> int:
        return hash((self.rule.id, self.role, self.place))  # a rule as a whole is large, and holds what has no hash


def watches(rule: Rule) -> Iterator[tuple[When, Sighting]]:
    """The other events that a rule has to see."""
    timing = rule.timing
    if timing.threshold is not None and timing.threshold.ratio is not None:
        for when in timing.threshold.ratio.of:
            yield when, Sighting(rule, Role.AMONG, 0, when.reads_object)
    if timing.preceded_by is not None:
        for when in timing.preceded_by.when:
            yield when, Sighting(rule, Role.PRECEDES, 0, when.reads_object)
    for place, absence in enumerate(timing.not_followed_by):
        for when in absence.other.when:
            yield when, Sighting(rule, Role.FOLLOWS, place, when.reads_object)
    if timing.incident is not None and timing.incident.resolve is not None:
        for when in timing.incident.resolve.when:
            yield when, Sighting(rule, Role.RESOLVES, 0, when.reads_object)
    if timing.remind is not None and timing.remind.until is not None:
        for when in timing.remind.until.when:
            yield when, Sighting(rule, Role.SETTLES, 0, when.reads_object)
