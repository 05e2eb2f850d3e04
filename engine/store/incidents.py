"""The incidents table and its history: what rules remember of incidents, for people to see and to act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from engine.decide import incidents as reducer
from engine.decide.incidents import INCIDENT
from engine.decide.memory import Cell, Kept, Memory
from engine.model.incident import Change, Incident, IncidentStatus, Stage
from engine.model.rule import Severity
from engine.store import memory
from engine.store.columns import columns, text
from engine.store.connect import Connection, Pool, Record

# Whoever writes an incident holds the state of its key. What goes on stays open until its own end is written: an older
# process may know less.
PUT_INCIDENTS = """
    insert into tocsin.incidents as i (
        id, rule, key, cell, about, account, livemode, severity, status, opened, last, count, first_event, first_id,
        first_type, last_event, acknowledged, acknowledged_by, comment, resolved, resolved_by, reason
    )
    select * from unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[], $9::text[],
        $10::timestamptz[], $11::timestamptz[], $12::integer[], $13::text[], $14::text[], $15::text[], $16::text[],
        $17::timestamptz[], $18::text[], $19::text[], $20::timestamptz[], $21::text[], $22::text[]
    )
    on conflict (id) do update set
        status = excluded.status, last = excluded.last, count = excluded.count, last_event = excluded.last_event,
        acknowledged = excluded.acknowledged, acknowledged_by = excluded.acknowledged_by, comment = excluded.comment,
        resolved = excluded.resolved, resolved_by = excluded.resolved_by, reason = excluded.reason
"""

# A rule that was edited may open a second one under a key, of whose first it knows no more.
END_FORGOTTEN = """
    with ended as (
        update tocsin.incidents i set status = 'resolved', resolved = n.opened, reason = 'the rule was changed'
        from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as n (id, rule, key, opened)
        where i.rule = n.rule and i.key = n.key and i.id <> n.id and i.status <> 'resolved'
        returning i.id, i.resolved, i.reason
    )
    insert into tocsin.incident_history (incident, at, stage, note)
    select id, resolved, 'resolved', reason from ended
"""

ADD_HISTORY = """
    insert into tocsin.incident_history (incident, at, stage, by, note, firing)
    select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
"""

SELECT_INCIDENT = "select * from tocsin.incidents where id = $1"

SELECT_BEGINNING = "select * from tocsin.incidents where starts_with(id, $1) order by opened desc limit 10"

LIST_INCIDENTS = """
    select * from tocsin.incidents
    where ($1::boolean or status <> 'resolved')
      and ($2::text is null or rule = $2)
      and ($3::text is null or account = $3)
      and ($4::timestamptz is null or opened >= $4)
    order by status = 'resolved', opened desc, id
    limit $5
"""

SELECT_HISTORY = "select * from tocsin.incident_history where incident = $1 order by at"

END_ROW = """
    update tocsin.incidents set status = 'resolved', resolved = $2, resolved_by = $3, reason = $4
    where id = $1 and status <> 'resolved'
    returning *
"""

FORGET_INCIDENTS = """
    delete from tocsin.incidents where status = 'resolved' and resolved < $1
"""

COLUMNS = (
    attrgetter("id"),
    attrgetter("rule"),
    attrgetter("key"),
    attrgetter("cell"),
    lambda incident: text(incident.about),
    lambda incident: text(incident.account),
    attrgetter("livemode"),
    attrgetter("severity"),
    attrgetter("status"),
    attrgetter("opened"),
    attrgetter("last"),
    attrgetter("count"),
    lambda incident: text(incident.first_event),
    lambda incident: text(incident.first_id),
    lambda incident: text(incident.first_type),
    lambda incident: text(incident.last_event),
    attrgetter("acknowledged"),
    lambda incident: text(incident.acknowledged_by),
    lambda incident: text(incident.comment),
    attrgetter("resolved"),
    lambda incident: text(incident.resolved_by),
    lambda incident: text(incident.reason),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Something that happened to an incident, and the firing under which deliveries came of it."""

    at: datetime
    stage: Stage
    by: str | None
    note: str | None
    firing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """An incident after somebody has acted on it, and whether that changed it: not, when another was first."""

    incident: Incident
    changed: bool


async def record(connection: Connection, changes: Sequence[Change]) -> None:
    """Write incidents as they are now, and what happened to them."""
    latest = {change.incident.id: change.incident for change in changes}
    found = [latest[id_] for id_ in sorted(latest)]
    opened = [each.incident for each in changes if each.stage is Stage.OPENED]
    if opened:
        names = [[each.id for each in opened], [each.rule for each in opened], [each.key for each in opened]]
        await connection.execute(END_FORGOTTEN, *names, [each.opened for each in opened])
    await connection.execute(PUT_INCIDENTS, *columns(found, *COLUMNS))
    past = [change for change in changes if change.stage is not None]
    if past:
        await connection.execute(
            ADD_HISTORY,
            [change.incident.id for change in past],
            [change.at for change in past],
            [str(change.stage) for change in past],
            [text(change.by) for change in past],
            [text(change.note) for change in past],
            [change.firing for change in past],
        )


