"""The rulebook: all the rules in force, ready to be matched. A value: a reload makes another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.match import TypeIndex, compile_condition, compile_pattern
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode, When
from engine.model.verdict import Verdict
from engine.rulebook.verdicts import verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A rule whose `when` held for an event."""

    rule: Rule


@dataclass(frozen=True, slots=True, eq=False)
class _Watch:
    """One `when` of a rule, compiled: all of it but the type, which the index knows."""

    match: Match
    holds: Callable[[Event], bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rulebook:
    """The rules of one revision, in the order of their files (which never matters).

    `revision` names exactly these rules: the sha-256 of their files and of what the configuration gives them.
    """

    revision: str
    rules: tuple[Rule, ...]
    _by_id: dict[str, Rule] = field(init=False, repr=False)
    _watches: TypeIndex[_Watch] = field(init=False, repr=False)
    _looking: TypeIndex[Rule] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        acting = [rule for rule in self.rules if rule.mode is not RuleMode.OFF]
        watches = [
            (when.types, _Watch(match, compile_when(when)))
            for match in (Match(rule=rule) for rule in acting)
            for when in match.rule.when
        ]
        looking = [([pattern for when in rule.when for pattern in when.types], rule) for rule in self.rules]
        object.__setattr__(self, "_by_id", {rule.id: rule for rule in self.rules})
        object.__setattr__(self, "_watches", TypeIndex(watches))
        object.__setattr__(self, "_looking", TypeIndex(looking))

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, None if there is none."""
        return self._by_id.get(rule_id)

    def match(self, event: Event) -> tuple[Match, ...]:
        """The rules, live and shadow, that hold for the event. Pure and quick; never raises."""
        found: list[Match] = []
        for watch in self._watches[event.type]:
            if (not found or found[-1] is not watch.match) and watch.holds(event):
                found.append(watch.match)
        return tuple(found)

    def looked_at(self, event_type: str) -> int:
        """How many rules look at events of that type, rules that are off included: those that `explain` lists."""
        return len(self._looking[event_type])

    def explain(self, event: Event, *, rule: str | None = None, all_rules: bool = False) -> tuple[Verdict, ...]:
        """Why each rule held or not: of those that look at the type, or of one, or of all."""
        looking = self._looking[event.type]
        rules: Sequence[Rule] = self.rules if all_rules else looking
        if rule is not None:
            rules = [each for each in self.rules if each.id == rule]
        names = {each.id for each in looking}
        return tuple(verdict_of(each, event, looks=each.id in names) for each in rules)


def compile_when(when: When) -> Callable[[Event], bool]:
    """Everything of a `when` but its types, as one function of an event."""
    checks: list[Callable[[Event], bool]] = []
    scopes, livemode, accounts = when.scopes, when.livemode, when.accounts
    if scopes is not None:
        checks.append(lambda event: event.scope in scopes)
    if livemode is not None:
        checks.append(lambda event: event.livemode is livemode)
    if accounts is not None:
        fits = [compile_pattern(pattern) for pattern in accounts]
        checks.append(lambda event: event.account is not None and any(fit(event.account) for fit in fits))
    where = compile_condition(when.where)
    if not checks:
        return where
    if len(checks) == 1:
        first = checks[0]
        return lambda event: first(event) and where(event)
    if len(checks) == 2:
        first, second = checks
        return lambda event: first(event) and second(event) and where(event)
    return lambda event: all(check(event) for check in checks) and where(event)
