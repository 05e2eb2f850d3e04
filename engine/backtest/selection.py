"""Which rules have to run so that some of them do as they would, and which events concern them."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from engine.decide.sighting import watches
from engine.decision import LEAVING
from engine.match import TypeIndex
from engine.model.rule import Rule, RuleMode
from engine.model.timing import NO_TIMING
from engine.rulebook import Rulebook

LONGEST_BEFORE = timedelta(days=35)
"""How far back of the time asked for events are read so that rules know what came before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A rulebook to run, and the rules of it whose doings are asked for. `before`: how long before an event another may
    matter to a rule; `waits`: what a rule waits for may end with its account."""

    rulebook: Rulebook
    asked: frozenset[str]
    before: timedelta
    waits: bool
    _types: TypeIndex[Rule]

    def concerns(self, event_type: str) -> bool:
        """Whether a rule looks at events of that type, or waits for them."""
        return bool(self._types[event_type]) or (self.waits and event_type.removeprefix("v1.") in LEAVING)


def select(rulebook: Rulebook, chosen: Collection[str] = ()) -> Selection:
    """The rules to run for the chosen ones, which then act as if they were live; of none, all that are not off."""
    if not chosen:
        rules: tuple[Rule, ...] = tuple(rule for rule in rulebook.rules if rule.mode is not RuleMode.OFF)
        asked = frozenset(rule.id for rule in rules)
    else:
        asked = frozenset(chosen)
        every = any(when.unmatched for rule in rulebook.rules if rule.id in asked for when in rule.when)
        rules = tuple(_acting(rule, asked) for rule in rulebook.rules if _needed(rule, asked, every=every))
    return Selection(
        rulebook=Rulebook(revision=rulebook.revision, rules=rules),
        asked=asked,
        before=min(max((span for rule in rules for span in _spans(rule)), default=timedelta()), LONGEST_BEFORE),
        waits=any(rule.timing is not NO_TIMING for rule in rules),
        _types=TypeIndex((list(_patterns(rule)), rule) for rule in rules),
    )


def _acting(rule: Rule, asked: Collection[str]) -> Rule:
    return replace(rule, mode=RuleMode.LIVE) if rule.id in asked else rule


def _needed(rule: Rule, asked: frozenset[str], *, every: bool) -> bool:
    """It is asked for, or may stand in the way of one that is. `every`: one of those is for what no other takes."""
    return rule.id in asked or (rule.mode is not RuleMode.OFF and (every or not asked.isdisjoint(rule.supersedes)))


def _patterns(rule: Rule) -> Iterator[str]:
    for when in (*rule.when, *(when for when, _ in watches(rule))):
        yield from when.types


def _spans(rule: Rule) -> Iterable[timedelta]:
    """Spans of time that a rule looks back over."""
    timing = rule.timing
    if timing.threshold is not None:
        yield timing.threshold.within
    if timing.throttle is not None:
        yield timing.throttle.every
    for other in (timing.preceded_by, *(absence.other for absence in timing.not_followed_by)):
        if other is not None and other.within is not None:
            yield other.within
