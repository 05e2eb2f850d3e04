"""`throttle`: at most so many messages of a key in any span of time, by time of sending. What is left out is counted,
and said with the next message, or by itself when the span ends and none came."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.decide.memory import State
from engine.model.timing import Throttle
from engine.source.durations import format_duration

LIFTED = Throttle(max=1, every=timedelta())
"""Of a rule that has none any more: what it left out before is said when its time is over."""

_UNSAID = ("left_out", "since", "updates")
_OWED = "owed"
_OWED_FOR = timedelta(days=90)
"""For so long what was left out live is kept for a rule in shadow."""


@dataclass(frozen=True, slots=True)
class Paced:
    """Whether a message may go out now. `left_out` were not since `since`, where this one has to say so, `updates` of
    them of `on_update`; `until` is when the next may, where this one may not. `first`: of those that are left out, the
    one by which their end is told."""

    sends: bool
    left_out: int = 0
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    first: bool = False
    updates: int = 0


def pace(throttle: Throttle, state: State, now: datetime, *, update: bool = False) -> Paced:
    """Take one message; `update`: one of `on_update`."""
    moment = now.timestamp()
    every = throttle.every.total_seconds()
    sent = [at for at in state.get("sent", ()) if moment - every < at <= moment]
    if len(sent) < throttle.max:
        state["sent"] = [*sent, moment]
        return _said(state)
    state["sent"] = sent
    state["left_out"] = state.get("left_out", 0) + 1
    if update:
        state["updates"] = state.get("updates", 0) + 1
    state.setdefault("since", moment)
    until = _moment(sent[0] + every)
    last = _moment(sent[-1])
    reason = f"throttled: {throttle.max} per {format_duration(throttle.every)}, last {last:%H:%M} UTC"
    return Paced(False, until=until, reason=reason, first=state["left_out"] == 1)


def close(throttle: Throttle, state: State, now: datetime) -> Paced | None:
    """At the end of a span: what was left out and nothing has said yet, None if there is nothing to say now.

    `sends` is false, and `until` when to look again, where the span is not over yet.
    """
    moment, every = now.timestamp(), throttle.every.total_seconds()
    state["sent"] = [at for at in state.get("sent", ()) if moment - every < at <= moment]
    if len(state["sent"]) >= throttle.max and state.get("left_out"):
        return Paced(False, until=max(_moment(state["sent"][0] + every), now + timedelta(seconds=1)))
    said = _said(state)
    return said if said.left_out else None


def _said(state: State) -> Paced:
    """What was left out, which is said now."""
    since = state.pop("since", None)
    left_out, updates = state.pop("left_out", 0), state.pop("updates", 0)
    return Paced(True, left_out, None if since is None else _moment(since), updates=updates)


def carry(before: State, state: State, *, said: bool, says: bool) -> None:
    """What was left out live under another limit or mode has still to be said. `said` and `says`: whether the rule said
    it before, and does now. While it does not, it stands apart from what would have been left out."""
    owed = {name: before[name] for name in _UNSAID if name in before} if said else before.get(_OWED)
    if owed:
        state.update(owed if says else {_OWED: owed})


def quiet_until(throttle: Throttle, state: State) -> datetime | None:
    """When nothing of it can matter any more."""
    sent, owed = state.get("sent"), state.get(_OWED)
    ends = [_moment(sent[-1] + throttle.every.total_seconds())] if sent else []
    return max([*ends, _moment(owed["since"]) + _OWED_FOR] if owed else ends, default=None)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
