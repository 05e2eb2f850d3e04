"""Threads for what blocks, bounded for each destination and in all, so that a dead host starves nobody.

A lane is one service (one channel URL, whatever its name and recipients). It has at most `PER_LANE` sends under way;
together they have at most `IN_ALL`, of which one lane can hold only its own few. What finds its lane busy waits for
`PATIENCE` and then comes back later, without holding a worker or using up an attempt.

A send that outlives its time is given up, but a thread cannot be: it goes on to its own socket timeout and holds its
place in the lane until then. So a host that hangs for ever holds `PER_LANE` threads, never more.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from engine.store import lanes

PER_LANE = 2
IN_ALL = 32
WAITING = 1_000
PATIENCE = 0.5
LATER = timedelta(seconds=5)

T = TypeVar("T")


class Busy(Exception):
    """It is not this send's turn; `after` says when to come back."""

    def __init__(self, after: timedelta) -> None:
        self.after = after
        super().__init__(f"busy for {after}")


class Lanes:
    """The lanes of one process. To be used from one event loop."""

    def __init__(self, *, in_all: int = IN_ALL, per_lane: int = PER_LANE, patience: float = PATIENCE) -> None:
        self._in_all = lanes.Lanes(lambda _: in_all, WAITING, patience)
        self._lanes = lanes.Lanes(lambda lane: self._at_once.get(lane, per_lane), WAITING, patience)
        self._at_once: dict[str, int] = {}

    async def run(self, lane: str, work: Callable[[], T], *, within: float, at_once: int | None = None) -> T:
        """Run `work` in a thread of its own, in that lane, of which `at_once` may be under way; None: as usual.

        Raises Busy when the lane is full, TimeoutError when `work` takes longer than `within`
        seconds (it goes on in its thread), and whatever `work` raises.
        """
        if at_once is not None:
            self._at_once[lane] = at_once
        if not await self._lanes.enter(lane):
            raise Busy(LATER)
        try:
            future = await self._begin(lane, work)
        except BaseException:
            self._lanes.leave(lane)
            raise
        return await asyncio.wait_for(asyncio.shield(future), within)

    async def _begin(self, lane: str, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Begin it where there is room in all. Its place in the lane is given back when its thread ends."""
        if not await self._in_all.enter(""):
            raise Busy(LATER)
        try:
            return self._start(work, lane)
        except BaseException:
            self._in_all.leave("")
            raise

    def _start(self, work: Callable[[], T], lane: str) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._lanes.leave(lane)
            self._in_all.leave("")
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]  # T may itself be Optional
            else:
                future.set_exception(error)
                future.exception()  # whoever waited may have left: then nobody asks for it

        def run() -> None:
            result, error = None, None
            try:
                result = work()
            except BaseException as caught:  # carried to whoever waits for it
                error = caught
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                return  # the loop has closed: nobody waits any more

        # Daemons: a thread stuck in a plugin must not keep the process from ending.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(run,), name="tocsin-notify", daemon=True).start()
        return future
