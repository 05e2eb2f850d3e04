"""What ends when an account leaves: in the transaction that stores the event that says so, after the rules saw it."""

from engine.decide.leaving import ACCOUNT_LEFT, ENDING
from engine.model.delivery import FiringStatus, Left, Settled, firing_id
from engine.store import firings, incidents
from engine.store.connect import Connection

# What has been left out by throttles and gathered for digests is still said; what waits on the very event stays.
END_TIMERS = """
    delete from tocsin.timers
    where account = $1 and livemode = $2 and event is distinct from $3
      and split_part(part, ' ', 1) = any($4::text[])
    returning rule, event
"""

# Of all that has such a timer, what has not fired.
SELECT_WAITING = "select id from tocsin.firings where id = any($1::text[]) and status = 'waiting'"

SELECT_OPEN = """
    select id from tocsin.incidents
    where account = $1 and livemode = $2 and status <> 'resolved' and first_event <> $3
    order by cell, id
"""


async def leave(connection: Connection, left: Left) -> None:
    """End the timers, waiting firings, reminders and incidents of an account that has left."""
    rows = await connection.fetch(END_TIMERS, left.account, left.livemode, left.event, ENDING)
    ids = sorted({firing_id(row["rule"], row["event"]) for row in rows if row["event"]})
    waiting = await connection.fetch(SELECT_WAITING, ids) if ids else []
    settled = [Settled(firing=row["id"], status=FiringStatus.NO, reason=ACCOUNT_LEFT) for row in waiting]
    if settled:
        await firings.settle(connection, settled)
    for row in await connection.fetch(SELECT_OPEN, left.account, left.livemode, left.event):
        await incidents.end(connection, row["id"], left.at, by=None, reason=ACCOUNT_LEFT, shared=False)
