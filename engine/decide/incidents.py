"""`incident`: one alert for what goes on. Open by key from its first match until what resolves it.

Which is newer, a match or what resolves, goes by the events' `created`; what resolves and comes before a match that it
is newer than is remembered for `LATE`. How long it is open, and `resolve_after`, go by when matches were taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from engine.decide.keys import key_of, other_key, shared_key, shared_other_key, trigger_key, words_of
from engine.decide.memory import LATE, Cell, Kept, State, forget_old, moment_of, second_of
from engine.model.delivery import Timer
from engine.model.event import Event, Json
from engine.model.incident import Incident, IncidentStatus, Stage, incident_id
from engine.model.rule import Rule, Severity
from engine.source.durations import format_duration

INCIDENT, ESCALATE, ENDED = "incident", "escalate", "ended"
"""Parts of memory and of timers: what is open; what is due while it is; what ended from outside, to be told."""

_OPEN, _OVER, _RESOLVERS, _ENDED, _WAITS = "open", "over", "resolvers", "ended", "waits"
_CLOSED, _HOLDS = "closed", "holds"
# of a cell: incidents by key; when and which was the last that an event resolved, by key; what resolves, by what it has
# in common with matches: its second, dedupe key, id and type; by id what has ended and is not told yet; for how many
# seconds a match may wait for something not to follow before it opens one. Of a rule with a threshold when those that
# have ended did, or a match after that was, by key; and for how many seconds a threshold holds without a match


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a match: it opened the incident, or was counted in it. `over`: in one that is resolved already.
    `resolver` resolves the one that it opened, for it is newer (second, dedupe key, id, type)."""

    incident: Incident
    opened: bool
    over: bool = False
    resolver: tuple[int, str, str, str] | None = None


def cell_of(rule: Rule, event: Event) -> Cell:
    """What is remembered of the incident of a match."""
    policy = rule.timing.incident
    assert policy is not None
    return Cell(rule.id, INCIDENT, shared_key(policy.per, policy.resolve, event))


def resolver_cells(rule: Rule, event: Event) -> Iterator[Cell]:
    """What is remembered of the incidents that an event resolves."""
    policy = rule.timing.incident
    assert policy is not None
    assert policy.resolve is not None
    key = shared_other_key(policy.per, policy.resolve, event)
    if key is not None:
        yield Cell(rule.id, INCIDENT, key)


def take(rule: Rule, event: Event, kept: Kept, cell: Cell, at: datetime) -> Taken:
    """Take a match, which came or fires `at` that moment."""
    policy = rule.timing.incident
    assert policy is not None
    key, second = key_of(policy.per, event), second_of(event)
    same = None if policy.resolve is None else trigger_key(policy.resolve, event)
    found = of(kept.state, key)
    if found is None and _is_late(kept.state, key, event):
        over = kept.state[_OVER][key]
        counted = _incident(over["incident"])
        counted = replace(counted, count=counted.count + 1)
        over["incident"] = _state(counted)
        return Taken(counted, opened=False, over=True)
    if found is not None:
        newer = second >= found.matched
        found = replace(
            found,
            count=found.count + 1,
            last=max(found.last, at),
            matched=max(found.matched, second),
            last_event=event.dedupe_key if newer else found.last_event,
            same=same if newer else found.same,
            shared=found.shared or found.account != event.account,
        )
        put(kept, found)
        return Taken(found, opened=False)
    opened = Incident(
        id=incident_id(rule.id, key, event.dedupe_key),
        rule=rule.id,
        key=key,
        cell=cell.key,
        about=words_of(policy.per, event),
        account=event.account,
        livemode=event.livemode,
        severity=rule.severity,
        opened=at,
        last=at,
        matched=second,
        first_event=event.dedupe_key,
        first_id=event.id,
        first_type=event.type,
        last_event=event.dedupe_key,
        same=same,
    )
    if rule.timing.threshold is not None:
        kept.state[_HOLDS] = int(rule.timing.threshold.within.total_seconds())
    put(kept, opened)
    resolver = kept.state.get(_RESOLVERS, {}).get(same) if same is not None else None
    late = resolver if resolver is not None and resolver[0] >= second and resolver[1] != event.dedupe_key else None
    return Taken(opened, opened=True, resolver=None if late is None else tuple(late))


def go_on(rule: Rule, event: Event, kept: Kept, cell: Cell, at: datetime) -> Incident | None:
    """Count a match at which a threshold still holds, in the incident that it opened, also where it comes late, from
    before that has ended; None where there is none."""
    policy = rule.timing.incident
    assert policy is not None
    key = key_of(policy.per, event)
    known = of(kept.state, key) is not None or _is_late(kept.state, key, event)
    return take(rule, event, kept, cell, at).incident if known else None


