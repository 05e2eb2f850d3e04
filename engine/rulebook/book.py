"""The rulebook: all the rules in force, ready to be matched. A value: a reload makes another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
    _indexes: "_Indexes | None" = field(init=False, repr=False, default=None)
    _looking: TypeIndex[Rule] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {rule.id: place for place, rule in enumerate(self.rules)})

    def prepare(self, before: "Rulebook | None" = None) -> "_Indexes":
        """Make what `match` looks in, which it else does at the first event.

        What is the same as in the rulebook `before` is taken from there, compiled conditions too.
        """
        indexes = self._indexes
        if indexes is None:
            indexes = _Indexes(self.rules, self._places, None if before is None else before._indexes)
            object.__setattr__(self, "_indexes", indexes)
        return indexes

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, None if there is none."""
        place = self._places.get(rule_id)
        return None if place is None else self.rules[place]

    def match(self, event: Event) -> tuple[Match, ...]:
        """The rules, live and shadow, that hold for the event, in their order. Pure and quick; never raises."""
        indexes = self._indexes or self.prepare()
        found = indexes.waiting.find(event)
        if indexes.leftover is not None and not any(match.rule.mode is RuleMode.LIVE for match in found):
            found += indexes.leftover.find(event)
        if len(found) > 1:
            found.sort(key=indexes.place)
            if len(set(map(id, found))) < len(found):  # a rule with several that hold
                found = list({id(match): match for match in found}.values())
        return tuple(found)

    def taken_by(self, event: Event) -> str | None:
        """The id of a live rule that keeps the event from being `unmatched`, None if it is."""
        found = self.prepare().waiting.find(event)
        return next((match.rule.id for match in found if match.rule.mode is RuleMode.LIVE), None)

    def looked_at(self, event_type: str) -> int:
        """How many rules look at events of that type, rules that are off included: those that `explain` lists."""
        return len(self._look_at(event_type))

    def explain(self, event: Event, *, rule: str | None = None, all_rules: bool = False) -> tuple[Verdict, ...]:
        """Why each rule held or not: of those that look at the type, or of one, or of all."""
        taken_by = self.taken_by(event)
        if rule is not None:
            one = self.rule(rule)
            looks = one is not None and bool(looking(one, event.type))
            return () if one is None else (verdict_of(one, event, looks=looks, taken_by=taken_by),)
        looking_at = self._look_at(event.type)
        rules: Sequence[Rule] = self.rules if all_rules else looking_at
        names = {each.id for each in looking_at}
        return tuple(verdict_of(each, event, looks=each.id in names, taken_by=taken_by) for each in rules)

    def tree(self, rule_id: str, event: Event) -> Branch | None:
        """Everything that the rule of that id asks, with what the event has of it; None if there is no such rule."""
        found = self.rule(rule_id)
        return None if found is None else tree_of(found, event, self.taken_by(event))

    def _look_at(self, event_type: str) -> tuple[Rule, ...]:
        known = self._looking
        if known is None:
            known = TypeIndex((_patterns(rule), rule) for rule in self.rules)
            object.__setattr__(self, "_looking", known)
        return known[event_type]


class _Indexes:
    """What an event is looked up in: the rules, and those that wait for what no other takes (None: there are none).
    `place` says where in their order one stands."""

    __slots__ = ("leftover", "place", "waiting")

    def __init__(self, rules: Sequence[Rule], places: Mapping[str, int], before: "_Indexes | None") -> None:
        acting = (Match(rule=rule) for rule in rules if rule.mode is not RuleMode.OFF)
        every = [(when, match) for match in acting for when in match.rule.when]
        leftover = [(when, match) for when, match in every if when.unmatched]
        waiting = ((when, match) for when, match in every if not when.unmatched)
        self.waiting: Index[Match] = Index(waiting, None if before is None else before.waiting)
        self.leftover = Index(leftover) if leftover else None
        self.place: Callable[[Match], int] = lambda match: places[match.rule.id]


def _patterns(rule: Rule) -> list[str]:
    return [pattern for when in rule.when for pattern in when.types]
