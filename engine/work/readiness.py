"""What /readyz answers: whether events can be stored and alerts go out, and why not."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from engine.observe import Check, Health
from engine.settings import Role
from engine.store.committer import Failing
from engine.store.destinations import Standing
from engine.store.health import TIMERS

QUEUE_LIMIT = timedelta(minutes=1)
"""A delivery that has been due for longer than this without being attempted is worth somebody's look, where the
settings do not say."""

MOST_SAID = 3
"""Rules of which it is said that their memory starts anew; the rest is counted."""

ROLES = {
    Role.ALL: "receives and delivers",
    Role.RECEIVE: "receives; others deliver",
    Role.WORK: "delivers; others receive",
}


class Queue(Protocol):
    """How the deliveries stand."""

    @property
    def queue_age(self) -> Mapping[str, timedelta]: ...
    @property
    def read_only(self) -> str | None: ...
    @property
    def dead(self) -> int: ...
    @property
    def held(self) -> int: ...


def readiness(
    *,
    store: Queue | str,
    backlog: int,
    failing: Failing | None = None,
    worker_running: bool,
    role: Role,
    rules: int,
    loaded: datetime | None,
    broken: Sequence[str],
    memory: Sequence[str] = (),
    conflicts: Mapping[str, str],
    queue_age: timedelta = QUEUE_LIMIT,
    destinations: Sequence[Standing] = (),
) -> Health:
    """All checks.

    `store` is a reason when the database does not answer; `failing` says why events are refused; `broken` names the
    rule files that run as their last good version or not at all; `memory` says of which rules it has started anew;
    `conflicts` says of endpoints what contradicts their configuration; `destinations` are those that are left alone.
    """
    return Health(
        checks=(
            _store(store),
            *(() if isinstance(store, str) else (_queue(store, queue_age), _deliveries(store))),
            Check(name="role", ok=True, reason=ROLES[role]),
            *((_ingest(backlog, failing),) * role.receives),
            Check(name="worker", ok=worker_running, reason=None if worker_running else "the worker has stopped"),
            _rules(rules, loaded, broken, memory),
            _destinations(destinations),
            *(
                Check(name=f"endpoint {name}", ok=False, reason=reason, blocking=False)
                for name, reason in sorted(conflicts.items())
            ),
        )
    )


def _store(store: Queue | str) -> Check:
    if isinstance(store, str):
        return Check(name="store", ok=False, reason=store)
    if store.read_only is not None:
        return Check(name="store", ok=False, reason=f"nothing can be written to the database: {store.read_only}")
    return Check(name="store", ok=True)


def _ingest(backlog: int, failing: Failing | None) -> Check:
    if failing is None:
        return Check(name="ingest", ok=True, reason=f"{backlog} events wait for their commit")
    reason = f"events are answered 503, for they cannot be stored since {failing.since:%Y-%m-%d %H:%M:%S}Z"
    return Check(name="ingest", ok=False, reason=f"{reason}: {failing.reason}")


def _queue(store: Queue, limit: timedelta) -> Check:
    late = {kind: _seconds(age) for kind, age in store.queue_age.items() if age > limit}
    if not late:
        return Check(name="queue", ok=True, blocking=False)
    timers = late.pop(TIMERS, None)
    kinds = ", ".join(f"{kind} for {age}" for kind, age in sorted(late.items()))
    reasons = [f"deliveries are due and not attempted: {kinds}"] if late else []
    if timers is not None:
        reasons.append(f"what rules wait for is due and not decided for {timers}")
    return Check(name="queue", ok=False, reason="; ".join(reasons), blocking=False)


def _deliveries(store: Queue) -> Check:
    """Dead and held ones are for people to decide about: on show, but no fault of this process."""
    reason = f"{store.dead} dead, {store.held} held; see: tocsin deliveries ls" if store.dead or store.held else None
    return Check(name="deliveries", ok=True, reason=reason, blocking=False)


def _destinations(standing: Sequence[Standing]) -> Check:
    told = ", ".join(f"{each.name} is left alone ({each.breaker.state}: {each.breaker.reason})" for each in standing)
    reason = f"{told}; see: tocsin destinations ls" if told else None
    return Check(name="destinations", ok=not standing, reason=reason, blocking=False)


def _rules(rules: int, loaded: datetime | None, broken: Sequence[str], memory: Sequence[str]) -> Check:
    anew = [*memory[:MOST_SAID], *([f"and {len(memory) - MOST_SAID} more"] if len(memory) > MOST_SAID else [])]
    if broken:
        reasons = [f"mistakes in {', '.join(broken)}; see: tocsin check", *anew]
        return Check(name="rules", ok=False, reason="; ".join(reasons), blocking=False)
    when = f", read {loaded:%Y-%m-%d %H:%M:%S}Z" if loaded else ""
    return Check(name="rules", ok=True, reason="; ".join([f"{rules} rules{when}", *anew]), blocking=False)


def _seconds(age: timedelta) -> str:
    return f"{age.total_seconds():.0f} s"