def has_ended(rule: Rule, event: Event, kept: Kept) -> bool:
    """Whether the incident that a threshold opened has ended while it goes on to hold, and the match is no late one
    from before. It is remembered for as long as the threshold may hold without another match."""
    policy = rule.timing.incident
    assert policy is not None
    key = key_of(policy.per, event)
    closed: State = kept.state.get(_CLOSED, {})
    if key not in closed or of(kept.state, key) is not None or _is_late(kept.state, key, event):
        return False
    closed[key] = max(closed[key], second_of(event))
    settle_down(kept)
    return True


def _is_late(state: State, key: str, event: Event) -> bool:
    """Whether a match is from before the end of the last incident of its key."""
    over = state.get(_OVER, {}).get(key)
    return over is not None and second_of(event) <= over["second"]


def resolve(rule: Rule, event: Event, kept: Kept, at: datetime) -> list[Incident]:
    """Resolve what an event resolves, and remember the event."""
    policy = rule.timing.incident
    assert policy is not None
    assert policy.resolve is not None
    same, second = other_key(policy.resolve, event), second_of(event)
    if same is None:
        return []
    if rule.timing.not_followed_by:
        kept.state[_WAITS] = int(waits_of(rule).total_seconds())
    known: State = kept.state.setdefault(_RESOLVERS, {})
    if same not in known or known[same][0] < second:
        known[same] = [second, event.dedupe_key, event.id, event.type]
    found = [each for each in every(kept.state) if each.same == same and each.matched <= second]
    ended = [end(kept, each, at, f"{event.type} ({event.id})", second=second) for each in found]
    settle_down(kept)
    return ended


def waits_of(rule: Rule) -> timedelta:
    """For how long a match of the rule may wait before it opens an incident, while what resolves that comes already."""
    if rule.timing.incident is None or rule.timing.incident.resolve is None:
        return timedelta()
    return max((each.other.within or timedelta() for each in rule.timing.not_followed_by), default=timedelta())


def end(
    kept: Kept,
    incident: Incident,
    at: datetime,
    reason: str,
    *,
    by: str | None = None,
    second: int | None = None,
    outside: bool = False,
) -> Incident:
    """End an incident that is open. `second`: of the event that resolved it; late matches from before then belong to
    it, as do those from before it was ended from `outside` of its rule: by a person, or with its account."""
    if outside:
        second = int(at.timestamp()) - 1
    ended = replace(incident, status=IncidentStatus.RESOLVED, resolved=at, resolved_by=by, reason=reason)
    del kept.state[_OPEN][incident.key]
    if _HOLDS in kept.state:
        kept.state.setdefault(_CLOSED, {})[incident.key] = int(at.timestamp())
    if second is not None:
        kept.state.setdefault(_OVER, {})[incident.key] = {"second": second, "incident": _state(ended)}
    settle_down(kept)
    return ended


def end_later(kept: Kept, incident: Incident, ended: Incident, event: str | None, now: datetime) -> Timer:
    """Have the end of an incident told by a timer that is due now, about that event: for whoever ends it and does not
    know the rules, or the event."""
    kept.state.setdefault(_ENDED, {})[incident.id] = _state(ended)
    settle_down(kept)
    return _timer(incident, f"{ENDED} {incident.id}", now, event or incident.last_event)


def ended(kept: Kept, incident_id: str) -> Incident | None:
    """What has ended so, once."""
    found = kept.state.get(_ENDED, {}).pop(incident_id, None)
    settle_down(kept)
    return None if found is None else _incident(found)


def acknowledge(kept: Kept, incident: Incident, at: datetime, by: str, comment: str | None) -> Incident:
    """Take up an incident that is open."""
    taken = replace(incident, status=IncidentStatus.ACKNOWLEDGED, acknowledged=at, acknowledged_by=by, comment=comment)
    put(kept, taken)
    return taken


def lapsed(
    rule: Rule, kept: Kept, incident_id: str, last_event: str | None, now: datetime
) -> tuple[Incident | None, list[Timer]]:
    """When a timer of `resolve_after` is due, which was set when that event was the last: the incident, if it is over
    now; else the timer that has to be set in its place."""
    policy, found = rule.timing.incident, by_id(kept.state, incident_id)
    if found is None or policy is None or policy.resolve_after is None:
        return None, []
    if found.last_event != last_event or found.last + policy.resolve_after > now:
        return None, lapse_timers(rule, found)
    return end(kept, found, now, f"no match for {format_duration(policy.resolve_after)}"), []


def timers(rule: Rule, incident: Incident) -> list[Timer]:
    """Those of an incident that has opened."""
    found = [
        _timer(incident, f"{ESCALATE} {place} {incident.id}", incident.opened + each.after, incident.first_event)
        for place, each in enumerate(rule.timing.escalate)
    ]
    return [*found, *lapse_timers(rule, incident)]


