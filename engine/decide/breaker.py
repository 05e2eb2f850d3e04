"""A circuit breaker as values: when a destination is left alone, tried again, and trusted again.

    closed --- too many failures ---> open --- the wait is over ---> half-open (one delivery is the probe)
      ^                                ^                                 |
      +---------- it works ------------|---------------------------------+
                                       +---------- it fails -------------+

What is counted is counted in halves of the window: the current one and the one before it, so that what happened counts
for between half of the window and all of it, and a destination needs to keep two pairs of numbers only.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from engine.model.destination import BreakerPolicy, Sign
from engine.model.outcome import Delivered, Held, Outcome, Refused, Retry, Skipped

RAMP_FIRST = 10
RAMP_DOUBLES = timedelta(seconds=2)
"""Of what waited for an open breaker: so many are let go in the first two seconds after it has closed, twice as many in
the next two, and so on."""

LATER = timedelta(seconds=5)
"""When to look again while a probe is under way."""

LEASE = timedelta(minutes=2)
"""How long a probe may take before another may go: its process may have died."""


class BreakerState(StrEnum):
    """CLOSED: everything passes. OPEN: nothing does. HALF_OPEN: one delivery is trying it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Requests and how many of them failed."""

    requests: int = 0
    failures: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(requests=self.requests + other.requests, failures=self.failures + other.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """How a destination stands. `since` is when it opened, and once it is closed again when it closed; None: never.

    `until`: while open, when a probe may go; while half-open, when the probe counts as lost; while closed, until when
    the destination asked to be left alone (`Retry-After`), if it did. `openings` counts how often it has opened in a
    row, failed probes included. `began` is the start of the current half of the window, which `current` counts;
    `earlier` counts the half before. `reason` is what its latest failure said.
    """

    state: BreakerState = BreakerState.CLOSED
    since: datetime | None = None
    until: datetime | None = None
    openings: int = 0
    began: datetime | None = None
    current: Counts = Counts()
    earlier: Counts = Counts()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A delivery may go. `probe`: as the only one, once that has been written down (`probing`)."""

    probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A delivery is to wait until then, and why."""

    until: datetime
    reason: str


def admitted(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Go | Wait:
    """Whether a delivery may go to the destination."""
    until = breaker.until
    # A moment further away than any that is ever set: the clock was set back, and nobody waits for that.
    over = until is None or until <= now or until > now + max(policy.longest_wait, policy.wait, LEASE)
    if until is None or over:
        return Go(probe=breaker.state is not BreakerState.CLOSED)
    match breaker.state:
        case BreakerState.CLOSED:
            return Wait(until=until, reason=f"the destination asked for patience until {_moment(until)}")
        case BreakerState.OPEN:
            why = f" ({breaker.reason})" if breaker.reason else ""
            return Wait(until=until, reason=f"breaker open until {_moment(until)}{why}")
        case BreakerState.HALF_OPEN:
            return Wait(until=min(until, now + LATER), reason="breaker half-open: another delivery is trying it")


def probing(breaker: Breaker, now: datetime) -> Breaker:
    """The breaker while one delivery tries the destination."""
    return replace(breaker, state=BreakerState.HALF_OPEN, until=now + LEASE)


def noted(
    breaker: Breaker,
    policy: BreakerPolicy,
    seen: Counts,
    now: datetime,
    *,
    reason: str | None = None,
    asked: timedelta | None = None,
) -> Breaker:
    """The breaker after requests that were no probe; `asked`: the destination wants to be left alone for so long."""
    if breaker.state is not BreakerState.CLOSED:
        return breaker
    counting = _turned(breaker, policy, now)
    counting = replace(counting, current=counting.current + seen, reason=reason or counting.reason)
    whole = counting.current + counting.earlier
    if seen.failures and whole.requests >= policy.requests and whole.failures * 100 >= policy.share * whole.requests:
        return _opened(counting, policy, now)
    if asked:
        until = now + min(asked, policy.longest_wait)
        return replace(counting, until=max(counting.until or until, until))
    return counting


def probed(breaker: Breaker, policy: BreakerPolicy, sign: Sign, now: datetime, *, reason: str | None = None) -> Breaker:
    """The breaker after its probe. One that says nothing leaves the next delivery to try it."""
    if breaker.state is not BreakerState.HALF_OPEN:
        return breaker
    match sign:
        case Sign.WORKS:
            return Breaker(since=now, openings=breaker.openings, began=now, reason=breaker.reason)
        case Sign.FAILS:
            return _opened(replace(breaker, reason=reason or breaker.reason), policy, now)
        case Sign.NOTHING:
            return replace(breaker, state=BreakerState.OPEN, until=now)


def counted(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Counts:
    """What counts of the latest requests, as far as it is known."""
    turned = _turned(breaker, policy, now)
    return turned.current + turned.earlier


def is_quiet(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> bool:
    """Whether nothing needs to be remembered of the destination: closed, and no failure that still counts."""
    if breaker.state is not BreakerState.CLOSED or (breaker.until is not None and breaker.until > now):
        return False
    turned = _turned(breaker, policy, now)
    return not (turned.current.failures or turned.earlier.failures or turned.openings)


def sign_of(outcome: Outcome) -> Sign:
    """What an attempt says of its destination.

    An answer is an answer, a refusal too: one event that it does not like is no reason to leave a destination alone.
    A 429 that says for how long asks for patience, which is honoured by itself (`asked_of`).
    """
    match outcome:
        case Delivered():
            return Sign.WORKS
        case Refused(status=status):
            return Sign.NOTHING if status is None else Sign.WORKS
        case Retry(attempted=False) | Retry(ours=True):
            return Sign.NOTHING
        case Retry(status=429, after=None):
            return Sign.FAILS
        case Retry(status=int(status)):
            return Sign.FAILS if status in _TROUBLE or not 300 <= status < 500 else Sign.WORKS
        case Retry():
            return Sign.FAILS
        case Held() | Skipped():
            return Sign.NOTHING


_TROUBLE = frozenset({408, 421, 451, 452, 454})
"""Of HTTP, too slow or the wrong server; of mail servers, not available, in trouble, out of space, no login for now."""


def asked_of(outcome: Outcome) -> timedelta | None:
    """For how long the destination asks to be left alone: `Retry-After` of an answer that is about all requests."""
    if isinstance(outcome, Retry) and outcome.attempted and outcome.status in (429, 503):
        return outcome.after
    return None


def ramp(place: int) -> timedelta:
    """How long after its breaker has closed a delivery may go that waited for it, as number `place` from 0."""
    return RAMP_DOUBLES * math.log2(1 + place / RAMP_FIRST)


def _opened(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Breaker:
    wait = min(policy.wait * 2 ** min(breaker.openings, 20), max(policy.longest_wait, policy.wait))
    since = now if breaker.state is BreakerState.CLOSED or breaker.since is None else breaker.since
    return Breaker(
        state=BreakerState.OPEN,
        since=since,
        until=now + wait,
        openings=breaker.openings + 1,
        reason=breaker.reason,
    )


def _turned(breaker: Breaker, policy: BreakerPolicy, now: datetime) -> Breaker:
    """The breaker with the halves of its window moved on to `now`; a clock that was set back begins anew."""
    half = policy.window / 2
    began = breaker.began
    if breaker.state is BreakerState.CLOSED and breaker.since is not None and now >= breaker.since + policy.window:
        breaker = replace(breaker, openings=0)
    if began is None or now < began - half or now >= began + policy.window:
        return replace(breaker, began=now, current=Counts(), earlier=Counts())
    if now < began + half:
        return breaker
    return replace(breaker, began=began + half, current=Counts(), earlier=breaker.current)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
