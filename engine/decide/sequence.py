"""`preceded_by` and `not_followed_by`: another event of the same key, before or after.

Times are the events' `created`, to the second; the moment at which a time to follow in ends is not part of it. Events
that come late are given `LATE`: a predecessor that comes after its trigger lets it fire then, and a follower that came
before its trigger is remembered.
"""

from datetime import datetime, timedelta

from engine.decide.memory import LATE, MOST, State, moment_of, second_of
from engine.model.event import Event, Json
from engine.model.timing import Absence, Other
from engine.source.durations import format_duration


def _within(other: Other) -> int:
    return int((other.within or timedelta()).total_seconds())


def _late() -> int:
    return int(LATE.total_seconds())


def precede(other: Other, state: State, event: Event) -> list[str]:
    """Remember an event that triggers may ask for; the dedupe keys of triggers that came before it and now fire."""
    at = second_of(event)
    before: list[list[Json]] = state.setdefault("before", [])
    if [at, event.dedupe_key] not in before:
        before.append([at, event.dedupe_key])
        before.sort()
    waiting: list[list[Json]] = state.setdefault("waiting", [])
    found = [key for since, key in waiting if at <= since <= at + _within(other) and key != event.dedupe_key]
    state["waiting"] = [each for each in waiting if each[1] not in found]
    _forget_before(other, state, at)
    return found


def preceded(other: Other, state: State, event: Event) -> str | None:
    """Why a trigger does not fire, None where an event came before it in time; the trigger is
    remembered for a while."""
    at = second_of(event)
    for since, key in state.get("before", ()):
        if at - _within(other) <= since <= at and key != event.dedupe_key:
            return None
    waiting: list[list[Json]] = state.setdefault("waiting", [])
    if [at, event.dedupe_key] not in waiting:
        waiting.append([at, event.dedupe_key])
        waiting.sort()
    _forget_before(other, state, at)
    return f"preceded_by: no {types_of(other)} in the {format_duration(other.within or timedelta())} before"


def before_until(other: Other, state: State) -> datetime | None:
    """When nothing of it can matter any more."""
    newest = [each[-1][0] for each in (state.get("before"), state.get("waiting")) if each]
    return moment_of(max(newest) + _within(other) + _late()) if newest else None


def _forget_before(other: Other, state: State, at: int) -> None:
    newest = max([at, *(each[0] for each in state.get("before", ())[-1:])])
    state["before"] = [e for e in state.get("before", ()) if e[0] >= newest - _within(other) - _late()][-MOST:]
    state["waiting"] = [e for e in state.get("waiting", ()) if e[0] >= newest - _late()][-MOST:]


def follow(absence: Absence, state: State, event: Event) -> list[str]:
    """Remember an event that must not follow; the dedupe keys of the triggers that it follows, which do not fire."""
    at = second_of(event)
    after: list[list[Json]] = state.setdefault("after", [])
    if [at, event.dedupe_key] not in after:
        after.append([at, event.dedupe_key])
        after.sort()
    waiting: list[list[Json]] = state.setdefault("waiting", [])
    found = [key for since, key in waiting if since <= at < since + _within(absence.other) and key != event.dedupe_key]
    state["waiting"] = [each for each in waiting if each[1] not in found]
    _forget_after(absence, state, at)
    return found


def followed(absence: Absence, state: State, event: Event) -> tuple[str | None, list[str]]:
    """Why a trigger does not even wait, None: it waits; and the dedupe keys of those that it takes the place of."""
    at = second_of(event)
    for since, key in state.get("after", ()):
        if at <= since < at + _within(absence.other) and key != event.dedupe_key:
            return f"{types_of(absence.other)} came after {format_duration(timedelta(seconds=since - at))}", []
    waiting: list[list[Json]] = state.setdefault("waiting", [])
    replaced = [key for since, key in waiting if since <= at and key != event.dedupe_key] if absence.restart else []
    if absence.restart and any(since > at for since, _ in waiting):
        return "a later event of the same key has started the timer anew", []
    kept = [each for each in waiting if each[1] not in replaced and each[1] != event.dedupe_key]
    state["waiting"] = sorted([*kept, [at, event.dedupe_key]])
    _forget_after(absence, state, at)
    return None, replaced


def after_until(absence: Absence, state: State) -> datetime | None:
    """When nothing of it can matter any more."""
    newest = [each[-1][0] for each in (state.get("after"), state.get("waiting")) if each]
    return moment_of(max(newest) + _within(absence.other) + _late()) if newest else None


def _forget_after(absence: Absence, state: State, at: int) -> None:
    newest = max([at, *(each[0] for each in state.get("after", ())[-1:])])
    state["after"] = [each for each in state.get("after", ()) if each[0] >= newest - _late()][-MOST:]
    last = newest - _within(absence.other) - _late()
    state["waiting"] = [each for each in state.get("waiting", ()) if each[0] >= last][-MOST:]


def due_of(absences: tuple[Absence, ...], event: Event) -> datetime:
    """When a trigger fires that none of them has followed."""
    return moment_of(second_of(event) + max(_within(absence.other) for absence in absences))


def types_of(other: Other) -> str:
    """The types of the other event, for people."""
    return " or ".join(dict.fromkeys(pattern for when in other.when for pattern in when.types))