def lapse_timers(rule: Rule, incident: Incident) -> list[Timer]:
    """The timer of `resolve_after`, from the last match; one at a time: when it is due and there was a match since, the
    next one is set."""
    policy = rule.timing.incident
    if policy is None or policy.resolve_after is None:
        return []
    return [_timer(incident, f"{INCIDENT} {incident.id}", incident.last + policy.resolve_after, incident.last_event)]


def _timer(incident: Incident, part: str, due: datetime, event: str) -> Timer:
    return Timer(
        rule=incident.rule,
        part=part,
        key=incident.cell,
        due=due,
        event=event,
        account=incident.account,
        livemode=incident.livemode,
    )


def every(state: State) -> list[Incident]:
    """The incidents that are open."""
    return [_incident(each) for each in state.get(_OPEN, {}).values()]


def of(state: State, key: str) -> Incident | None:
    """The incident that is open under a key."""
    found = state.get(_OPEN, {}).get(key)
    return None if found is None else _incident(found)


def by_id(state: State, incident_id: str) -> Incident | None:
    """The open incident of that id."""
    return next((each for each in every(state) if each.id == incident_id), None)


def put(kept: Kept, incident: Incident) -> None:
    """Keep an open incident as it is now."""
    kept.state.setdefault(_OPEN, {})[incident.key] = _state(incident)
    settle_down(kept)


def settle_down(kept: Kept) -> None:
    """Forget what no late event can belong to, and say when nothing of it matters any more."""
    over: State = kept.state.get(_OVER, {})
    resolvers: State = kept.state.get(_RESOLVERS, {})
    newest = max([each["second"] for each in over.values()] + [each[0] for each in resolvers.values()], default=0)
    late = LATE + timedelta(seconds=kept.state.get(_WAITS, 0))
    oldest = newest - int(late.total_seconds())
    forget_old(over, lambda each: int(each["second"]), oldest)
    forget_old(resolvers, lambda each: int(each[0]), oldest)
    closed: State = kept.state.get(_CLOSED, {})
    holds = LATE + timedelta(seconds=kept.state.get(_HOLDS, 0))
    last = max(closed.values(), default=0)
    forget_old(closed, int, last - int(holds.total_seconds()))
    is_open = kept.state.get(_OPEN) or kept.state.get(_ENDED)
    until = max(newest + late.total_seconds(), last + holds.total_seconds() if closed else 0)
    kept.until = None if is_open else moment_of(until)


def context_of(incident: Incident, stage: Stage, now: datetime) -> dict[str, Json]:
    """`incident` as texts see it; what is told of its first event is filled in when they are written."""
    return {
        "id": incident.id,
        "stage": str(stage),
        "status": str(incident.status),
        "about": incident.about,
        "count": incident.count,
        "opened": incident.opened.isoformat(),
        "last": incident.last.isoformat(),
        "duration": lasted((incident.resolved or now) - incident.opened),
        "acknowledged": None if incident.acknowledged is None else incident.acknowledged.isoformat(),
        "acknowledged_by": incident.acknowledged_by,
        "comment": incident.comment,
        "resolved_by": incident.resolved_by,
        "reason": incident.reason,
        "first": {"event": incident.first_event, "id": incident.first_id, "type": incident.first_type},
    }


def just_opened(rule: Rule, event: Event, now: datetime) -> dict[str, Json]:
    """`incident` as it is when the event has just opened it: for tests and previews."""
    found = context_of(take(rule, event, Kept({}), cell_of(rule, event), now).incident, Stage.OPENED, now)
    return {**found, "url": None, "first": {**found["first"], "object": event.object}}


def lasted(span: timedelta) -> str:
    """A span for people, in its two largest units: `45s`, `2h 5m`, `3d`."""
    seconds = max(int(span.total_seconds()), 0)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if parts or count:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "0s"


_FLAGS = frozenset({"unheard", "shared"})
_MOMENTS = frozenset({"opened", "last", "acknowledged", "resolved"})


def _state(incident: Incident) -> State:
    """As JSON, without what is None and the flags that are not set."""
    found = {field.name: getattr(incident, field.name) for field in fields(incident)}
    found |= {name: found[name].isoformat() for name in _MOMENTS if found[name] is not None}
    found |= {
        "severity": str(incident.severity),
        "status": str(incident.status),
        "told": list(map(list, incident.told)),
    }
    return {name: value for name, value in found.items() if value is not None and (value or name not in _FLAGS)}


def _incident(state: State) -> Incident:
    found = dict(state)
    found |= {name: datetime.fromisoformat(found[name]) for name in _MOMENTS if name in found}
    found["severity"], found["status"] = Severity(found["severity"]), IncidentStatus(found["status"])
    found["told"] = tuple((step, destination) for step, destination in found["told"])
    return Incident(**found)
