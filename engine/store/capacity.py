"""Whether the database has connections for this process: counted at the start, not found out under load."""

from dataclasses import dataclass

import structlog

from engine.errors import StoreUnavailable
from engine.store.connect import Connection
from engine.store.jobs import JobKind

log = structlog.get_logger("tocsin.store")

WRITING = 2
"""Connections on which it is written what becomes of deliveries: one for requests, one for attempts."""

OWN = 3 + len(JobKind) + WRITING
"""Connections of a process beside its pool: two that events are committed on, one for each class of jobs, those that
write of deliveries, and one for a moment while the schema is looked at or a listener is replaced."""

# What is reserved for superusers and others does not count; a role or a database may have a limit of its own.
COUNT = """
    select
        least(
            current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
                - coalesce(current_setting('reserved_connections', true), '0')::integer,
            (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
            (select nullif(datconnlimit, -1) from pg_database where datname = current_database())
        ) as most,
        (
            select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
        )::integer as used
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many connections there may be, how many there are, and how many this process may come to need."""

    most: int
    used: int
    needed: int


async def capacity(connection: Connection, pool_size: int) -> Capacity:
    """The connections of this moment. Raises StoreUnavailable, lasting, where they can never be enough for one."""
    row = await connection.fetchrow(COUNT)
    assert row is not None
    found = Capacity(most=row["most"], used=row["used"], needed=pool_size + OWN)
    if found.needed > found.most:
        raise StoreUnavailable(
            f"the database allows {found.most} connections, and a process needs up to {found.needed} "
            f"({pool_size} of store.connections, {OWN} of its own): lower the one or raise the other",
            lasting=True,
        )
    if found.used + found.needed > found.most:
        log.warning("connections_scarce", allowed=found.most, used=found.used, needed=found.needed)
    return found
