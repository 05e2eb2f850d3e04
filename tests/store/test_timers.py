"""Timers as the store gives them out."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine.model.delivery import Timer
from engine.store import Store, memory

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TIMER = Timer(rule="late", part="absent", key="", due=NOON, event=None, account=None, livemode=True)


async def test_what_was_missed_is_taken_the_longest_due_first(store: Store) -> None:
    timers = [replace(TIMER, key=str(number), due=NOON + timedelta(seconds=number // 2)) for number in range(40)]
    shuffled = random.Random(5).sample(timers, len(timers))
    pool = store.timers._pool
    async with pool.transaction() as connection:
        for each in shuffled:
            await memory.set_timers(connection, [each])
        taken = await memory.take_timers(connection, NOON + timedelta(minutes=1), 100)
    assert taken == sorted(timers, key=lambda timer: (timer.due, timer.id))
