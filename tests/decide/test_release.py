"""Steps that read another's result wait for it, and go on or end with it."""

from dataclasses import replace

import pytest

from engine.decide.release import released
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import OnError, Rule, Step, Verb, When
from tests.decide.test_retry import delivery

PENDING, WAITING, SKIPPED = DeliveryStatus.PENDING, DeliveryStatus.WAITING, DeliveryStatus.SKIPPED


def rule(on_error: OnError = OnError.STOP) -> Rule:
    return Rule(
        id="payout-failed",
        when=(When(types=("payout.failed",)),),
        steps=(
            Step(id="payout", verb=Verb.STRIPE, targets=("payouts.retrieve",), on_error=on_error),
            Step(id="tell", verb=Verb.NOTIFY, targets=("payments",), needs=("payout",)),
            Step(id="log", verb=Verb.CALLBACK, targets=("log",), needs=("tell",)),
        ),
    )


def firing(*statuses: DeliveryStatus) -> list[Delivery]:
    return [
        replace(delivery(key=f"dlv_{step.id}"), step=step.id, needs=step.needs, status=status)
        for step, status in zip(rule().steps, statuses, strict=True)
    ]


def test_nothing_is_released_while_the_needed_step_is_open() -> None:
    assert released(rule(), firing(PENDING, WAITING, WAITING)) == []


def test_the_next_step_goes_on_when_what_it_needs_has_arrived() -> None:
    assert released(rule(), firing(DeliveryStatus.DELIVERED, WAITING, WAITING)) == [("dlv_tell", PENDING, None)]


def test_a_dead_step_ends_all_that_need_it_down_the_chain() -> None:
    assert released(rule(), firing(DeliveryStatus.DEAD, WAITING, WAITING)) == [
        ("dlv_tell", SKIPPED, "step payout did not succeed"),
        ("dlv_log", SKIPPED, "step tell did not succeed"),
    ]


def test_on_error_continue_lets_the_dependants_run() -> None:
    dead = firing(DeliveryStatus.DEAD, WAITING, WAITING)
    assert released(rule(OnError.CONTINUE), dead) == [("dlv_tell", PENDING, None)]


def test_a_held_write_keeps_its_dependants_waiting() -> None:
    assert released(rule(), firing(DeliveryStatus.HELD, WAITING, WAITING)) == []


def test_a_step_of_on_failure_runs_when_one_of_the_others_is_dead_and_not_before() -> None:
    """Once a firing, whichever step it is; not for what was skipped, and not for a held write."""
    failing = replace(rule(), on_failure=(Step(id="alarm", verb=Verb.NOTIFY, targets=("ops",)),))
    alarm = replace(delivery(key="dlv_alarm"), step="alarm", status=WAITING)
    delivered = DeliveryStatus.DELIVERED

    def said(*statuses: DeliveryStatus) -> list[tuple[str, DeliveryStatus, str | None]]:
        return [each for each in released(failing, [*firing(*statuses), alarm]) if each[0] == "dlv_alarm"]

    assert said(PENDING, WAITING, WAITING) == []
    assert said(DeliveryStatus.HELD, WAITING, WAITING) == []
    assert said(DeliveryStatus.DEAD, WAITING, WAITING) == [("dlv_alarm", PENDING, None)]
    assert said(delivered, DeliveryStatus.DEAD, SKIPPED) == [("dlv_alarm", PENDING, None)]
    assert said(delivered, delivered, PENDING) == []
    assert said(delivered, SKIPPED, delivered) == [("dlv_alarm", SKIPPED, "no step failed")]
    assert said(SKIPPED, WAITING, WAITING) == [("dlv_alarm", SKIPPED, "no step failed")]


@pytest.mark.parametrize("quiet", [DeliveryStatus.SUPPRESSED, DeliveryStatus.GATHERED, DeliveryStatus.MERGED])
def test_a_message_that_is_kept_quiet_keeps_no_step_waiting(quiet: DeliveryStatus) -> None:
    """What makes noise less never swallows a callback."""
    assert released(rule(), firing(DeliveryStatus.DELIVERED, quiet, WAITING)) == [("dlv_log", PENDING, None)]
