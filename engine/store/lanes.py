"""Seats per destination, so that one that hangs does not take the places of all others."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

PATIENCE = 1.0
"""Seconds to wait for a seat: long against a destination that works, short against one that hangs."""


@dataclass(slots=True)
class _Lane:
    seats: asyncio.Semaphore
    users: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Lanes:
    """Of each lane's jobs at most `seats` run and `places` wait, those for a second; the rest is turned away.

    What is turned away goes back to the queue with a delay, and costs the others nothing meanwhile.
    """

    seats: int
    places: int
    _lanes: dict[str, _Lane] = field(init=False)

    def __post_init__(self) -> None:
        self._lanes = defaultdict(lambda: _Lane(asyncio.Semaphore(self.seats)))

    async def enter(self, name: str) -> bool:
        """Take a seat, to be given back with `leave`; False: there is none to be had soon."""
        lane = self._lanes[name]
        if lane.waiting >= self.places:
            return False
        lane.users += 1
        lane.waiting += 1
        entered = False
        try:
            async with asyncio.timeout(PATIENCE):
                entered = await lane.seats.acquire()
        except TimeoutError:
            return False
        finally:
            lane.waiting -= 1
            if not entered:
                self._forget(name, lane)
        return True

    def leave(self, name: str) -> None:
        """Give the seat back."""
        lane = self._lanes[name]
        lane.seats.release()
        self._forget(name, lane)

    def _forget(self, name: str, lane: _Lane) -> None:
        lane.users -= 1
        if not lane.users:
            del self._lanes[name]
