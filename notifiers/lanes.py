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
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from engine.source import Rate

PER_LANE = 2
IN_ALL = 32
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
        self._in_all = asyncio.Semaphore(in_all)
        self._per_lane = per_lane
        self._patience = patience
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._recent: dict[str, deque[float]] = {}

    async def run(self, lane: str, work: Callable[[], T], *, within: float, rate: Rate | None = None) -> T:
        """Run `work` in a thread of its own, in that lane.

        Raises Busy when the lane is full or at its rate, TimeoutError when `work` takes longer than `within`
        seconds (it goes on in its thread), and whatever `work` raises.
        """
        places = self._lanes.setdefault(lane, asyncio.Semaphore(self._per_lane))
        await self._enter(places)
        try:
            await self._enter(self._in_all)
        except Busy:
            places.release()
            raise
        try:
            self._pace(lane, rate)
            future = self._start(work, places)
        except BaseException:
            self._leave(places)
            raise
        return await asyncio.wait_for(asyncio.shield(future), within)

    async def _enter(self, places: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await places.acquire()
        except TimeoutError:
            raise Busy(LATER) from None

    def _leave(self, places: asyncio.Semaphore) -> None:
        places.release()
        self._in_all.release()

    def _pace(self, lane: str, rate: Rate | None) -> None:
        """At most `rate.count` sends in any `rate.every`, in this process."""
        if rate is None:
            return
        now, every = time.monotonic(), rate.every.total_seconds()
        recent = self._recent.setdefault(lane, deque())
        while recent and recent[0] <= now - every:
            recent.popleft()
        if len(recent) >= rate.count:
            raise Busy(timedelta(seconds=max(0.1, recent[0] + every - now)))
        recent.append(now)

    def _start(self, work: Callable[[], T], places: asyncio.Semaphore) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._leave(places)
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
