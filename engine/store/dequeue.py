"""Taking jobs from the queue so that no destination keeps the others from being taken.

PgQueuer's own statement takes the first jobs by priority, whatever they are for: of a destination that is slow or away
it takes more than can be begun, which then have to be sent away again, each at the cost of its work. This one goes by
destination: of each that has something queued, no more than there is room for in this process.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

# The jobs of a destination in the order of their turn; those that are not due are passed over within the index.
INDEX = """
    create index if not exists tocsin_turn on tocsin_queue.pgqueuer
    (entrypoint, (headers->>'lane'), priority desc, id, execute_after) where status = 'queued'
"""

# Destinations are found by leaps in the index: one row of each is looked at. Of many destinations a few jobs of each
# are candidates, more than are taken: only those are locked, and what another worker is taking just now is skipped.
# A picked job without a sign of life is taken as well; it has a place already, if it was ours.
DEQUEUE = """
    with recursive destination as (
        (
            select headers->>'lane' as lane from tocsin_queue.pgqueuer
            where entrypoint = $1 and status = 'queued'
            order by headers->>'lane' limit 1
        )
        union all
        select (
            select j.headers->>'lane' from tocsin_queue.pgqueuer j
            where j.entrypoint = $1 and j.status = 'queued' and j.headers->>'lane' > destination.lane
            order by j.headers->>'lane' limit 1
        )
        from destination where lane is not null
    ), candidate as (
        select job.id
        from destination
        left join unnest($5::text[], $6::integer[]) as held (lane, number) on held.lane = destination.lane
        cross join lateral (
            select id, priority from tocsin_queue.pgqueuer
            where entrypoint = $1 and status = 'queued' and headers->>'lane' = destination.lane
              and execute_after < now()
            order by priority desc, id
            limit greatest(0, least(
                $2::integer, $7::integer - coalesce(held.number, 0), 2 + 4 * $2 / (select count(*) from destination)
            ))
        ) as job
        order by job.priority desc, job.id
        limit 4 * $2
    ), fresh as (
        select id, priority from tocsin_queue.pgqueuer
        where id in (select id from candidate) and status = 'queued'
        order by priority desc, id
        limit $2
        for update skip locked
    ), stale as (
        select id, priority from tocsin_queue.pgqueuer
        where entrypoint = $1 and status = 'picked' and heartbeat < now() - $4::interval and execute_after < now()
        order by priority desc, id
        limit $2
        for update skip locked
    ), taken as (
        update tocsin_queue.pgqueuer
        set status = 'picked', updated = now(), heartbeat = now(), queue_manager_id = $3
        where id in (
            select id from (select * from fresh union all select * from stale) as both_kinds
            order by priority desc, id
            limit $2
        )
        returning *
    )
    select * from taken order by priority desc, id
"""


def arguments(
    entrypoint: str, batch: int, worker: UUID, silence: timedelta, held: Mapping[str, int], room: int
) -> tuple[object, ...]:
    """Of DEQUEUE: at most `batch` jobs of that class for `worker`, and of those without a sign of life for `silence`.

    `held`: how many jobs of each destination it has; of none it may have more than `room`.
    """
    return entrypoint, batch, worker, silence, list(held), list(held.values()), room
