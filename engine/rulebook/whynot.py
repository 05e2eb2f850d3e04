"""What has kept a rule from firing: its verdicts over many events, counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from engine.match import because, compile_condition, examine
from engine.model.condition import All, Condition
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode, When
from engine.model.verdict import Because
from engine.rulebook.verdicts import as_seen, looking, outside, verdict_of

DISTINCT = 1_000
"""Different values of one path that are told apart; of further ones only the number is kept."""


TakenBy = Callable[[Event], str | None]
"""`Rulebook.taken_by`: what a rule for `unmatched` events needs to know."""


@dataclass(slots=True, kw_only=True)
class Obstacle:
    """One path that decided against the rule: how often, what it needed there, and what stood there instead."""

    path: str
    count: int = 0
    needs: Counter[str] = field(default_factory=Counter)
    actual: Counter[str] = field(default_factory=Counter)

    def add(self, failed: Because) -> None:
        """Counts one more event."""
        self.count += 1
        for counter, word in ((self.needs, failed.needs), (self.actual, failed.actual)):
            if word in counter or len(counter) < DISTINCT:
                counter[word] += 1


@dataclass(slots=True, kw_only=True)
class Tally:
    """Events of one type: how many, for how many the rule held, and by path what kept it from the others."""

    events: int = 0
    held: int = 0
    obstacles: dict[str, Obstacle] = field(default_factory=dict)

    def by_weight(self) -> list[Obstacle]:
        """The obstacles, the one that decided most often first."""
        return sorted(self.obstacles.values(), key=lambda each: (-each.count, each.path))


class Reasons:
    """`verdict_of(..).because` for many events: the same answers, several times as quick, because of what holds nothing
    is told."""

    def __init__(self, rule: Rule, taken_by: TakenBy = lambda event: None) -> None:
        self._rule = rule
        self._taken_by = taken_by if any(when.unmatched for when in rule.when) else lambda event: None
        self._whens = {id(when): _parts(when.where) for when in rule.when}
        self._looking: dict[str, tuple[When, ...]] = {}

    def looks_at(self, event_type: str) -> bool:
        """Whether the rule looks at events of that type."""
        return bool(self._of(event_type))

    def because(self, event: Event) -> Because | None:
        """Why the rule does not hold for an event of a type that it looks at; None: it does."""
        whens = self._of(event.type)
        taken_by = self._taken_by(event)
        failed = [self._failed(when, event, taken_by) for when in whens]
        if len(failed) == 1 or None in failed:
            return None if None in failed else failed[0]
        return verdict_of(self._rule, event, looks=True, taken_by=taken_by).because  # the one that came furthest

    def _of(self, event_type: str) -> tuple[When, ...]:
        if event_type not in self._looking:
            self._looking[event_type] = looking(self._rule, event_type)
        return self._looking[event_type]

    def _failed(self, when: When, event: Event, taken_by: str | None) -> Because | None:
        seen, missing = as_seen(when, self._rule, event)
        failed = outside(when, event, taken_by) or missing
        if failed is not None:
            return failed
        for part, holds in self._whens[id(when)]:
            if not holds(seen):
                return because(examine(part, seen))
        return None


def _parts(where: Condition) -> Sequence[tuple[Condition, Callable[[Event], bool]]]:
    """What must all hold, in order, each with its compiled form."""
    parts = where.children if isinstance(where, All) else (where,)
    return [(part, compile_condition(part)) for part in parts]


class WhyNot:
    """Judges events by one rule as it is now, as `explain` does, and counts. A rule that is off is judged as if it
    were not: what it would do is what one wants to know of it."""

    def __init__(self, rule: Rule, taken_by: TakenBy = lambda event: None) -> None:
        self._reasons = Reasons(replace(rule, mode=RuleMode.LIVE), taken_by)
        self.types: dict[str, Tally] = {}

    def add(self, event: Event) -> None:
        """Judges one event; one of a type that the rule does not look at is passed over."""
        if not self._reasons.looks_at(event.type):
            return
        tally = self.types.setdefault(event.type, Tally())
        tally.events += 1
        failed = self._reasons.because(event)
        if failed is None:
            tally.held += 1
            return
        tally.obstacles.setdefault(failed.path, Obstacle(path=failed.path)).add(failed)

    @property
    def events(self) -> int:
        """How many events were judged."""
        return sum(tally.events for tally in self.types.values())
