"""The rulebook: all the rules in force, ready to be matched. A value: a reload makes another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from engine.decide.sighting import Role, Sighting, watches
from engine.match import Index, TypeIndex
from engine.match.whens import Entry
from engine.model.event import Event
from engine.model.fetch import OBJECT, WHOLE_OBJECT, lacks_object, wanted, with_fetched
from engine.model.rule import Rule, RuleMode, When
from engine.model.timing import NO_TIMING
from engine.model.verdict import Branch, Verdict
from engine.rulebook.verdicts import looking, outside, tree_of, verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule whose `when` held for an event. `reads_object`: it, or a text of the rule, asks for the event's object."""

    rule: Rule
    reads_object: bool = False


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
        """The rules, live and shadow, that hold for the event, in their order. Pure and quick; never raises.

        Rules that want something read first (`wants`) are judged when the event has it, and not before.
        """
        indexes = self._indexes or self.prepare()
        plain = event.object is not None and indexes.fetching is None  # nearly always
        found = indexes.waiting.find(event) if plain else indexes.held(event)
        if indexes.leftover is not None and _live(found) is None and not self.wants(event):
            found += _with_object(indexes.leftover, event)
        if len(found) > 1:
            found.sort(key=indexes.place)
            before = None
            for match in found:
                if match.rule is before:  # a rule with several that hold
                    return tuple({id(each.rule): each for each in found}.values())
                before = match.rule
        return tuple(found)

    def sightings(self, event: Event, matches: Sequence[Match]) -> tuple[Sighting, ...]:
        """What the event is to the rules with a memory: to those of `matches`, and to those that watch for it."""
        watching = (self._indexes or self.prepare()).watching
        found = [Sighting(match.rule, Role.MATCH) for match in matches if match.rule.timing is not NO_TIMING]
        if watching is not None:
            found += _with_object(watching, event)
        return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)

    def wants(self, event: Event) -> tuple[str, ...]:
        """What is to be read from Stripe, and was not yet, before every rule can be judged that the event concerns."""
        indexes = self._indexes or self.prepare()
        needs: dict[str, None] = {}
        for entry in indexes.fetching_of(event.type):
            fetch = wanted(entry.when, entry.thing.rule, event)
            missing = fetch.missing(event) if fetch is not None else ()
            if missing and outside(entry.when, event, None) is None:
                needs.update(dict.fromkeys(missing))
        if lacks_object(event) and WHOLE_OBJECT.missing(event) and self._asks_for_object(event):
            needs.setdefault(OBJECT)
        return tuple(needs)

    def taken_by(self, event: Event) -> str | None:
        """The id of a live rule that keeps the event from being `unmatched`, None if it is."""
        return _live(self.prepare().held(event))

    def _asks_for_object(self, event: Event) -> bool:
        asking = (self._indexes or self.prepare()).asking
        if asking is not None and any(outside(when, event, None) is None for when in asking[event.type]):
            return True
        return any(
            wanted(when, rule, event) is WHOLE_OBJECT and outside(when, event, None) is None
            for rule in self._look_at(event.type)
            if rule.mode is not RuleMode.OFF
            for when in looking(rule, event.type)
        )

    def looked_at(self, event_type: str) -> int:
        """How many rules look at events of that type, rules that are off included: those that `explain` lists."""
        return len(self._look_at(event_type))

    def explain(
        self, event: Event, *, rule: str | None = None, all_rules: bool = False, unread: str | None = None
    ) -> tuple[Verdict, ...]:
        """Why each rule held or not: of those that look at the type, or of one, or of all.

        `unread`: why what rules want read could not be; None: it is still to be read.
        """
        judge = partial(verdict_of, event=event, taken_by=self.taken_by(event), unread=unread, wants=self.wants(event))
        if rule is not None:
            one = self.rule(rule)
            return () if one is None else (judge(one, looks=bool(looking(one, event.type))),)
        looking_at = self._look_at(event.type)
        rules: Sequence[Rule] = self.rules if all_rules else looking_at
        names = {each.id for each in looking_at}
        return tuple(judge(each, looks=each.id in names) for each in rules)

    def tree(self, rule_id: str, event: Event, *, unread: str | None = None) -> Branch | None:
        """Everything that the rule of that id asks, with what the event has of it; None if there is no such rule."""
        found = self.rule(rule_id)
        return None if found is None else tree_of(found, event, self.taken_by(event), unread, self.wants(event))

    def _look_at(self, event_type: str) -> tuple[Rule, ...]:
        known = self._looking
        if known is None:
            known = TypeIndex((_patterns(rule), rule) for rule in self.rules)
            object.__setattr__(self, "_looking", known)
        return known[event_type]


