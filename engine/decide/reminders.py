"""`remind`: alerts at times before a deadline, unless what settles it comes first.

A match sends nothing: it waits. A later match of the same key, by the events' `created`, takes its place and moves the
deadline. An alert is told apart by its deadline and its lead time, so that the same one never comes twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.decide.keys import key_of, other_key, shared_key, shared_other_key, trigger_key, values_at
from engine.decide.memory import LAST, LATE, Cell, Kept, State, forget_old, moment_of, second_of
from engine.match.values import seconds
from engine.model.delivery import FiringStatus, Settled, Timer, firing_id
from engine.model.event import Event, Json
from engine.model.rule import Rule
from engine.model.timing import Reminder
from engine.render.times import ago_text
from engine.source.durations import format_duration

REMIND = "remind"

_WAITING, _SETTLERS = "waiting", "settlers"
# of a cell: by key the match that reminders are for (`event`, its `second`, the deadline `due`, what it has in `same`,
# the lead times `sent`, whether it has `fired`, and is `over`); what settles, by what it has in common with matches:
# second, id, type


@dataclass(frozen=True, slots=True)
class Alert:
    """A reminder that is to go out: so long before `due`, for the match that is the event of that dedupe key. `cause`
    is what its fixed id is made of."""

    lead: timedelta
    due: datetime
    event: str
    cause: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of a match: how its firing stands, the alert that goes out at once, the timers of others, and what
    becomes of the match before."""

    status: FiringStatus
    reason: str
    alert: Alert | None = None
    timers: tuple[Timer, ...] = ()
    settled: tuple[Settled, ...] = ()


def cell_of(rule: Rule, event: Event) -> Cell:
    """What is remembered for a match."""
    policy = _policy(rule)
    return Cell(rule.id, REMIND, shared_key(policy.same, policy.until, event))


def settler_cells(rule: Rule, event: Event) -> Iterator[Cell]:
    """What is remembered of the matches that an event settles."""
    policy = _policy(rule)
    assert policy.until is not None
    key = shared_other_key(policy.same, policy.until, event)
    if key is not None:
        yield Cell(rule.id, REMIND, key)


def match(rule: Rule, event: Event, kept: Kept, cell: Cell, now: datetime) -> Planned:
    """Take a match."""
    policy, second = _policy(rule), second_of(event)
    waiting: State = kept.state.setdefault(_WAITING, {})
    key = key_of(policy.same, event)
    before, same = waiting.get(key), None if policy.until is None else trigger_key(policy.until, event)
    if before is not None and before["second"] > second:
        return Planned(FiringStatus.NO, "remind: a later event of the same has set the deadline")
    due = deadline(policy, event)
    settled = () if before is None or before.get("over") else (_superseded(rule, before, event, due),)
    settler = kept.state.get(_SETTLERS, {}).get(same) if same is not None else None
    waiting.pop(key, None)
    if due is None:  # which an older event that comes late must not set again
        waiting[key] = {"event": event.dedupe_key, "second": second, "due": second, "sent": [], "over": True}
        _tidy(kept)
        return Planned(FiringStatus.NO, f"remind: there is no time at {policy.before.path}", settled=settled)
    if settler is not None and settler[0] >= second and settler[1] != event.id:
        _tidy(kept)
        return Planned(FiringStatus.NO, f"remind: settled by {settler[2]} ({settler[1]})", settled=settled)
    moment = int(due.timestamp())
    sent = list(before["sent"]) if before is not None and before["due"] == moment else []
    entry = {"event": event.dedupe_key, "second": second, "due": moment, "sent": sent}
    waiting[key] = entry if same is None else {**entry, "same": same}
    alert = _past(policy, waiting[key], rule, key, now)
    leads = [lead for lead in policy.at if due - lead > now]
    timers = tuple(
        Timer(
            rule=rule.id,
            part=f"{REMIND} {int(lead.total_seconds())}",
            key=cell.key,
            due=due - lead,
            event=event.dedupe_key,
            account=event.account,
            livemode=event.livemode,
        )
        for lead in leads
    )
    status, reason = _standing(waiting[key], leads, due)
    if alert is None:
        status = FiringStatus.WAITING if leads else FiringStatus.NO
    waiting[key]["over"] = not leads
    _tidy(kept)
    return Planned(status, reason, alert, timers, settled)


def ripe(rule: Rule, kept: Kept, timer: Timer, now: datetime) -> tuple[Alert | None, Settled | None]:
    """When a lead time has come: what goes out, and how the firing of its match stands thereby. Nothing for a match
    that is settled, or whose place a later one has taken; of several lead times that were missed, the nearest."""
    policy = _policy(rule)
    for key, entry in kept.state.get(_WAITING, {}).items():
        if entry["event"] != timer.event:
            continue
        lead, due = timedelta(seconds=int(timer.part.rpartition(" ")[2])), moment_of(entry["due"])
        nearer = [each for each in policy.at if each < lead and due - each <= now]
        if nearer or int(lead.total_seconds()) in entry["sent"]:
            return None, None
        again = entry.get("fired", False)
        alert = _alert(rule, entry, key, lead)
        leads = [each for each in policy.at if due - each > now]
        status, reason = _standing(entry, leads, due)
        entry["over"] = not leads
        _tidy(kept)
        return alert, Settled(firing=firing_id(rule.id, entry["event"]), status=status, reason=reason, again=again)
    return None, None


