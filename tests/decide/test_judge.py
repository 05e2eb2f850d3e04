"""What becomes of matches: what is counted of those that are refused, and what a changed rule still knows."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from engine.decide import window
from engine.decide.judge import THRESHOLD, judge, observe
from engine.decide.keys import key_of
from engine.decide.memory import Cell, Memory, second_of
from engine.decide.sighting import Role, Sighting
from engine.model.delivery import FiringStatus
from engine.model.rule import Rule, When
from engine.model.timing import BY_ACCOUNT, Absence, Other, Ratio, Threshold, Timing
from tests.builders import event


def test_a_match_that_is_too_old_is_still_one_of_the_events_of_its_ratio() -> None:
    """Else the share of those that are counted would be taken for that of all."""
    ratio = Ratio(of=(), gte=Decimal("0.5"), min=1)
    timing = Timing(threshold=Threshold(within=timedelta(days=1), ratio=ratio), max_age=timedelta(seconds=1))
    rule = Rule(id="r", when=(When(types=("charge.failed",)),), steps=(), timing=timing)
    came = event("charge.failed")
    memory = Memory()
    assert judge(rule, came, memory, came.received, among=True).status is FiringStatus.NO
    kept = memory.kept[Cell("r", THRESHOLD, key_of(BY_ACCOUNT, came))]
    assert timing.threshold is not None
    found = window.window_at(timing.threshold, kept.state, second_of(came))
    assert (found.of, found.count) == (1, 0)


def waits_for(*types: str) -> Rule:
    """A rule that fires unless one of those comes within an hour, for the same account."""
    same = ((BY_ACCOUNT[0], BY_ACCOUNT[0]),)
    hour = timedelta(hours=1)
    absences = tuple(Absence(other=Other(when=(When(types=(each,)),), same=same, within=hour)) for each in types)
    timing = Timing(not_followed_by=absences)
    return Rule(id="r", when=(When(types=("payout.failed",)),), steps=(), timing=timing)


def test_what_waits_is_settled_by_what_it_waited_for_wherever_the_rule_now_has_it() -> None:
    memory, failed, paid = Memory(), event("payout.failed"), event("payout.paid")
    assert judge(waits_for("payout.paid"), failed, memory, failed.received, among=False).status is FiringStatus.WAITING
    changed = waits_for("payout.created", "payout.paid")
    [settled] = observe(Sighting(changed, Role.FOLLOWS, 1), paid, memory, paid.received).settled
    assert settled.status is FiringStatus.NO


def test_what_came_before_the_rule_asked_for_it_to_stay_away_keeps_nothing_from_firing() -> None:
    memory, updated, failed = Memory(), event("payout.updated"), event("payout.failed")
    later = replace(updated, created=failed.created + timedelta(minutes=1))
    observe(Sighting(waits_for("payout.updated"), Role.FOLLOWS, 0), later, memory, later.received)
    found = judge(waits_for("payout.paid"), failed, memory, failed.received, among=False)
    assert found.status is FiringStatus.WAITING
