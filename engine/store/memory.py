"""The states and timers tables: what rules remember, and what is due when."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter

from engine.decide.memory import SPARE, Cell, Kept, Memory
from engine.model.delivery import Timer
from engine.store.columns import columns, text, to_json
from engine.store.connect import Connection, Pool, Record

# Locks cells in the order given, so callers sort; a cell that is not there yet is made, so that it can be locked.
TAKE_STATES = """
    insert into tocsin.states as s (rule, part, key, shape, state)
    select rule, part, key, '', '{}' from unnest($1::text[], $2::text[], $3::text[]) as c (rule, part, key)
    on conflict (rule, part, key) do update set shape = s.shape
    returning rule, part, key, shape, state, until
"""

KEEP_STATES = """
    update tocsin.states s set shape = k.shape, state = k.state, until = k.until
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        as k (rule, part, key, shape, state, until)
    where s.rule = k.rule and s.part = k.part and s.key = k.key
"""

DROP_STATES = """
    delete from tocsin.states s using unnest($1::text[], $2::text[], $3::text[]) as k (rule, part, key)
    where s.rule = k.rule and s.part = k.part and s.key = k.key
"""

# A little longer than it matters: a timer of it may be late.
FORGET_STATES = """
    delete from tocsin.states where (rule, part, key) in (
        select rule, part, key from tocsin.states where until < $1 order by until limit $2 for update skip locked
    )
"""
FORGET_BATCH = 1000

SET_TIMERS = """
    insert into tocsin.timers (id, rule, part, key, due, event, account, livemode)
    select * from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::boolean[]
    )
    on conflict (id) do nothing
"""

# Due timers that no other process is looking at.
TAKE_TIMERS = """
    delete from tocsin.timers where id in (
        select id from tocsin.timers where due <= $1 order by due, id limit $2 for update skip locked
    )
    returning *
"""

NEXT_TIMER = "select min(due) from tocsin.timers"

COLUMNS = (
    attrgetter("id"),
    attrgetter("rule"),
    attrgetter("part"),
    attrgetter("key"),
    attrgetter("due"),
    attrgetter("event"),
    lambda timer: text(timer.account),
    attrgetter("livemode"),
)


async def take(connection: Connection, cells: Iterable[Cell]) -> Memory:
    """Those cells, locked until the transaction ends."""
    wanted = sorted(set(cells))
    if not wanted:
        return Memory()
    rows = await connection.fetch(TAKE_STATES, *_names(wanted))
    return Memory({Cell(row["rule"], row["part"], row["key"]): _kept(row) for row in rows})


async def keep(connection: Connection, memory: Memory, now: datetime) -> None:
    """Put back what was changed; what is empty, and what was only looked at and is not there, is deleted."""
    changed = memory.changed(now)
    full = {cell: kept for cell, kept in changed.items() if any(kept.state.values())}
    empty = [cell for cell, kept in memory.kept.items() if cell not in full and not any(kept.state.values())]
    if full:
        await connection.execute(
            KEEP_STATES,
            *_names(full),
            [kept.shape for kept in full.values()],
            [to_json(kept.state) for kept in full.values()],
            [kept.until for kept in full.values()],
        )
    if empty:
        await connection.execute(DROP_STATES, *_names(empty))


async def set_timers(connection: Connection, timers: Sequence[Timer]) -> None:
    """Set timers; one that is set already stays as it is."""
    await connection.execute(SET_TIMERS, *columns(sorted(timers, key=lambda timer: timer.id), *COLUMNS))


async def take_timers(connection: Connection, now: datetime, most: int) -> list[Timer]:
    """Timers that are due, the longest due first; they are gone when the transaction is committed."""
    rows = await connection.fetch(TAKE_TIMERS, now, most)  # in no order: `returning` keeps none
    return sorted(map(_timer, rows), key=lambda timer: (timer.due, timer.id))


async def forget_states(pool: Pool, now: datetime) -> int:
    """Delete some of what matters no more; how many cells."""
    return await pool.execute(FORGET_STATES, now - SPARE, FORGET_BATCH)


def _names(cells: Iterable[Cell]) -> tuple[list[str], list[str], list[str]]:
    found = list(cells)
    return [cell.rule for cell in found], [cell.part for cell in found], [cell.key for cell in found]


def _kept(row: Record) -> Kept:
    return Kept(json.loads(row["state"]), row["shape"], row["until"])


def _timer(row: Record) -> Timer:
    return Timer(
        rule=row["rule"],
        part=row["part"],
        key=row["key"],
        due=row["due"],
        event=row["event"],
        account=row["account"],
        livemode=row["livemode"],
    )