def settle(rule: Rule, event: Event, kept: Kept) -> list[Settled]:
    """What an event settles: reminders for it end."""
    policy, second = _policy(rule), second_of(event)
    assert policy.until is not None
    same = other_key(policy.until, event)
    if same is None:
        return []
    known: State = kept.state.setdefault(_SETTLERS, {})
    if same not in known or known[same][0] < second:
        known[same] = [second, event.id, event.type]
    waiting: State = kept.state.get(_WAITING, {})
    found = [key for key, entry in waiting.items() if entry.get("same") == same and entry["second"] <= second]
    settled = []
    for key in found:
        entry = waiting.pop(key)
        if not entry.get("over"):
            settled.append(_ended(rule, entry, f"settled by {event.type} ({event.id})"))
    _tidy(kept)
    return settled


def deadline(policy: Reminder, event: Event) -> datetime | None:
    """The moment at the path, to the second; None where there is none."""
    for value in values_at(policy.before, event):
        moment = seconds(value)
        if moment is not None and 0 < moment < LAST:
            return moment_of(int(moment))
    return None


def context_of(alert: Alert, now: datetime) -> dict[str, Json]:
    """`reminder` as texts see it: `lead` (`3d`), `due` (a time), and how far away that is (`in 3 days`)."""
    return {"lead": format_duration(alert.lead), "due": alert.due.isoformat(), "left": left_of(alert, now)}


def anew(told: Mapping[str, Json], now: datetime) -> dict[str, Json]:
    """What was told of a reminder, as it is told once more now."""
    return {**told, "left": ago_text(datetime.fromisoformat(told["due"]), now)}


def first_of(policy: Reminder, event: Event, now: datetime) -> dict[str, Json]:
    """`reminder` as the first one for an event has it: for tests and previews."""
    lead = policy.at[0]
    due = deadline(policy, event) or now + lead
    return context_of(Alert(lead, due, event.dedupe_key, ""), due - lead)


def left_of(alert: Alert, now: datetime) -> str:
    """`in 3 days`, `2 hours ago`. What goes out seconds after its lead time was not late."""
    early = now.replace(second=0, microsecond=0)
    return ago_text(alert.due, early if alert.due > now and alert.due - early <= alert.lead else now)


def _policy(rule: Rule) -> Reminder:
    assert rule.timing.remind is not None
    return rule.timing.remind


def _past(policy: Reminder, entry: State, rule: Rule, key: str, now: datetime) -> Alert | None:
    """Of the lead times that are past, the nearest, unless it has been sent for that deadline."""
    past = [lead for lead in policy.at if moment_of(entry["due"]) - lead <= now]
    if not past or int(min(past).total_seconds()) in entry["sent"]:
        return None
    return _alert(rule, entry, key, min(past))


def _alert(rule: Rule, entry: State, key: str, lead: timedelta) -> Alert:
    before = int(lead.total_seconds())
    entry["sent"] = [*entry["sent"], before]
    entry["fired"] = True
    cause = f"{REMIND} {key} {entry['due']} {before}"
    return Alert(lead, moment_of(entry["due"]), entry["event"], cause)


def _standing(entry: State, leads: list[timedelta], due: datetime) -> tuple[FiringStatus, str]:
    """How the firing of a match stands, with these lead times to come."""
    told = _told(entry)
    when = f"{due:%Y-%m-%d %H:%M} UTC"
    if leads:
        comes = due - leads[0]
        waits = f"reminds {format_duration(leads[0])} before {when}, at {comes:%Y-%m-%d %H:%M} UTC"
        return (FiringStatus.FIRED, f"{told}; {waits}") if told else (FiringStatus.WAITING, waits)
    return FiringStatus.FIRED, f"{told}, which was the last" if told else f"reminded before of {when}"


def _told(entry: State) -> str:
    leads = ", ".join(format_duration(timedelta(seconds=before)) for before in entry["sent"])
    return f"reminded {leads} before {moment_of(entry['due']):%Y-%m-%d %H:%M} UTC" if leads else ""


def _superseded(rule: Rule, before: State, event: Event, due: datetime | None) -> Settled:
    if due is None:
        why = f"{event.type} ({event.id}) has no deadline any more"
    elif int(due.timestamp()) == before["due"]:
        why = f"goes on with {event.id}"
    else:
        why = f"{event.id} moved the deadline to {due:%Y-%m-%d %H:%M} UTC"
    return _ended(rule, before, why)


def _ended(rule: Rule, entry: State, why: str) -> Settled:
    """No more reminders for a match: of one that has led to some, that stays on record."""
    told = _told(entry)
    status = FiringStatus.FIRED if told else FiringStatus.NO
    reason = f"{told}; {why}" if told else f"remind: {why}"
    return Settled(firing=firing_id(rule.id, entry["event"]), status=status, reason=reason, again=True)


def _tidy(kept: Kept) -> None:
    """Forget what can matter no more: a deadline that has passed, and what settled before any late match."""
    waiting: State = kept.state.get(_WAITING, {})
    settlers: State = kept.state.get(_SETTLERS, {})
    late = int(LATE.total_seconds())
    newest = max((each[0] for each in settlers.values()), default=0)
    forget_old(settlers, lambda each: int(each[0]), newest - late)
    newest = max([newest, *(entry["second"] for entry in waiting.values())])
    past = [
        key for key, each in waiting.items() if each.get("over") and max(each["due"], each["second"]) < newest - late
    ]
    for key in past:
        del waiting[key]
    ends = [*(entry["due"] for entry in waiting.values()), *(each[0] for each in settlers.values())]
    kept.until = moment_of(max(ends) + late) if ends else None
