"""Whose turn it is: who sends more than a share comes after those who do not, and nobody waits for ever.

The queue takes jobs by priority, then in the order they were made. A job's priority is the second at which it is its
turn, negated: now, for whoever keeps to a share; later and later for an account that sends more than its share to one
destination, and for a destination that gets more than its own from accounts which keep to theirs. So a flood of one
account is done in the time that others leave, which is all of it where there are no others, and each of its jobs comes
before those that others make MOST seconds later. (Virtual clocks, as of L. Zhang, SIGCOMM 1990.)

Each process keeps its own clocks: of n processes somebody gets n shares before the others come first.
"""

import time
from collections.abc import Callable
from typing import TypeVar

SHARE, LANE_SHARE = 10.0, 100.0
"""Deliveries a second: of one account to one destination, and of one destination."""

BURST = 1.0
"""Seconds of a share that may come at once."""

MOST = 3600.0
"""Seconds by which a turn may be put off."""

_EPOCH = 1_767_225_600
"""2026-01-01: a priority is an integer of four bytes."""

_MOST_CLOCKS = 20_000

_Key = TypeVar("_Key")


class Turns:
    """The clocks of one process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._accounts: dict[tuple[str | None, str], float] = {}
        self._lanes: dict[str, float] = {}

    def priority(self, account: str | None, lane: str) -> int:
        """Of one more job for that account at that destination, from now on counted."""
        now = self._clock()
        late = _charge(self._accounts, (account, lane), 1 / SHARE, now)
        # What is beyond an account's share is not the destination's fault: others are not put off for it.
        late += _charge(self._lanes, lane, 0 if late else 1 / LANE_SHARE, now)
        return -round(now - _EPOCH + min(late, MOST))


def _charge(clocks: dict[_Key, float], key: _Key, cost: float, now: float) -> float:
    """Put a clock forward; by how many seconds it was ahead already, beyond what may come at once."""
    turn = clocks.get(key, now)
    if not now <= turn <= now + MOST + BURST:  # it was not used for a while; or our own clock was set back
        turn = now if turn < now else now + MOST + BURST
    if len(clocks) > _MOST_CLOCKS:
        for old in [each for each, at in clocks.items() if at <= now]:
            del clocks[old]
    clocks[key] = turn + cost
    return max(0.0, turn - now - BURST)
