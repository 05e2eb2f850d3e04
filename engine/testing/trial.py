"""The tests of rules as data: an event that is given, and what is expected of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.model.condition import Condition
from engine.model.event import Json, Scope
from engine.model.position import Position


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
class RuleTest:
    """One test. `rule` is None where it is about all of them (`expect` is then a Fired).

    `number` counts from 1 within the rule's own tests, or within the file of tests.
    """

    rule: str | None
    given: Given
    expect: Answer | Fired
    number: int
    position: Position
    name: str | None = None

    @property
    def title(self) -> str:
        """What to call it: `payout-failed #2`, `payout-failed: a failed payout`."""
        about = self.rule or "all rules"
        return f"{about}: {self.name}" if self.name else f"{about} #{self.number}"

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules it speaks of."""
        return (self.rule,) if self.rule is not None else self.expect.rules if isinstance(self.expect, Fired) else ()
