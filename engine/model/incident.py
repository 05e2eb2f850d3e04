"""Incidents as they stand: what one is about, how it goes on, and what became of it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.model.rule import Severity


def incident_id(rule: str, key: str, event: str) -> str:
    """The fixed id of the incident that an event (its dedupe key) opens under a key."""
    return "inc_" + hashlib.sha256("\0".join(("incident", rule, key, event)).encode()).hexdigest()[:20]


class IncidentStatus(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Stage(StrEnum):
    """What happened to an incident: as texts, and its history, call it."""

    OPENED = "opened"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What goes on under a key of a rule, from the first match on.

    `key` is what it is open under, `about` the same for people, `cell` the key of the memory that holds it. `opened`
    and `last` are when the first and the last match were taken; `matched` is the second that the last one happened at,
    `same` what it has in common with what resolves it. `first_event` and `last_event` are dedupe keys. `told` are the
    steps and destinations that have heard of it. `unheard`: its opening was kept quiet, and the next match that is not
    tells of it. `shared`: matches about other accounts than its first are counted in it. `by`s are people's names, or
    None where it was no person.
    """

    id: str
    rule: str
    key: str
    cell: str
    about: str
    account: str | None
    livemode: bool
    severity: Severity
    opened: datetime
    last: datetime
    matched: int
    first_event: str
    first_id: str
    first_type: str
    last_event: str
    same: str | None = None
    count: int = 1
    told: tuple[tuple[str, str], ...] = ()
    unheard: bool = False
    shared: bool = False
    status: IncidentStatus = IncidentStatus.OPEN
    acknowledged: datetime | None = None
    acknowledged_by: str | None = None
    comment: str | None = None
    resolved: datetime | None = None
    resolved_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An incident as it is from now on, and what happened; `stage` None: a match was counted, which is no history.
    `note` says how or why, `firing` under which deliveries came of it."""

    incident: Incident
    at: datetime
    stage: Stage | None = None
    by: str | None = None
    note: str | None = None
    firing: str | None = None
