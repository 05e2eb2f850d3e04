"""Deciding under lock: what rules remember is taken, changed and put back with all that comes of it, at once."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from engine.decide.memory import Cell, Memory
from engine.model.delivery import Delivery, DeliveryStatus, Firing, Plan
from engine.store import deliveries, firings, incidents, memory
from engine.store.adapter import enqueue
from engine.store.connect import Connection
from engine.store.leaving import leave

log = structlog.get_logger("tocsin.decide")


class Deciding(Protocol):
    """What is to be decided: `engine.decision`. `key` is the dedupe key of the event that it is about."""

    @property
    def key(self) -> str: ...

    def cells(self) -> Iterator[Cell]:
        """What has to be taken before."""
        ...

    def decide(self, memory: Memory, known: Mapping[str, Firing], now: datetime) -> Plan:
        """What comes of it, given its cells and the firings of its event that are there already."""
        ...

    def alert(self, known: Mapping[str, Firing]) -> Plan:
        """What comes of it where it could not be decided: as if the rules remembered nothing."""
        ...


Queue = Callable[[Connection, Sequence[Delivery]], Awaitable[None]]
"""Makes the jobs of deliveries that are due, in the transaction of the caller."""


async def decide(
    connection: Connection,
    undecided: Sequence[Deciding],
    now: datetime,
    *,
    queue: Queue = enqueue,
    fresh: bool = False,
) -> list[Plan]:
    """Decide in the transaction of the caller, in the order given; the plans, carried out. `fresh`: the events were
    stored just now, so that nothing has come of them yet."""
    taken = await memory.take(connection, (cell for each in undecided for cell in _cells(each)))
    known = {} if fresh else await firings.of_events(connection, sorted({each.key for each in undecided}))
    plans: list[Plan] = []
    for each in undecided:
        plan = _plan(each, taken, known.get(each.key, {}), now)
        known.setdefault(each.key, {}).update({firing.id: firing for firing in plan.firings})
        plans.append(plan)
    await memory.keep(connection, taken, now)
    await carry_out(connection, plans, now, queue=queue)
    return plans


def _cells(undecided: Deciding) -> list[Cell]:
    try:
        return list(undecided.cells())
    except Exception:  # as below, where the same fault comes again
        return []


def _plan(undecided: Deciding, taken: Memory, known: Mapping[str, Firing], now: datetime) -> Plan:
    try:
        return undecided.decide(taken, known, now)
    except Exception:  # a fault of ours must neither lose the event nor keep quiet about it
        log.exception("decide_fault", event_key=undecided.key)
        return undecided.alert(known)


async def carry_out(
    connection: Connection, plans: Sequence[Plan], now: datetime, *, queue: Queue = enqueue
) -> set[str]:
    """Insert firings, deliveries, jobs and timers, and send digests that are due; the ids of firings that were new.

    Of a firing that is there already nothing is made again.
    """
    wanted = sorted((firing for plan in plans for firing in plan.firings), key=lambda firing: firing.id)
    fired: set[str] = await firings.insert(connection, wanted) if wanted else set()
    settled = [each for plan in plans for each in plan.settled]
    if settled:
        await firings.settle(connection, settled)
    late = {each.firing for each in settled}
    fresh = [d for plan in plans for d in plan.deliveries if d.firing is None or d.firing in fired or d.firing in late]
    if fresh:
        made = await deliveries.insert(connection, fresh)
        due = [d for d in fresh if d.status is DeliveryStatus.PENDING and d.id in made]
        if due:
            await queue(connection, due)
    for digest in dict.fromkeys(digest for plan in plans for digest in plan.digests):
        merged = await deliveries.merge(connection, digest, now)
        if merged:
            await queue(connection, merged)
    timers = [timer for plan in plans for timer in plan.timers]
    if timers:
        await memory.set_timers(connection, timers)
    changes = [change for plan in plans for change in plan.changes]
    if changes:
        await incidents.record(connection, changes)
    for plan in plans:
        if plan.left is not None:
            await leave(connection, plan.left)
    return fired
