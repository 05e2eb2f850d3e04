"""Threads of their own: bounded for each lane and in all."""

import asyncio
import threading

import pytest

from notifiers.lanes import Busy, Lanes


class Gate:
    """Work that waits until it is let go, and counts itself."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self) -> str:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self._open.wait(10)
        with self._lock:
            self.now -= 1
        return "done"

    def open(self) -> None:
        self._open.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.now != count:  # noqa: ASYNC110  (threads count, the loop looks)
                await asyncio.sleep(0.001)


async def turned_away(tasks: list[asyncio.Task[str]], count: int) -> None:
    """Waits until that many of the tasks have ended."""
    async with asyncio.timeout(5):
        while sum(task.done() for task in tasks) < count:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=0.01)


async def test_a_lane_has_only_its_own_places() -> None:
    lanes, slow, other = Lanes(patience=0.02), Gate(), Gate()
    tasks = [asyncio.create_task(lanes.run("slow", slow, within=5)) for _ in range(6)]
    await slow.until(2)
    other.open()
    assert await lanes.run("other", other, within=5) == "done"
    await turned_away(tasks, 4)
    slow.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert slow.most == 2
    assert outcomes.count("done") == 2
    assert sum(isinstance(each, Busy) for each in outcomes) == 4


async def test_all_lanes_together_are_bounded() -> None:
    lanes, gate = Lanes(in_all=3, patience=0.02), Gate()
    tasks = [asyncio.create_task(lanes.run(f"lane-{n}", gate, within=5)) for n in range(5)]
    await gate.until(3)
    await turned_away(tasks, 2)
    gate.open()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.most == 3
    assert sum(isinstance(each, Busy) for each in outcomes) == 2


async def test_what_waits_a_little_gets_its_turn() -> None:
    lanes = Lanes(per_lane=1, patience=5)
    assert await asyncio.gather(*(lanes.run("lane", lambda: 1, within=5) for _ in range(20))) == [1] * 20


async def test_a_send_that_is_given_up_keeps_its_place_until_its_thread_ends() -> None:
    lanes, gate = Lanes(per_lane=1, patience=0.02), Gate()
    with pytest.raises(TimeoutError):
        await lanes.run("lane", gate, within=0.05)
    with pytest.raises(Busy):
        await lanes.run("lane", gate, within=0.05)
    gate.open()
    await gate.until(0)
    assert await Lanes.run(lanes, "lane", gate, within=5) == "done"


async def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyError("x")

    lanes = Lanes(per_lane=1)
    for _ in range(3):
        with pytest.raises(KeyError):
            await lanes.run("lane", fail, within=5)


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    lanes, gate = Lanes(per_lane=1, patience=5), Gate()
    running = asyncio.create_task(lanes.run("lane", gate, within=5))
    await gate.until(1)
    waiting = asyncio.create_task(lanes.run("lane", gate, within=5))
    await asyncio.sleep(0)
    waiting.cancel()
    running.cancel()
    await asyncio.gather(waiting, running, return_exceptions=True)
    gate.open()
    assert await lanes.run("lane", lambda: 7, within=5) == 7
