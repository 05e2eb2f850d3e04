"""What /readyz says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from engine.observe import Check, Health
from engine.settings import Role
from engine.store.committer import Failing
from engine.work.readiness import readiness


@dataclass
class Queue:
    """A queue in which these have waited so many seconds."""

    queue_age: dict[str, timedelta] = field(default_factory=dict)
    read_only: str | None = None
    dead: int = 0
    held: int = 0


def said(store: Queue, role: Role = Role.ALL, failing: Failing | None = None) -> tuple[Health, dict[str, Check]]:
    """What is said where nothing else is wrong, by the names of the checks."""
    health = readiness(
        store=store,
        backlog=0,
        failing=failing,
        worker_running=True,
        role=role,
        rules=1,
        loaded=None,
        broken=[],
        conflicts={},
    )
    return health, {check.name: check for check in health.checks}


def test_where_events_are_refused_it_is_not_ready() -> None:
    since = datetime(2026, 11, 27, 10, 2, 3, tzinfo=UTC)
    health, checks = said(
        Queue(), failing=Failing(since=since, reason="could not extend file: No space left on device")
    )
    assert health.http_status == 503
    assert checks["ingest"].reason == (
        "events are answered 503, for they cannot be stored since 2026-11-27 10:02:03Z: "
        "could not extend file: No space left on device"
    )


def test_where_nothing_can_be_written_it_is_not_ready() -> None:
    health, checks = said(Queue(read_only="it is a standby"), Role.WORK)
    assert health.http_status == 503
    assert checks["store"].reason == "nothing can be written to the database: it is a standby"


def test_what_is_late_is_named() -> None:
    late = {"callback": timedelta(seconds=61), "notify": timedelta(seconds=59), "timers": timedelta(seconds=80)}
    health, checks = said(Queue(late))
    assert (health.http_status, checks["queue"].ok) == (200, False)
    assert checks["queue"].reason == (
        "deliveries are due and not attempted: callback for 61 s; what rules wait for is due and not decided for 80 s"
    )
    _, checks = said(Queue({"timers": timedelta(seconds=80)}))
    assert checks["queue"].reason == "what rules wait for is due and not decided for 80 s"


def rules_check(broken: list[str], memory: list[str]) -> Check:
    """What is said of the rules."""
    health = readiness(
        store="no database here",
        backlog=0,
        worker_running=True,
        role=Role.ALL,
        rules=41,
        loaded=None,
        broken=broken,
        memory=memory,
        conflicts={},
    )
    return next(check for check in health.checks if check.name == "rules")


def test_it_says_whose_memory_has_started_anew() -> None:
    """The first of them, and how many more; beside mistakes, too."""
    anew = [f"memory of r{n} starts anew: throttle.max changed" for n in range(5)]
    check = rules_check([], anew)
    assert (check.ok, check.reason) == (True, "; ".join(["41 rules", *anew[:3], "and 2 more"]))
    check = rules_check(["a.yaml"], anew[:1])
    assert (check.ok, check.reason) == (False, f"mistakes in a.yaml; see: tocsin check; {anew[0]}")
    assert rules_check([], []).reason == "41 rules"
