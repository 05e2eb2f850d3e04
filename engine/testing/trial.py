"""The tests of rules as data: an event that is given, and what is expected of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.model.condition import Condition
from engine.model.event import Json, Scope
from engine.model.position import Position
from engine.model.rule import Severity

CREATED = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
"""When the event of every test was created, unless it sets `$.created`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An event: a sample of the type `event`, or the captured one in `file` (one of the two is None).

    `set` and the rest are laid over it as `engine.samples.sample` does; over a captured one `set` alone, from its
    object or with `$.` from its root. `scope` None: inferred. `livemode` None: the mode that the rule looks at, live
    where it takes both. `fetched` are paths and values of what the rules want read from Stripe, else all a sample.
    `results` are what steps of the rule came back with, by their ids, null for one that failed.
    """

    event: str | None = None
    file: Path | None = None
    set: Mapping[str, Json] = field(default_factory=dict)
    fetched: Mapping[str, Json] = field(default_factory=dict)
    previous: Mapping[str, Json] | None = None
    account: str | None = None
    scope: Scope | None = None
    livemode: bool | None = None
    results: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one rule is to say: that it fires, or that it does not, perhaps because of that path.

    `message` is a condition on `title` and `text` that a message of it passes. `steps` are by its id conditions on what
    a step sends, true for one that sends anything, false for one that is skipped.
    """

    fires: bool
    because: str | None = None
    message: Condition | None = None
    steps: Mapping[str, Condition | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """The rules that fire, these and no others."""

    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many messages: so many of any, or by what they are to be, as `suppressed: {throttle: 2}`."""

    count: int | None = None
    by: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutcome:
    """What is to come of an update, an escalation, an end or a reminder: that messages go out, or none, or how many
    (None: it is not asked). `message` is a condition on `title` and `text` that one of them passes."""

    sent: bool | int | None = None
    message: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Muting:
    """A mute that begins with a step: messages of rules whose id fits `rule` (with `*`), about the account, of at most
    the severity, with the tag; None for any."""

    lasting: timedelta
    rule: str | None = None
    account: str | None = None
    severity: Severity | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A person who takes up, or ends, the open incidents of the rule; `about` None: all of them."""

    by: str
    comment: str | None = None
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is to have come of one rule between the step before and the moment of this one; None: it is not asked.

    `fires`: that it fires, or does not, or how often. `because`: a match did not fire because of that path, or that key
    of the rule. `sent`, `suppressed` and `gathered` count its messages: one for each notify step of a firing, however
    many channels it goes to. `stages` are the messages that come later, by the key of the rule. `message` is a
    condition that one message sent passes, `steps` as of an Answer.
    """

    fires: bool | int | None = None
    because: str | None = None
    sent: int | None = None
    suppressed: Tally | None = None
    gathered: int | None = None
    message: Condition | None = None
    steps: Mapping[str, Condition | bool] = field(default_factory=dict)
    stages: Mapping[str, StageOutcome] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a step of a timeline is: at a time of the clock `at`, so many `days` on, or `after` the step before."""

    at: time | None = None
    days: int = 0
    after: timedelta | None = None

    def follows(self, before: datetime, zone: ZoneInfo) -> datetime:
        """The moment in UTC, given that at which the step before ends. A span is of time that passes, whatever clocks
        are put forward in it."""
        if self.at is None:
            return before + (self.after or timedelta())
        day = before.astimezone(zone).date() + timedelta(days=self.days)
        return datetime.combine(day, self.at, zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInTime:
    """A step of a timeline: what people do first (mute, take up incidents, end them), events that come, `repeat` times,
    `every` so long, each created `late` before it comes; and what is expected then."""

    moment: Moment
    mutes: tuple[Muting, ...] = ()
    acknowledge: Taking | None = None
    resolve: Taking | None = None
    given: tuple[Given, ...] = ()
    repeat: int = 1
    every: timedelta = timedelta()
    late: timedelta = timedelta()
    expect: "Outcome | Fired | None" = None
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Steps in the order of time, from midnight of `day` in `zone` on."""

    steps: tuple[StepInTime, ...]
    day: date
    zone: ZoneInfo

    @property
    def begin(self) -> datetime:
        """Midnight, in UTC."""
        return datetime.combine(self.day, time(), self.zone).astimezone(UTC)

    def moments(self) -> Iterator[tuple[datetime, StepInTime]]:
        """Each step with when it begins, in UTC."""
        end = self.begin
        for step in self.steps:
            begin = step.moment.follows(end, self.zone)
            yield begin, step
            end = begin + step.every * (step.repeat - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """`rule` is None where it is about all of them. `number` counts from 1 within the rule's own tests, or within the
    file of tests."""

    rule: str | None
    number: int
    position: Position
    name: str | None = None

    @property
    def title(self) -> str:
        """What to call it: `payout-failed #2`, `payout-failed: a failed payout`."""
        about = self.rule or "all rules"
        return f"{about}: {self.name}" if self.name else f"{about} #{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest(_Test):
    """A test of one event. `expect` is a Fired where it is about all rules."""

    given: Given
    expect: Answer | Fired

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules it speaks of."""
        return (self.rule,) if self.rule is not None else self.expect.rules if isinstance(self.expect, Fired) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineTest(_Test):
    """A test of events over time. Where it is about all rules every `expect` is a Fired."""

    timeline: Timeline

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules it speaks of."""
        if self.rule is not None:
            return (self.rule,)
        fired = [step.expect.rules for step in self.timeline.steps if isinstance(step.expect, Fired)]
        return tuple(dict.fromkeys(rule for rules in fired for rule in rules))


Test = RuleTest | TimelineTest
