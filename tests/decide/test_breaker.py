"""A destination that fails is left alone, tried by one delivery at a time, and trusted again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.decide.breaker import (
    LEASE,
    Breaker,
    BreakerState,
    Counts,
    Go,
    Wait,
    admitted,
    asked_of,
    is_quiet,
    noted,
    probed,
    probing,
    ramp,
    sign_of,
)
from engine.model.destination import BreakerPolicy, Sign
from engine.model.outcome import Delivered, Held, Outcome, Refused, Retry, Skipped

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
POLICY = BreakerPolicy()
SECOND = timedelta(seconds=1)
NEVER = Breaker()
FAILED, WORKED = Counts(requests=1, failures=1), Counts(requests=1)


def after(*seen: Counts, start: Breaker = NEVER, policy: BreakerPolicy = POLICY, now: datetime = NOON) -> Breaker:
    """The breaker after those requests, all at one moment."""
    for each in seen:
        start = noted(start, policy, each, now, reason="503" if each.failures else None)
    return start


def test_it_opens_at_the_share_of_enough_requests() -> None:
    assert after(*[FAILED] * 9).state is BreakerState.CLOSED
    opened = after(*[FAILED] * 10)
    assert (opened.state, opened.since, opened.until) == (BreakerState.OPEN, NOON, NOON + POLICY.wait)
    assert after(*[WORKED] * 10, *[FAILED] * 9).state is BreakerState.CLOSED
    assert after(*[WORKED] * 10, *[FAILED] * 10).state is BreakerState.OPEN
    assert after(*[FAILED] * 9, WORKED).state is BreakerState.CLOSED, "a success opens nothing"


def test_what_is_past_the_window_does_not_count() -> None:
    nine = after(*[FAILED] * 9)
    assert after(FAILED, start=nine, now=NOON + POLICY.window).state is BreakerState.CLOSED
    assert after(FAILED, start=nine, now=NOON + POLICY.window - SECOND).state is BreakerState.OPEN


def test_while_it_is_open_deliveries_wait_and_say_why() -> None:
    opened = after(*[FAILED] * 10)
    wait = admitted(opened, POLICY, NOON + SECOND)
    assert wait == Wait(until=NOON + POLICY.wait, reason="breaker open until 2026-11-27 12:00:30 UTC (503)")


def test_one_probe_goes_and_decides() -> None:
    opened = after(*[FAILED] * 10)
    then = NOON + POLICY.wait
    assert admitted(opened, POLICY, then) == Go(probe=True)
    trying = probing(opened, then)
    assert isinstance(admitted(trying, POLICY, then + SECOND), Wait)
    assert admitted(trying, POLICY, then + LEASE) == Go(probe=True), "a probe that died is not waited for"
    closed = probed(trying, POLICY, Sign.WORKS, then + SECOND)
    assert admitted(closed, POLICY, then + SECOND) == Go()
    again = probed(trying, POLICY, Sign.FAILS, then + SECOND)
    assert (again.state, again.since, again.until) == (BreakerState.OPEN, NOON, then + SECOND + 2 * POLICY.wait)
    unsure = probed(trying, POLICY, Sign.NOTHING, then + SECOND)
    assert admitted(unsure, POLICY, then + SECOND) == Go(probe=True), "the next one tries"


def test_the_wait_doubles_up_to_the_longest_and_begins_anew_when_all_was_well_for_a_window() -> None:
    now, opened, waits = NOON, after(*[FAILED] * 10), []
    for _ in range(6):
        assert opened.until is not None
        waits.append((opened.until - now) / SECOND)
        now = opened.until
        opened = probed(probing(opened, now), POLICY, Sign.FAILS, now)
    assert waits == [30, 60, 120, 240, 300, 300]
    closed = probed(probing(opened, now), POLICY, Sign.WORKS, now)
    flapping = after(*[FAILED] * 10, start=closed, now=now + SECOND)
    assert flapping.until == now + SECOND + POLICY.longest_wait
    rested = after(*[FAILED] * 10, start=closed, now=now + POLICY.window)
    assert rested.until == now + POLICY.window + POLICY.wait


def test_patience_that_was_asked_for_is_kept_up_to_the_longest_wait() -> None:
    asked = noted(Breaker(), POLICY, WORKED, NOON, asked=timedelta(seconds=20))
    wait = admitted(asked, POLICY, NOON)
    assert isinstance(wait, Wait)
    assert wait.until == NOON + timedelta(seconds=20)
    assert "asked for patience" in wait.reason
    assert admitted(asked, POLICY, wait.until) == Go()
    assert noted(Breaker(), POLICY, WORKED, NOON, asked=timedelta(days=1)).until == NOON + POLICY.longest_wait
    assert noted(asked, POLICY, WORKED, NOON, asked=SECOND).until == wait.until, "the longest of what was asked"


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    opened = after(*[FAILED] * 10)
    assert admitted(opened, POLICY, NOON - timedelta(hours=1)) == Go(probe=True)
    assert after(FAILED, start=after(*[FAILED] * 9), now=NOON - timedelta(hours=1)).current == FAILED


@pytest.mark.parametrize(
    ("outcome", "sign"),
    [
        (Delivered(status=200), Sign.WORKS),
        (Refused(reason="404", status=404), Sign.WORKS),
        (Refused(reason="no such channel any more"), Sign.NOTHING),
        (Retry(reason="refused"), Sign.FAILS),
        (Retry(reason="500", status=500), Sign.FAILS),
        (Retry(reason="408", status=408), Sign.FAILS),
        (Retry(reason="the mail server has trouble", status=451), Sign.FAILS),
        (Retry(reason="429", status=429), Sign.FAILS),
        (Retry(reason="429", status=429, after=SECOND), Sign.WORKS),
        (Retry(reason="409", status=409), Sign.WORKS),
        (Retry(reason="not Stripe's", status=200), Sign.FAILS),
        (Retry(reason="busy", attempted=False), Sign.NOTHING),
        (Retry(reason="a fault of ours", ours=True), Sign.NOTHING),
        (Held(reason="beyond its cap"), Sign.NOTHING),
        (Skipped(reason="if"), Sign.NOTHING),
    ],
)
def test_what_an_outcome_says_of_its_destination(outcome: Outcome, sign: Sign) -> None:
    assert sign_of(outcome) is sign


def test_patience_is_asked_for_by_429_and_503() -> None:
    assert asked_of(Retry(reason="429", status=429, after=SECOND)) == SECOND
    assert asked_of(Retry(reason="503", status=503, after=SECOND)) == SECOND
    assert asked_of(Retry(reason="409", status=409, after=SECOND)) is None, "about one object, not the destination"
    assert asked_of(Delivered()) is None


def test_the_ramp_doubles() -> None:
    passed = [sum(ramp(place) < timedelta(seconds=end) for place in range(100_000)) for end in (2, 4, 6, 8)]
    assert passed == [10, 30, 70, 150]
    assert ramp(0) == timedelta()


POLICIES = st.builds(
    BreakerPolicy,
    share=st.integers(1, 100),
    requests=st.integers(1, 20),
    window=st.integers(2, 600).map(lambda n: n * SECOND),
    wait=st.integers(1, 600).map(lambda n: n * SECOND),
    longest_wait=st.integers(1, 3600).map(lambda n: n * SECOND),
)
STEPS = st.lists(st.tuples(st.sampled_from(list(Sign)), st.integers(-5, 120)), max_size=80)


@given(POLICIES, STEPS)
def test_it_never_stays_shut_and_never_lets_two_probes_go_at_once(
    policy: BreakerPolicy, steps: list[tuple[Sign, int]]
) -> None:
    """Whatever the destination answers, and wherever the clock goes."""
    now, breaker = NOON, Breaker()
    for sign, seconds in steps:
        now += seconds * SECOND
        match admitted(breaker, policy, now):
            case Wait(until=until):
                assert now < until <= now + max(policy.longest_wait, policy.wait, LEASE)
                assert breaker.state is not BreakerState.CLOSED or breaker.until is not None
            case Go(probe=True):
                trying = probing(breaker, now)
                assert isinstance(admitted(trying, policy, now), Wait)
                breaker = probed(trying, policy, sign, now)
                assert (breaker.state is BreakerState.CLOSED) == (sign is Sign.WORKS)
            case Go():
                assert breaker.state is BreakerState.CLOSED
                if sign is not Sign.NOTHING:
                    breaker = noted(breaker, policy, FAILED if sign is Sign.FAILS else WORKED, now)
    assert isinstance(admitted(breaker, policy, now + max(policy.longest_wait, policy.wait, LEASE)), Go)


@given(POLICIES, st.lists(st.integers(0, 30), max_size=60))
def test_a_destination_that_works_is_never_left_alone(policy: BreakerPolicy, pauses: list[int]) -> None:
    now, breaker = NOON, Breaker()
    for seconds in pauses:
        now += seconds * SECOND
        breaker = noted(breaker, policy, WORKED, now)
        assert breaker.state is BreakerState.CLOSED
        assert is_quiet(breaker, policy, now)


@given(POLICIES, st.lists(st.sampled_from([FAILED, WORKED]), max_size=40))
def test_fewer_requests_than_the_least_open_nothing(policy: BreakerPolicy, seen: list[Counts]) -> None:
    breaker = after(*seen[: policy.requests - 1], policy=policy)
    assert breaker.state is BreakerState.CLOSED


@given(POLICIES, st.lists(st.sampled_from([FAILED, WORKED]), max_size=40))
def test_counting_one_by_one_or_together_comes_to_the_same(policy: BreakerPolicy, seen: list[Counts]) -> None:
    """What processes count by themselves may be written down at once."""
    never = replace(policy, requests=1_000_000)
    together = noted(Breaker(), never, sum(seen, Counts()), NOON)
    assert after(*seen, policy=never).current == together.current or not seen
