"""Telling the workers of other processes what was queued: one notice a statement, of the classes that have something
new.

A job that is committed as picked by the process that made it is nobody else's business, and neither is one that is
done. PgQueuer's own trigger tells of both, and every worker that was told looked into the queue and found nothing: with
four processes that was a third of what a delivery costs.
"""

from engine.store.connect import Connection

CHANNEL = "tocsin_queue"
"""As the function below has it."""

_FUNCTION = """
    create or replace function tocsin_queue.tocsin_queued() returns trigger language plpgsql as $$
    declare
        kinds text;
    begin
        select string_agg(distinct entrypoint, ' ') into kinds from made where status = 'queued';
        if kinds is not null then
            perform pg_notify('tocsin_queue', kinds);
        end if;
        return null;
    end $$
"""

_TRIGGER = """
    create trigger tocsin_queued after insert on tocsin_queue.pgqueuer
    referencing new table as made for each statement execute function tocsin_queue.tocsin_queued()
"""

_SILENCE = "alter table tocsin_queue.pgqueuer disable trigger tg_pgqueuer_changed"

_FIND = """
    select
        bool_or(tgname = 'tocsin_queued') as ours,
        bool_or(tgname = 'tg_pgqueuer_changed' and tgenabled <> 'D') as theirs
    from pg_trigger where tgrelid = 'tocsin_queue.pgqueuer'::regclass
"""


async def install(connection: Connection) -> None:
    """Have the queue tell so, and no more; by one process at a time. What is so already is left alone: both changes
    lock the table."""
    await connection.execute(_FUNCTION)
    found = await connection.fetchrow(_FIND)
    assert found is not None
    if not found["ours"]:
        await connection.execute(_TRIGGER)
    if found["theirs"]:
        await connection.execute(_SILENCE)


def kinds(payload: object) -> frozenset[str]:
    """The classes of jobs that a notice names."""
    return frozenset(str(payload).split())
