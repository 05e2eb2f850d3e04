"""Seats per destination, so that one that hangs does not take the places of all others."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE = 1.0
"""Seconds to wait for a seat: long against a destination that works, short against one that hangs."""


@dataclass(slots=True)
class _Lane:
    taken: int = 0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)


class Lanes:
    """Of each lane's jobs at most `seats(lane)` run and `places` wait, those for a second; the rest is turned away.

    What is turned away goes back to the queue with a delay, and costs the others nothing meanwhile. `seats` is asked
    each time, and may answer none at all.
    """

    def __init__(self, seats: Callable[[str], int], places: int, patience: float | None = None) -> None:
        self._patience = patience
        self._seats = seats
        self._places = places
        self._lanes: dict[str, _Lane] = {}

    async def enter(self, name: str) -> bool:
        """Take a seat, to be given back with `leave`; False: there is none to be had soon."""
        lane = self._lanes.setdefault(name, _Lane())
        if not lane.waiting and lane.taken < self._seats(name):
            lane.taken += 1
            return True
        seat: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if len(lane.waiting) >= self._places or not self._seats(name):
            self._forget(name, lane)
            return False
        lane.waiting.append(seat)
        try:
            async with asyncio.timeout(PATIENCE if self._patience is None else self._patience):
                await seat
        except BaseException as error:
            if seat.done() and not seat.cancelled():
                lane.taken -= 1  # it was given just as we left
                self._fill(name, lane)
            elif seat in lane.waiting:
                lane.waiting.remove(seat)
            self._forget(name, lane)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def leave(self, name: str) -> None:
        """Give the seat back."""
        lane = self._lanes[name]
        lane.taken -= 1
        self._fill(name, lane)
        self._forget(name, lane)

    def _fill(self, name: str, lane: _Lane) -> None:
        while lane.waiting and lane.taken < self._seats(name):
            seat = lane.waiting.popleft()
            if not seat.done():
                lane.taken += 1
                seat.set_result(None)

    def _forget(self, name: str, lane: _Lane) -> None:
        if not lane.taken and not lane.waiting:
            self._lanes.pop(name, None)
