"""One statement for a batch of events with everything that must come of them, and what a late twin adds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from engine.model.delivery import Delivery, DeliveryStatus, Plan
from engine.model.event import Event
from engine.store import deliveries, delivery_rows, events, firings
from engine.store.columns import columns
from engine.store.connect import Connection
from engine.store.queue import INSERT_JOBS, kind, lane, priority


def _counted_from(first: int, sql: str) -> str:
    """The statement with its parameters from $first on."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + first - 1}", sql)


# Locks the keys of events in the order given, see INSERT_EVENTS. Each part takes of its rows only those whose parent
# was new: of an event or firing that is there already nothing is made again. Whoever inserts a firing holds its event,
# so that firings need no order of their own.
COMMIT = f"""
    with new as (
        {events.INSERT_EVENTS}
    ), fired as (
        {_counted_from(23, firings.INSERT_FIRINGS.format(where="where event in (select dedupe_key from new)"))}
    ), made as (
        {_counted_from(35, deliveries.INSERT_DELIVERIES.format(where="where firing in (select id from fired)"))}
    ), queued as (
        {_counted_from(58, INSERT_JOBS.format(where="where delivery in (select id from made)"))}
    )
    select dedupe_key as key, null as job from new
    union all
    select dedupe_key, id from queued
"""  # noqa: S608  put together from constants


_INSERT_JOBS = INSERT_JOBS.format(where="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """Keys of the events that were not there in any form, and the ids of jobs by that of their delivery."""

    new: set[str]
    jobs: dict[str, int]


async def commit(
    connection: Connection,
    arrived: Sequence[Event],
    revisions: Sequence[str],
    plans: Sequence[Plan],
    takers: Mapping[str, UUID],
) -> Committed:
    """Insert events, sorted by key, each key once, with their plans: a statement, so all of it or nothing.

    `takers` has the worker that takes a delivery's job at once, by the delivery's id; all other jobs are queued.
    """
    wanted = [delivery for plan in plans for delivery in plan.deliveries]
    due = [delivery for delivery in wanted if delivery.status is DeliveryStatus.PENDING]
    rows = await connection.fetch(
        COMMIT,
        *events.arguments(arrived, revisions),
        *columns([firing for plan in plans for firing in plan.firings], *firings.COLUMNS),
        *columns(wanted, *delivery_rows.COLUMNS),
        *_jobs(due, takers),
    )
    return Committed(
        new={row["key"] for row in rows if row["job"] is None},
        jobs={row["key"]: row["job"] for row in rows if row["job"] is not None},
    )


async def insert_jobs(connection: Connection, due: Sequence[Delivery], takers: Mapping[str, UUID]) -> dict[str, int]:
    """The jobs of deliveries that are due, where they have none: their ids by that of their delivery."""
    rows = await connection.fetch(_INSERT_JOBS, *_jobs(due, takers))
    return {row["dedupe_key"]: row["id"] for row in rows}


def _jobs(due: Sequence[Delivery], takers: Mapping[str, UUID]) -> tuple[Sequence[object], ...]:
    """The arguments of INSERT_JOBS."""
    return (
        [delivery.id for delivery in due],
        [kind(delivery) for delivery in due],
        [lane(delivery) for delivery in due],
        [takers.get(delivery.id) for delivery in due],
        [priority(delivery) for delivery in due],
    )
