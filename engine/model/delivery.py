"""Firings, deliveries and attempts: what a matched rule leads to, and how it went."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from engine.model.event import Json
from engine.model.rule import RuleMode, Severity, Verb


def firing_id(rule: str, cause: str, replay: int = 0) -> str:
    """The fixed id of a firing: the same rule and cause (an event's dedupe key) always give the same."""
    return "fir_" + _digest("firing", rule, cause, str(replay))


def delivery_id(firing: str, step: str, destination: str) -> str:
    """The fixed id of a delivery: `webhook-id` of a callback, `Idempotency-Key` of a Stripe write."""
    return "dlv_" + _digest("delivery", firing, step, destination)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A rule that fired for an event. `event` is the event's dedupe key, `revision` the rules that judged it."""

    id: str
    rule: str
    revision: str
    event: str
    account: str | None
    severity: Severity
    mode: RuleMode
    replay: int
    created: datetime


OWN_RULE = "tocsin"
"""The rule that Tocsin's own deliveries stand under: reports to the ops channel, and what is read for rules."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands. PENDING and WAITING are open; all others are ends, DEAD and HELD retryable."""

    WAITING = "waiting"  # for the result of another step
    PENDING = "pending"  # due at `next_attempt`
    DELIVERED = "delivered"
    DEAD = "dead"  # gave up; `reason` says why
    SKIPPED = "skipped"  # not meant for this destination (livemode, min_severity, a dead step before it)
    HELD = "held"  # a Stripe write beyond its cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One step of one firing for one destination.

    `firing` and `event` are None for Tocsin's own reports to the ops channel, whose rule is OWN_RULE.
    `step` is the step's id; `needs` names the steps whose results it reads. `destination` is a channel
    (`channel` or `channel/recipient`), a callback's name or URL, or a Stripe operation. `request` is what was
    rendered, once, and every attempt sends; `result` what came back, for other steps to read.
    `attempts` counts real tries, `first_attempt` is when the first began.
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
class Plan:
    """Everything that must come of one event, committed with it."""

    firings: tuple[Firing, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


NOTHING = Plan()
"""The plan of an event that no rule looks at."""
