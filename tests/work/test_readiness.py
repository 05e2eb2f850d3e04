"""What /readyz says."""

from engine.observe import Check
from engine.settings import Role
from engine.work.readiness import readiness


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
