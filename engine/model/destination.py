"""What bounds the way to a destination: when to leave it alone for a while, and how it has answered."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a destination is left alone, and for how long.

    It opens when `share` percent of at least `requests` requests within `window` have failed. After `wait` one delivery
    is tried; each time that this fails the wait doubles, up to `longest_wait`.
    """

    share: int = 50
    requests: int = 10
    window: timedelta = timedelta(minutes=1)
    wait: timedelta = timedelta(seconds=30)
    longest_wait: timedelta = timedelta(minutes=5)


class Sign(StrEnum):
    """What one attempt says of its destination."""

    WORKS = "works"  # it answered, whatever it thought of the request
    FAILS = "fails"  # no answer, or one that says it is in trouble
    NOTHING = "nothing"  # nothing was asked of it, or the fault was ours
