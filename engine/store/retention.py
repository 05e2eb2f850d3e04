"""Forgetting what is older than it is to be kept, in small statements that do not hold up ingest."""

from datetime import datetime, timedelta

from engine.store.connect import Pool
from engine.store.incidents import FORGET_INCIDENTS
from engine.store.leftovers import UNFINISHED, forget_leftovers
from engine.store.writes import FORGET_WRITES

AHEAD = timedelta(days=1)
"""How far the clock may be ahead of the latest event without being mistrusted."""

BATCH = 500
"""Events a statement deletes, with everything that came of them."""

# Whether anything is so old is asked first: on large tables PostgreSQL plans DELETE_OLD anew each time, which takes
# longer than finding nothing. A clock that was set far ahead is not believed: nothing goes that is not old by the
# latest event either.
HOW_OLD = """
    select moment, exists (select from tocsin.events where received < moment) as any
    from (select least($1::timestamptz, (select max(received) from tocsin.events) + $2::interval) as moment) as clamped
"""

# Skips what another process is deleting just now. An event of which something is still to be done, or is waited for, or
# that an open incident is about, stays until that has ended, however old it is.
DELETE_OLD = f"""
    with old as (
        select dedupe_key from tocsin.events e
        where received < $1
          and not exists (
              select from tocsin.firings f join tocsin.deliveries d on d.firing = f.id
              where f.event = e.dedupe_key and {UNFINISHED}
          )
          and not exists (select from tocsin.firings f where f.event = e.dedupe_key and f.status = 'waiting')
          and not exists (select from tocsin.timers t where t.event = e.dedupe_key)
          and not exists (
              select from tocsin.incidents i where i.first_event = e.dedupe_key and i.status <> 'resolved'
          )
          and not exists (
              select from tocsin.incidents i where i.last_event = e.dedupe_key and i.status <> 'resolved'
          )
        order by received
        limit $2
        for update skip locked
    ), events as (
        delete from tocsin.events e using old where e.dedupe_key = old.dedupe_key
    ), firings as (
        delete from tocsin.firings f using old where f.event = old.dedupe_key returning f.id
    ), deliveries as (
        delete from tocsin.deliveries d using firings f where d.firing = f.id returning d.id
    ), attempts as (
        delete from tocsin.attempts a using deliveries d where a.delivery = d.id
    )
    select count(*) from old
"""  # noqa: S608  of constants


async def forget(pool: Pool, before: datetime, keep: timedelta | None = None, capped: timedelta = timedelta()) -> int:
    """Delete up to BATCH events received before that moment, and what came of them; when there are none, up to BATCH of
    each kind of what is as old and hangs on no event. How many; 0: nothing is left.
    Incidents that were resolved before it go with them.

    `keep`: nothing is deleted that is not older by so much than a day after the latest event, whatever the clock says:
    one that was set a year ahead must not cost everything.
    `capped`: Stripe writes count in their caps for so long, whatever becomes of their events.
    """
    younger = timedelta(days=365_000) if keep is None else AHEAD - keep
    row = await pool.first(HOW_OLD, before, younger)
    assert row is not None
    moment = row["moment"]
    await pool.execute(FORGET_INCIDENTS, moment)
    found: int = await pool.value(DELETE_OLD, moment, BATCH) if row["any"] else 0
    if found:
        return found
    counting = max(timedelta(), capped - (keep or timedelta()))
    return await forget_leftovers(pool, moment, BATCH) + await pool.execute(FORGET_WRITES, moment - counting, BATCH)
