"""Firings, deliveries and attempts: what a matched rule leads to, and how it went."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from engine.model.event import Json
from engine.model.incident import Change
from engine.model.rule import RuleMode, Severity, Verb


def firing_id(rule: str, cause: str, replay: int = 0) -> str:
    """The fixed id of a firing: the same rule and cause (an event's dedupe key) always give the same."""
    return "fir_" + _digest("firing", rule, cause, str(replay))


def delivery_id(firing: str, step: str, destination: str) -> str:
    """The fixed id of a delivery: `webhook-id` of a callback, `Idempotency-Key` of a Stripe write."""
    return "dlv_" + _digest("delivery", firing, step, destination)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class FiringStatus(StrEnum):
    """What became of a match. A rule without memory fires at once."""

    FIRED = "fired"
    WAITING = "waiting"  # for a time to pass; `reason` says which
    NO = "no"  # what the rule asks beyond its event did not hold; `reason` says what
    FOLLOW_UP = "follow_up"  # no match, but what comes of one later: an escalation, a reminder, the end of an incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A rule whose `when` held for an event, and what became of that.

    `event` is the event's dedupe key, `revision` the rules that judged it. `context` is what texts read of the rule's
    memory, by name (`window`, `incident`, `reminder`).
    """

    id: str
    rule: str
    revision: str
    event: str
    account: str | None
    severity: Severity
    mode: RuleMode
    replay: int
    created: datetime
    status: FiringStatus = FiringStatus.FIRED
    reason: str | None = None
    context: Json = None


OWN_RULE = "tocsin"
"""The rule that Tocsin's own deliveries stand under: reports to the ops channel, and what is read for rules."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands. PENDING, WAITING and GATHERED are open; all others are ends, DEAD and HELD retryable."""

    WAITING = "waiting"  # for the result of another step
    PENDING = "pending"  # due at `next_attempt`
    DELIVERED = "delivered"
    DEAD = "dead"  # gave up; `reason` says why
    SKIPPED = "skipped"  # not meant for this destination (livemode, min_severity, a dead step before it)
    HELD = "held"  # a Stripe write beyond its cap, or restored and perhaps made since
    SUPPRESSED = "suppressed"  # kept quiet: throttled, muted, in quiet times, or of an incident that is known
    GATHERED = "gathered"  # waits for the digest it will be part of
    MERGED = "merged"  # was part of a digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One step of one firing for one destination.

    `firing` and `event` are None for Tocsin's own reports to the ops channel, whose rule is OWN_RULE.
    `step` is the step's id; `needs` names the steps whose results it reads. `destination` is a channel
    (`channel` or `channel/recipient`), a callback's name or URL, or a Stripe operation. `request` is what was
    rendered, once, and every attempt sends; `result` what came back, for other steps to read.
    `attempts` counts real tries, `first_attempt` is when the first began. `note` is a line that is sent with the
    message; `silence` names what kept it quiet (`throttle`, `mute mut_1`), `digest` what it is gathered for.
    `turn` is until when it was put off without a try: for the destination or rate named `gate`, and without one for
    the place that it has been given at a rate.
    """

    id: str
    firing: str | None
    event: str | None
    rule: str
    revision: str
    step: str
    verb: Verb
    destination: str
    account: str | None
    livemode: bool
    needs: tuple[str, ...] = ()
    status: DeliveryStatus = DeliveryStatus.PENDING
    reason: str | None = None
    attempts: int = 0
    next_attempt: datetime | None = None
    first_attempt: datetime | None = None
    request: Json = None
    result: Json = None
    created: datetime
    finished: datetime | None = None
    note: str | None = None
    silence: str | None = None
    digest: str | None = None
    gate: str | None = None
    turn: datetime | None = None

    @property
    def put_off(self) -> bool:
        """Whether it waits for its destination rather than for its next try."""
        return self.status is DeliveryStatus.PENDING and self.turn is not None and self.turn == self.next_attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a delivery, as recorded. `number` counts from 1; `status` is an HTTP status where there is one;
    `excerpt` at most 1,000 characters of the answer, never a secret."""

    delivery: str
    number: int
    started: datetime
    duration: timedelta
    outcome: str
    reason: str | None
    status: int | None
    excerpt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something of a rule that is due at a time: looked at once then, with what the rule remembers under its key.

    `event` is the dedupe key of the event that it is for, where it is for one. The id is fixed by all of this, so that
    set twice is set once.
    """

    rule: str
    part: str
    key: str
    due: datetime
    event: str | None = None
    account: str | None = None
    livemode: bool = True

    @property
    def id(self) -> str:
        """`tmr_` and a digest."""
        return "tmr_" + _digest("timer", self.rule, self.part, self.key, self.event or "", self.due.isoformat())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a match that was still open, or not to fire: the new status, reason and context of its firing.
    `again`: it has fired before, and only the reason is another."""

    firing: str
    status: FiringStatus
    reason: str | None = None
    context: Json = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An account that has left, as an event says: what waits on its account, other than for that event, ends."""

    account: str
    livemode: bool
    event: str
    at: datetime


class Silencing(NamedTuple):
    """What keeps quiet messages about an account (None: about any), as `Delivery.silence` names it, and why."""

    silence: str
    reason: str
    account: str | None = None


class DueDigest(NamedTuple):
    """A digest that is to be made of what was gathered under its name; `note` is a line that is sent with it,
    `silencings` keep messages out of it."""

    name: str
    note: str | None = None
    silencings: tuple[Silencing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that must come of one event, or of a time that was waited for; committed as a whole.

    `digests` are those that are due: what was gathered for each becomes one delivery per step and destination.
    """

    firings: tuple[Firing, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    timers: tuple[Timer, ...] = ()
    settled: tuple[Settled, ...] = ()
    digests: tuple[DueDigest, ...] = ()
    changes: tuple[Change, ...] = ()
    left: Left | None = None


NOTHING = Plan()
"""The plan of an event that no rule looks at."""
