"""Timers as the store gives them out."""

import contextlib
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.decision import Ripe
from engine.errors import StoreUnavailable
from engine.model.delivery import Timer
from engine.store import Store, memory
from engine.store.timers import AGAIN

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TIMER = Timer(rule="late", part="absent", key="", due=NOON, event=None, account=None, livemode=True)


async def test_the_timer_that_fails_is_put_off_and_not_one_that_is_due_before_it(store: Store) -> None:
    """Another process was looking at that one, and is not any more."""
    failing = replace(TIMER, key="fails")
    before = replace(TIMER, key="before", due=NOON - timedelta(seconds=1))
    pool = store.timers._pool
    tried: list[list[str]] = []
    async with pool.transaction() as connection:
        await memory.set_timers(connection, [failing, before])
    async with contextlib.AsyncExitStack() as other:
        connection = await other.enter_async_context(pool.transaction())
        await connection.fetch("select id from tocsin.timers where key = 'before' for update")

        async def resolve(due: Sequence[Timer]) -> Sequence[Ripe]:
            tried.append([timer.key for timer in due])
            if "fails" not in tried[-1]:
                raise StoreUnavailable("enough is known")
            if len(tried) == 2:
                await other.aclose()
            raise RuntimeError("not this one")

        with pytest.raises(StoreUnavailable):
            await store.timers.ripen(NOON, resolve)
    assert tried == [["fails"], ["fails"], ["before"]]
    rows = await pool.fetch("select key, due from tocsin.timers")
    assert {row["key"]: row["due"] for row in rows} == {"fails": NOON + AGAIN, "before": before.due}


async def test_what_was_missed_is_taken_the_longest_due_first(store: Store) -> None:
    timers = [replace(TIMER, key=str(number), due=NOON + timedelta(seconds=number // 2)) for number in range(40)]
    shuffled = random.Random(5).sample(timers, len(timers))
    pool = store.timers._pool
    async with pool.transaction() as connection:
        for each in shuffled:
            await memory.set_timers(connection, [each])
        taken = await memory.take_timers(connection, NOON + timedelta(minutes=1), 100)
    assert taken == sorted(timers, key=lambda timer: (timer.due, timer.id))
