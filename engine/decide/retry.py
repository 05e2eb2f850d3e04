"""When a delivery is tried again, and when it has ended."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.outcome import Delivered, Held, Outcome, Refused, Retry, Skipped
from engine.model.rule import RetryPolicy

LONGEST_WAIT = timedelta(hours=24)
"""A destination may ask for patience (Retry-After), but not for ever."""

JITTER = 0.1
"""Waits are spread by this share to either side, so that what failed together does not return together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a delivery after an attempt: its status, the reason on record, when it is next due."""

    status: DeliveryStatus
    reason: str | None = None
    next_attempt: datetime | None = None


def after_attempt(delivery: Delivery, outcome: Outcome, policy: RetryPolicy, now: datetime) -> Decision:
    """What becomes of `delivery`, whose `attempts` counts the tries before this one."""
    match outcome:
        case Delivered():
            return Decision(status=DeliveryStatus.DELIVERED)
        case Held(reason=reason):
            return Decision(status=DeliveryStatus.HELD, reason=reason)
        case Skipped(reason=reason):
            return Decision(status=DeliveryStatus.SKIPPED, reason=reason)
        case Refused(reason=reason):
            return Decision(status=DeliveryStatus.DEAD, reason=reason)
        case Retry(reason=reason, stopped=True):
            return Decision(status=DeliveryStatus.PENDING, reason=reason, next_attempt=now)
        case Retry(reason=reason, after=after):
            tries = delivery.attempts + 1
            if tries >= policy.attempts:
                return Decision(status=DeliveryStatus.DEAD, reason=f"{reason} (gave up after {_attempts(tries)})")
            wait = min(max(after or timedelta(), _wait(delivery, tries, policy)), LONGEST_WAIT)
            return Decision(status=DeliveryStatus.PENDING, reason=reason, next_attempt=now + wait)


def _wait(delivery: Delivery, tries: int, policy: RetryPolicy) -> timedelta:
    """The wait after try number `tries`, spread by a share that is fixed for this delivery and try."""
    wait = policy.waits[min(tries, len(policy.waits)) - 1]
    if policy.limit is not None:
        wait = min(wait, policy.limit)
    digest = hashlib.sha256(f"{delivery.id}\0{tries}".encode()).digest()
    share = int.from_bytes(digest[:4], "big") / 2**32
    return wait * (1 + JITTER * (2 * share - 1))


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"
