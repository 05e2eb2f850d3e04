"""What a rule remembers, waits for and keeps quiet about, as data: the keys of section "Time, state and noise".

All paths are References; `account` of a rule is the reference `$account.id`. Two events are told apart by their
livemode everywhere: test events never count with live ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.model.condition import Money, Reference
from engine.model.position import Position

if TYPE_CHECKING:
    from engine.model.rule import Severity, Step, When

Per = tuple[Reference, ...]
"""What is counted apart: the values at these paths, together, are a key."""

BY_ACCOUNT: Per = (Reference(path="$account.id"),)
"""Where a rule says nothing."""

BY_ID: Per = (Reference(path="id"),)
"""By the event's object, where a reminder says nothing."""


TOLD: Mapping[str, frozenset[str] | None] = {
    "window": frozenset({"count", "distinct", "sum", "ratio", "of", "events", "approximate"}),
    "incident": frozenset(
        {
            *("id", "stage", "status", "about", "count", "opened", "last", "duration", "first", "url"),
            *("acknowledged", "acknowledged_by", "comment", "resolved_by", "reason"),
        }
    ),
    "reminder": frozenset({"lead", "due", "left"}),
    "digest": frozenset(
        {
            *("items", "count", "more", "total", "totals", "groups", "first", "last"),
            *("accounts", "rules", "what", "notes", "timezone"),
        }
    ),
}
"""Names that texts, and the `if` of steps, have in rules with `threshold`, `incident`, `remind` or `digest`, and their
fields;
None where `check` does not look at them."""

TOLD_BY: Mapping[str, str] = {"window": "threshold", "incident": "incident", "reminder": "remind", "digest": "digest"}
"""The key of a rule that each of those names comes with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another event than the one that the rule is for, and how it belongs to it.

    `when` has the types, `where` and scopes of it; its livemode is the trigger's. `same`: pairs of a path of the
    trigger and a path of the other event, whose values must be equal; an event where one is missing belongs to
    nothing. The platform is an account, too: of two events about it `$account.id` is the same. `within` is the time
    between the two, None where there is no bound.
    """

    when: "tuple[When, ...]"
    same: tuple[tuple[Reference, Reference], ...]
    within: timedelta | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """One event that must not follow. `restart`: a later trigger of the same key starts the one timer anew; else each
    trigger has its own."""

    other: Other
    restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """This rule's matches among the events of `of` (which include them): at least the share `gte` (0 to 1) of at least
    `min` events."""

    of: "tuple[When, ...]"
    gte: Decimal
    min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What must hold, all of it, of the matches of a key in the time `within` up to a match.

    `distinct`: at least so many different values at a path; `sums`: at least that much of that currency at a path.
    """

    within: timedelta
    per: Per = BY_ACCOUNT
    count: int | None = None
    distinct: tuple[tuple[Reference, int], ...] = ()
    sums: tuple[tuple[Reference, Money], ...] = ()
    ratio: Ratio | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """At most `max` messages of a key in any `every`, by time of sending."""

    max: int
    every: timedelta
    per: Per = BY_ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Times that come again: from `begin` to `end` o'clock in a time zone (IANA name), past midnight where `end` is not
    after `begin`; the whole day where both are None. On the weekdays (0 is Monday) and dates named, None and () for
    every day; a day is the one that the span starts on."""

    name: str
    timezone: str
    weekdays: frozenset[int] | None = None
    dates: tuple[date, ...] = ()
    begin: time | None = None
    end: time | None = None
    position: Position | None = None


class QuietDo(StrEnum):
    """What becomes of messages in quiet times."""

    HOLD = "hold"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Times without messages; a rule of at least the severity `bar` passes, None: none does."""

    during: tuple[Calendar, ...]
    do: QuietDo = QuietDo.HOLD
    bar: "Severity | None" = None


MAX_ITEMS = 50
"""Of a digest, where it says nothing."""

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Messages gathered to one. `every` a span from the first one gathered, or DAY or WEEK with `at` o'clock in
    `timezone` (on `weekday`, 0 is Monday, for a week). `per` None: one digest for all. At most `max_items` are listed,
    `group_by` the value at a path where that is set; the rest is counted."""

    every: timedelta
    at: time | None = None
    timezone: str = "UTC"
    weekday: int = 0
    per: Per | None = None
    max_items: int = MAX_ITEMS
    group_by: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One alert for what goes on: open by key until `resolve` comes, or `resolve_after` has passed since the last match
    (with a threshold: since it was last satisfied), None: until a person resolves it."""

    per: Per = BY_ACCOUNT
    resolve: Other | None = None
    resolve_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Steps for an incident that nobody has taken up `after` it opened."""

    after: timedelta
    steps: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """Alerts at times before the moment at a path, unless `until` comes first. `at`: the lead times, longest first;
    a later match with the same values at `same` moves the deadline."""

    before: Reference
    at: tuple[timedelta, ...]
    until: Other | None = None
    same: Per = BY_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All of it. A rule without any of it is judged by its event alone."""

    max_age: timedelta | None = None
    preceded_by: Other | None = None
    not_followed_by: tuple[Absence, ...] = ()
    threshold: Threshold | None = None
    incident: Incident | None = None
    escalate: tuple[Escalation, ...] = ()
    remind: Reminder | None = None
    throttle: Throttle | None = None
    quiet: Quiet | None = None
    digest: Digest | None = None
    on_update: "tuple[Step, ...]" = ()
    on_resolve: "tuple[Step, ...]" = ()

    @property
    def steps(self) -> "tuple[Step, ...]":
        """Every step in it: of updates, of the end of incidents, and of each escalation."""
        return (*self.on_update, *self.on_resolve, *(step for each in self.escalate for step in each.steps))


NO_TIMING = Timing()
"""Of a rule that is judged by its event alone."""
