"""When a delivery is tried again, and when it has ended."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.decide.retry import JITTER, after_attempt
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.outcome import Delivered, Held, Refused, Retry
from engine.model.rule import LADDER, RetryPolicy, Verb

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def delivery(attempts: int = 0, key: str = "dlv_1") -> Delivery:
    return Delivery(
        id=key,
        firing="fir_1",
        event="evt_1",
        rule="payout-failed",
        revision="r",
        step="notify-1",
        verb=Verb.NOTIFY,
        destination="payments",
        account="acct_1",
        livemode=True,
        attempts=attempts,
        created=NOW,
    )


def test_what_arrived_is_done() -> None:
    assert after_attempt(delivery(), Delivered(), RetryPolicy(), NOW).status is DeliveryStatus.DELIVERED


def test_what_is_refused_is_dead_with_the_reason() -> None:
    decision = after_attempt(delivery(), Refused(reason="410 Gone"), RetryPolicy(), NOW)
    assert (decision.status, decision.reason) == (DeliveryStatus.DEAD, "410 Gone")


def test_a_held_write_waits_for_a_person() -> None:
    assert after_attempt(delivery(), Held(reason="cap"), RetryPolicy(), NOW).status is DeliveryStatus.HELD


@pytest.mark.parametrize(("attempts", "wait"), list(enumerate(LADDER)))
def test_the_default_ladder_is_climbed_step_by_step(attempts: int, wait: timedelta) -> None:
    decision = after_attempt(delivery(attempts), Retry(reason="503"), RetryPolicy(), NOW)
    assert decision.status is DeliveryStatus.PENDING
    assert decision.next_attempt is not None
    assert wait * (1 - JITTER) <= decision.next_attempt - NOW <= wait * (1 + JITTER)


def test_after_the_last_try_it_is_dead_and_says_how_often_it_tried() -> None:
    decision = after_attempt(delivery(len(LADDER)), Retry(reason="503"), RetryPolicy(), NOW)
    assert decision.status is DeliveryStatus.DEAD
    assert decision.reason == "503 (gave up after 8 attempts)"


def test_retry_after_is_honoured_when_longer_and_capped_at_a_day() -> None:
    asked = after_attempt(delivery(), Retry(reason="429", after=timedelta(minutes=7)), RetryPolicy(), NOW)
    assert asked.next_attempt == NOW + timedelta(minutes=7)
    greedy = after_attempt(delivery(), Retry(reason="429", after=timedelta(days=30)), RetryPolicy(), NOW)
    assert greedy.next_attempt == NOW + timedelta(hours=24)


def test_a_short_retry_after_does_not_cut_the_ladder() -> None:
    asked = after_attempt(delivery(1), Retry(reason="429", after=timedelta(seconds=1)), RetryPolicy(), NOW)
    assert asked.next_attempt is not None
    assert asked.next_attempt - NOW > timedelta(minutes=4)


def test_jitter_is_fixed_for_a_delivery_and_differs_between_them() -> None:
    def due(key: str) -> datetime | None:
        return after_attempt(delivery(key=key), Retry(reason="503"), RetryPolicy(), NOW).next_attempt

    assert due("dlv_1") == due("dlv_1")
    assert len({due(f"dlv_{n}") for n in range(20)}) > 15


def test_a_rules_own_policy_wins_and_its_last_wait_repeats() -> None:
    policy = RetryPolicy(attempts=5, waits=(timedelta(seconds=10),), limit=timedelta(seconds=4))
    decision = after_attempt(delivery(3), Retry(reason="503"), policy, NOW)
    assert decision.next_attempt is not None
    assert timedelta(seconds=3) < decision.next_attempt - NOW < timedelta(seconds=5)
    assert after_attempt(delivery(4), Retry(reason="503"), policy, NOW).status is DeliveryStatus.DEAD
