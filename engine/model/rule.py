"""Rules as the engine holds them after loading: immutable, validated, positions kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from engine.model.condition import ALWAYS, Column, Condition
from engine.model.event import Json, Scope
from engine.model.fetch import Fetch
from engine.model.position import Position
from engine.model.timing import NO_TIMING, Timing


class Severity(StrEnum):
    """How much it matters, least first; `at_least` compares."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return _RANKS[self]

    def at_least(self, bar: "Severity") -> bool:
        """Whether this severity reaches `bar`."""
        return self.rank >= bar.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class RuleMode(StrEnum):
    """live acts, shadow records what it would have done, off is not evaluated."""

    LIVE = "live"
    SHADOW = "shadow"
    OFF = "off"


class Verb(StrEnum):
    """What a step does."""

    NOTIFY = "notify"
    CALLBACK = "callback"
    STRIPE = "stripe"
    FETCH = "fetch"  # no rule's own: what rules want read before they are judged


class OnError(StrEnum):
    """What steps that depend on this one do when it is dead."""

    STOP = "stop"
    CONTINUE = "continue"


LADDER: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""The waits between attempts where a step says nothing: eight attempts over a little more than a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """`attempts` tries in all; `waits[i]` before attempt i + 2, the last one repeating; `limit` caps each wait."""

    attempts: int = len(LADDER) + 1
    waits: tuple[timedelta, ...] = LADDER
    limit: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """One way for a rule to be concerned: the patterns of section 2, all of which must hold.

    `unmatched`: and no other enabled live rule is concerned, those left aside that are so for this reason.
    `fetch` is what it wants read first; `reads_object`: `where` asks for the event's object, which thin events lack.

    `types` are patterns in which only `*` is special; `scopes` and `accounts` are None for any;
    `livemode` is None for any, and `livemode_source` says where it came from (`rule` or `default`).
    """

    types: tuple[str, ...]
    scopes: frozenset[Scope] | None = None
    livemode: bool | None = True
    livemode_source: str = "default"
    accounts: tuple[str, ...] | None = None
    unmatched: bool = False
    fetch: Fetch | None = None
    where: Condition = ALWAYS
    reads_object: bool = False
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The rows of a table by account id, and what stands for an account that has none: null in every column."""

    by_account: Mapping[str, Mapping[str, Json]] = field(repr=False)
    empty: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The global names that the texts of a rule read: `vars` by name, and of each table its rows."""

    vars: Mapping[str, Json] = field(default_factory=dict)
    tables: Mapping[str, Rows] = field(default_factory=dict)

    def rows_of(self, account: str | None) -> dict[str, Mapping[str, Json]]:
        """The row of an account (None: the platform) in each table."""
        return {name: rows.by_account.get(account or "", rows.empty) for name, rows in self.tables.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. `options` holds the verb's own keys, checked; `needs` the ids of steps it reads from.

    `id` is the one written, else the verb and the step's place (`notify-1`). `columns` are the targets that stand
    in a table, `$tables.accounts.channel`: what is meant depends on the account. Where `condition` does not hold,
    the step is skipped; `asks_steps` says that it reads results of other steps, and is judged when those have ended,
    `asks_digest` that it is about the digest that the step's messages are gathered to. `fetch` is what is read anew
    when the step is carried out; the condition is then judged on that.
    """

    id: str
    verb: Verb
    targets: tuple[str, ...]
    columns: Mapping[str, Column] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    timeout: timedelta | None = None
    on_error: OnError = OnError.STOP
    condition: Condition = ALWAYS
    asks_steps: bool = False
    asks_digest: bool = False
    fetch: Fetch | None = None
    position: Position | None = None

    def towards(self, account: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The targets for an event about that account, and those of `columns` that have no cell for it."""
        if not self.columns:
            return self.targets, ()
        found: list[str] = []
        without: list[str] = []
        for target in self.targets:
            column = self.columns.get(target)
            cell = target if column is None else column.cells.get(account or "")
            (without if cell is None else found).append(target if cell is None else str(cell))
        return tuple(found), tuple(without)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the language, without state. `timing`: what it remembers, waits for and keeps quiet about.

    `supersedes`: the rules whose notify steps are not for an event that this one fires for, and where each is named.
    `on_failure`: steps for when one of `steps` is given up, once a firing. `reads_object`: a text of it, or the `if` of
    a step, asks for the event's object. `ignored` are the codes of warnings that it is meant to have, each with the
    place that says so, None where that is in the defaults of its file.
    """

    id: str
    when: tuple[When, ...]
    steps: tuple[Step, ...]
    description: str | None = None
    severity: Severity = Severity.MEDIUM
    owner: str | None = None
    tags: tuple[str, ...] = ()
    runbook: str | None = None
    mode: RuleMode = RuleMode.LIVE
    supersedes: Mapping[str, Position] = field(default_factory=dict)
    on_failure: tuple[Step, ...] = ()
    reads_object: bool = False
    timing: Timing = NO_TIMING
    shared: Shared = Shared()
    ignored: Mapping[str, Position | None] = field(default_factory=dict)
    position: Position | None = None

    def step(self, step_id: str) -> Step | None:
        """The step of that id, None if there is none."""
        return next((step for step in self.every_step if step.id == step_id), None)

    @property
    def every_step(self) -> tuple[Step, ...]:
        """The steps of `then`, and of everything else that it may come to."""
        if self.timing is NO_TIMING:
            return (*self.steps, *self.on_failure)
        return (*self.steps, *self.on_failure, *self.timing.steps)

    @property
    def main_steps(self) -> tuple[Step, ...]:
        """Every step but those of `on_failure`."""
        return (
            self.steps
            if self.timing is NO_TIMING
            else (*self.steps, *self.every_step[len(self.steps + self.on_failure) :])
        )

    def gathers(self, step: Step) -> bool:
        """Whether messages of a step wait for the rule's digest. One that waits for another step is sent by itself, for
        whether it is to be said at all is known only later."""
        return (
            self.timing.digest is not None
            and step.verb is Verb.NOTIFY
            and not step.needs
            and step not in self.on_failure
        )

    @property
    def waits(self) -> bool:
        """Whether a step of it may have to wait for another."""
        return bool(self.on_failure) or any(step.needs for step in self.every_step)
