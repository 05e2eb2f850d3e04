"""What the rules leave out: types that none of them looks at, and conditions that make no difference."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from engine.match import TypeIndex, compile_condition, describe
from engine.model.condition import Condition, PathTest
from engine.model.event import Event
from engine.model.position import Position
from engine.model.rule import Rule, RuleMode, When
from engine.rulebook.verdicts import as_seen, outside
from engine.rulebook.whynot import TakenBy

LEAST = 20
"""Events that a condition has to be judged on before it is said never to vary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A condition that gave the same answer, `held`, for every one of `events`."""

    rule: str
    condition: str
    position: Position | None
    held: bool
    events: int


@dataclass(slots=True, eq=False)
class _Counted:
    """One test of a rule, and how often it held and did not."""

    rule: Rule
    test: PathTest
    holds: Callable[[Event], bool]
    held: int = 0
    failed: int = 0

    @property
    def varied(self) -> bool:
        return bool(self.held and self.failed)


@dataclass(slots=True, eq=False)
class _Watched:
    """One `when` of a rule with those of its tests that have not varied yet."""

    rule: Rule
    when: When
    open: list[_Counted] = field(default_factory=list)


class Coverage:
    """Judges events by every test of every rule that is not off, and remembers which of them vary.

    A test is judged on the events that its rule looks at: of its types, scope, livemode and account. Those in `any` and
    `none` count each by itself.
    """

    def __init__(self, rules: Iterable[Rule], taken_by: TakenBy = lambda event: None) -> None:
        acting = [rule for rule in rules if rule.mode is not RuleMode.OFF]
        looking = ((rule, [when for when in rule.when if not when.unmatched]) for rule in acting)
        self._looking = TypeIndex([([name for when in whens for name in when.types], rule) for rule, whens in looking])
        watched = [
            _Watched(rule, when, [_Counted(rule, test, compile_condition(test)) for test in _tests(when.where)])
            for rule in acting
            for when in rule.when
        ]
        self._counted = [each for one in watched for each in one.open]
        self._watched = TypeIndex([(one.when.types, one) for one in watched])
        self._taken_by = taken_by
        self.events = 0

    def looked_at(self, event_type: str) -> bool:
        """Whether a rule looks at events of that type, or it is a ping, which no rule has to."""
        return bool(self._looking[event_type]) or event_type.endswith(".ping")

    def add(self, event: Event) -> None:
        """Judges one event."""
        self.events += 1
        for watched in self._watched[event.type]:
            if watched.open and self._looks(watched.when, event):
                seen, missing = as_seen(watched.when, watched.rule, event)
                for each in watched.open if missing is None else ():
                    if each.holds(seen):
                        each.held += 1
                    else:
                        each.failed += 1
                watched.open = [each for each in watched.open if not each.varied]

    def _looks(self, when: When, event: Event) -> bool:
        return outside(when, event, self._taken_by(event) if when.unmatched else None) is None

    def constants(self) -> list[Constant]:
        """The conditions that never varied, of those judged on at least LEAST events, in the order of the rules."""
        return [
            Constant(
                rule=each.rule.id,
                condition=describe(each.test),
                position=each.test.position,
                held=bool(each.held),
                events=each.held + each.failed,
            )
            for each in self._counted
            if not each.varied and each.held + each.failed >= LEAST
        ]


def _tests(condition: Condition) -> Iterator[PathTest]:
    if isinstance(condition, PathTest):
        yield condition
        return
    for child in condition.children:
        yield from _tests(child)