Seen = TypeVar("Seen", bound=Match | Sighting)


class _Indexes:
    """What an event is looked up in: the rules, those that wait for what no other takes, and those that want something
    read first (None: there are none), and what rules with a memory watch for (None: nothing), and what of that asks for
    the object of a thin event (None: nothing). `place` says where in their order one stands."""

    __slots__ = ("asking", "fetching", "leftover", "place", "waiting", "watching")

    def __init__(self, rules: Sequence[Rule], places: Mapping[str, int], before: "_Indexes | None") -> None:
        every = [(when, _match(when, rule)) for rule in rules if rule.mode is not RuleMode.OFF for when in rule.when]
        leftover = [(when, match) for when, match in every if when.unmatched]
        waiting = ((when, match) for when, match in every if not when.unmatched and when.fetch is None)
        fetching = [(when.types, Entry(when, match)) for when, match in every if when.fetch is not None]
        self.waiting: Index[Match] = Index(waiting, None if before is None else before.waiting)
        self.leftover = Index(leftover) if leftover else None
        self.place: Callable[[Match], int] = lambda match: places[match.rule.id]
        while every:  # bit by bit: freed at once, many would keep everyone waiting
            every.pop()
        self.fetching = TypeIndex(fetching) if fetching else None
        watched = [each for rule in rules if rule.timing is not NO_TIMING for each in _watched(rule)]
        old = None if before is None else before.watching
        self.watching: Index[Sighting] | None = Index(watched, old) if watched else None
        asking = [(when.types, when) for when, _ in watched if when.reads_object]
        self.asking = TypeIndex(asking) if asking else None

    def fetching_of(self, event_type: str) -> tuple[Entry[Match], ...]:
        """The `when` that want something read, of those that take events of the type."""
        return () if self.fetching is None else self.fetching[event_type]

    def held(self, event: Event) -> list[Match]:
        """The matches but those of the unmatched, in no order."""
        found = _with_object(self.waiting, event)
        for entry in self.fetching_of(event.type):
            fetch = wanted(entry.when, entry.thing.rule, event)
            if fetch is None or fetch.missing(event):
                continue
            if (entry.holds or entry.compiled())(with_fetched(event, fetch)):
                found.append(entry.thing)
        return found


def _watched(rule: Rule) -> Iterable[tuple[When, Sighting]]:
    return () if rule.mode is RuleMode.OFF else watches(rule)


def _match(when: When, rule: Rule) -> Match:
    return Match(rule=rule, reads_object=when.reads_object or rule.reads_object)


def _with_object(index: Index[Seen], event: Event) -> list[Seen]:
    """What holds for the event; of a thin one, what asks for its object is judged on the object that was read."""
    if not lacks_object(event):
        return index.find(event)
    found = [each for each in index.find(event) if not each.reads_object]
    whole = with_fetched(event, WHOLE_OBJECT)
    return found if whole is event else [*found, *(each for each in index.find(whole) if each.reads_object)]


def _live(matches: Iterable[Match]) -> str | None:
    return next((match.rule.id for match in matches if match.rule.mode is RuleMode.LIVE), None)


def _patterns(rule: Rule) -> list[str]:
    return [pattern for when in rule.when for pattern in when.types]
