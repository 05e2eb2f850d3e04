"""What is counted of a match that is refused."""

from datetime import timedelta
from decimal import Decimal

from engine.decide import window
from engine.decide.judge import THRESHOLD, judge
from engine.decide.keys import key_of
from engine.decide.memory import Cell, Memory, second_of
from engine.model.delivery import FiringStatus
from engine.model.rule import Rule, When
from engine.model.timing import BY_ACCOUNT, Ratio, Threshold, Timing
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