class Incidents:
    """What is asked of incidents, and done to them by people. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, incident_id: str) -> Incident | None:
        """The incident of that id."""
        row = await self._pool.first(SELECT_INCIDENT, text(incident_id))
        return None if row is None else _incident(row)

    async def beginning(self, start: str) -> list[Incident]:
        """Those whose ids begin so, the latest first, at most ten."""
        return [_incident(row) for row in await self._pool.fetch(SELECT_BEGINNING, text(start))]

    async def ls(
        self,
        *,
        resolved: bool = False,
        rule: str | None = None,
        account: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """Incidents, those that are open first, the newest first; resolved ones only where asked for."""
        return [_incident(row) for row in await self._pool.fetch(LIST_INCIDENTS, resolved, rule, account, since, limit)]

    async def history(self, incident_id: str) -> list[Past]:
        """What happened to an incident, in order."""
        return [
            Past(at=row["at"], stage=Stage(row["stage"]), by=row["by"], note=row["note"], firing=row["firing"])
            for row in await self._pool.fetch(SELECT_HISTORY, text(incident_id))
        ]

    async def acknowledge(self, incident_id: str, by: str, comment: str | None, now: datetime) -> Acted | None:
        """Take up an incident. The first who does stays on record: not changed where it is taken up, or resolved,
        already. None where there is no such incident."""
        async with self._pool.transaction() as connection:
            taken = await _take(connection, incident_id, now)
            if taken is None:
                return None
            current, held, kept, cells = taken
            if held is None or held.status is not IncidentStatus.OPEN:
                return Acted(incident=current, changed=False)
            found = reducer.acknowledge(kept, held, now, by, comment)
            await memory.keep(connection, cells, now)
            await record(connection, [Change(incident=found, at=now, stage=Stage.ACKNOWLEDGED, by=by, note=comment)])
        return Acted(incident=found, changed=True)

    async def resolve(self, incident_id: str, by: str, comment: str | None, now: datetime) -> Acted | None:
        """End an incident; whoever has heard of it is told so by the service. As above."""
        async with self._pool.transaction() as connection:
            return await end(connection, incident_id, now, by=by, reason=comment)


async def end(
    connection: Connection, incident_id: str, now: datetime, *, by: str | None, reason: str | None, shared: bool = True
) -> Acted | None:
    """End an incident from outside of its rule, in the transaction of the caller. As above. `shared`: also where it is
    about several accounts."""
    taken = await _take(connection, incident_id, now)
    if taken is None:
        return None
    current, held, kept, cells = taken
    if current.status is IncidentStatus.RESOLVED or (held is not None and held.shared and not shared):
        return Acted(incident=current, changed=False)
    if held is None:  # the rule was edited meanwhile, and knows no more of it
        row = await connection.fetchrow(END_ROW, incident_id, now, text(by), text(reason))
        assert row is not None
        found = _incident(row)
    else:
        found = reducer.end(kept, held, now, reason or "", by=by, outside=True)
        timer = reducer.end_later(kept, held, found, None, now)
        await memory.keep(connection, cells, now)
        await memory.set_timers(connection, [timer])
    await record(connection, [Change(incident=found, at=now, stage=Stage.RESOLVED, by=by, note=reason)])
    return Acted(incident=found, changed=True)


async def _take(
    connection: Connection, incident_id: str, now: datetime
) -> tuple[Incident, Incident | None, Kept, Memory] | None:
    """An incident as its row has it and as the rule remembers it (None: no more), with what is remembered under its
    key, locked."""
    row = await connection.fetchrow(SELECT_INCIDENT, text(incident_id))
    if row is None:
        return None
    cell = Cell(row["rule"], INCIDENT, row["cell"])
    cells = await memory.take(connection, [cell])
    kept = cells.open(cell, cells.kept[cell].shape)
    row = await connection.fetchrow(SELECT_INCIDENT, incident_id)  # as it is now that the state is held
    assert row is not None
    held = reducer.by_id(kept.state, incident_id)
    if held is None:
        await memory.keep(connection, cells, now)  # or what was made to be locked would stay, empty
    return _incident(row), held, kept, cells


def _incident(row: Record) -> Incident:
    return Incident(
        id=row["id"],
        rule=row["rule"],
        key=row["key"],
        cell=row["cell"],
        about=row["about"],
        account=row["account"],
        livemode=row["livemode"],
        severity=Severity(row["severity"]),
        status=IncidentStatus(row["status"]),
        opened=row["opened"],
        last=row["last"],
        matched=0,
        count=row["count"],
        first_event=row["first_event"],
        first_id=row["first_id"],
        first_type=row["first_type"],
        last_event=row["last_event"],
        acknowledged=row["acknowledged"],
        acknowledged_by=row["acknowledged_by"],
        comment=row["comment"],
        resolved=row["resolved"],
        resolved_by=row["resolved_by"],
        reason=row["reason"],
    )
