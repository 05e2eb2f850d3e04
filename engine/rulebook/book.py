"""The rulebook: all the rules in force, ready to be matched. A value: a reload makes another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_

from engine.match import Index, TypeIndex
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode
from engine.model.verdict import Branch, Verdict
from engine.rulebook.verdicts import looking, tree_of, verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule whose `when` held for an event."""

    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rulebook:
    """The rules of one revision, in the order of their files (which never matters).

    `revision` names exactly these rules: the sha-256 of their files and of what the configuration gives them.
    """

    revision: str
    rules: tuple[Rule, ...]
    _places: dict[str, int] = field(init=False, repr=False)
    _waiting: Index[Match] = field(init=False, repr=False)
    _leftover: Index[Match] | None = field(init=False, repr=False)
    _looking: TypeIndex[Rule] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        acting = (Match(rule=rule) for rule in self.rules if rule.mode is not RuleMode.OFF)
        waiting = [(when, match) for match in acting for when in match.rule.when]
        leftover = [(when, match) for when, match in waiting if when.unmatched]
        looking = ((_patterns(rule), rule) for rule in self.rules)
        object.__setattr__(self, "_places", {rule.id: place for place, rule in enumerate(self.rules)})
        object.__setattr__(self, "_waiting", Index((w, match) for w, match in waiting if not w.unmatched))
        object.__setattr__(self, "_leftover", Index(leftover) if leftover else None)
        object.__setattr__(self, "_looking", TypeIndex(looking))

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, None if there is none."""
        place = self._places.get(rule_id)
        return None if place is None else self.rules[place]

    def match(self, event: Event) -> tuple[Match, ...]:
        """The rules, live and shadow, that hold for the event, in their order. Pure and quick; never raises."""
        found = self._waiting.find(event)
        if self._leftover is not None and not any(match.rule.mode is RuleMode.LIVE for match in found):
            found += self._leftover.find(event)
        if len(found) < 2:
            return tuple(found)
        places = self._places
        found.sort(key=lambda match: places[match.rule.id])
        if any(map(is_, found, found[1:])):  # a rule with several that hold
            found = [match for match, before in zip(found, [None, *found], strict=False) if match is not before]
        return tuple(found)

    def taken_by(self, event: Event) -> str | None:
        """The id of a live rule that keeps the event from being `unmatched`, None if it is."""
        found = self._waiting.find(event)
        return next((match.rule.id for match in found if match.rule.mode is RuleMode.LIVE), None)

    def looked_at(self, event_type: str) -> int:
        """How many rules look at events of that type, rules that are off included: those that `explain` lists."""
        return len(self._looking[event_type])

    def explain(self, event: Event, *, rule: str | None = None, all_rules: bool = False) -> tuple[Verdict, ...]:
        """Why each rule held or not: of those that look at the type, or of one, or of all."""
        taken_by = self.taken_by(event)
        if rule is not None:
            one = self.rule(rule)
            looks = one is not None and bool(looking(one, event.type))
            return () if one is None else (verdict_of(one, event, looks=looks, taken_by=taken_by),)
        looking_at = self._looking[event.type]
        rules: Sequence[Rule] = self.rules if all_rules else looking_at
        names = {each.id for each in looking_at}
        return tuple(verdict_of(each, event, looks=each.id in names, taken_by=taken_by) for each in rules)

    def tree(self, rule_id: str, event: Event) -> Branch | None:
        """Everything that the rule of that id asks, with what the event has of it; None if there is no such rule."""
        found = self.rule(rule_id)
        return None if found is None else tree_of(found, event, self.taken_by(event))


def _patterns(rule: Rule) -> list[str]:
    return [pattern for when in rule.when for pattern in when.types]
