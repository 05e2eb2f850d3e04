"""The worker goes on, whatever its housekeeping meets."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from engine.work import worker
from engine.work.worker import Handler, Seats, work


class Jobs:
    """An engine with nothing to do."""

    async def run(self, handlers: Mapping[str, Handler], stop: asyncio.Event, drain: timedelta, seats: Seats) -> None:
        await stop.wait()


def _all(verb: str, destination: str) -> None:
    return None


async def test_a_sweep_or_a_forgetting_that_fails_ends_no_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", timedelta(milliseconds=1))
    monkeypatch.setattr(worker, "FORGET_EVERY", timedelta(milliseconds=1))
    stop, swept, forgot = asyncio.Event(), 0, 0

    async def sweep() -> int:
        nonlocal swept
        swept += 1
        raise RuntimeError("deadlock detected")

    async def forget(before: datetime) -> int:
        nonlocal forgot
        forgot += 1
        if swept > 2 and forgot > 2:
            stop.set()
        raise RuntimeError("deadlock detected")

    async with asyncio.timeout(10):
        day = timedelta(days=1)
        await work(Jobs(), {}, seats=_all, sweep=sweep, forget=forget, keep=day, stop=stop, drain=day)
    assert swept > 2
    assert forgot > 2
