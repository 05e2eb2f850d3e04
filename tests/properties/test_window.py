"""Thresholds against the plain model: every window counted anew from all events, nothing remembered but what fired."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.decide import entries, window
from engine.decide.memory import State, second_of
from engine.model.condition import Money, Reference
from engine.model.event import Event
from engine.model.timing import Ratio, Threshold
from tests.builders import event

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
AMOUNT, NAME = Reference(path="amount"), Reference(path="failure_code")
USD = Money(amount=Decimal(5), currency="usd", minor=500)


def made(second: int, name: str = "a", amount: int = 100) -> Event:
    moment = int((START + timedelta(seconds=second)).timestamp())
    return event("charge.failed", created=moment, object={"amount": amount, "currency": "usd", "failure_code": name})


def holds(threshold: Threshold, events: list[tuple[Event, int]], end: int) -> bool:
    """The definition: all of it, of the events in the window that ends with a second."""
    begin = end - int(threshold.within.total_seconds())
    inside = [(each, kind) for each, kind in events if begin < second_of(each) <= end]
    mine = [each.object or {} for each, kind in inside if kind & window.MATCH]
    of = sum(1 for _, kind in inside if kind & window.AMONG)
    both = sum(1 for _, kind in inside if kind == window.MATCH | window.AMONG)
    ratio = threshold.ratio
    return (
        (threshold.count is None or len(mine) >= threshold.count)
        and all(len({each["failure_code"] for each in mine}) >= least for _, least in threshold.distinct)
        and all(sum(each["amount"] for each in mine) >= money.minor for _, money in threshold.sums)
        and (ratio is None or (of >= max(ratio.min, 1) and Decimal(both) / of >= ratio.gte))
    )


def runs(threshold: Threshold, events: list[tuple[Event, int]]) -> list[list[int]]:
    """The seconds with matches, by whether it holds: every run of those at which it does, and between which the window
    is never empty."""
    seconds = sorted({second_of(each) for each, kind in events if kind & window.MATCH})
    found: list[list[int]] = []
    before: int | None = None
    for second in seconds:
        now = holds(threshold, events, second)
        if now and before is not None and second - before <= threshold.within.total_seconds():
            found[-1].append(second)
        elif now:
            found.append([second])
        before = second if now else None
    return found


def taken(threshold: Threshold, events: list[tuple[Event, int]]) -> list[int]:
    """The seconds of the events at which the reducer fires, in the order given."""
    state: State = {}
    fired: list[int] = []
    for each, kind in events:
        judged = window.take(threshold, state, each, kind)
        if judged is not None and judged.fires:
            fired.append(second_of(each))
    return fired


thresholds = st.builds(
    lambda within, count, distinct, total, ratio: Threshold(
        within=timedelta(seconds=within),
        count=count,
        distinct=((NAME, distinct),) if distinct else (),
        sums=((AMOUNT, USD),) if total else (),
        ratio=ratio,
    ),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 5)),
    st.one_of(st.none(), st.integers(1, 3)),
    st.booleans(),
    st.one_of(st.none(), st.just(Ratio(of=(), gte=Decimal("0.5"), min=2))),
)
kinds = st.sampled_from([window.MATCH, window.MATCH | window.AMONG, window.AMONG])
streams = st.lists(
    st.tuples(st.integers(0, 120), st.sampled_from("abc"), st.integers(1, 300), kinds), min_size=1, max_size=40
)


@settings(max_examples=300)
@given(thresholds, streams)
def test_in_order_it_fires_exactly_when_the_definition_says(
    threshold: Threshold, stream: list[tuple[int, str, int, int]]
) -> None:
    moments = {at: (name, amount, kind) for at, name, amount, kind in stream}  # no two at once
    events = [(made(at, name, amount), kind) for at, (name, amount, kind) in sorted(moments.items())]
    assert taken(threshold, events) == [run[0] for run in runs(threshold, events)]


@settings(max_examples=1000)
@example(1, 2, [0, 0, 2, 2, 1])  # what comes between parts two runs
@example(5, 3, [0, 0, 5, 6, 2])  # one that comes late makes two runs: an event fires once
@example(21, 3, [0, 2, 22, 22, 0, 21])  # one that does not hold parts what had fired from what had not
@given(st.integers(1, 40), st.integers(1, 5), st.lists(st.integers(0, 120), min_size=1, max_size=30))
def test_in_any_order_it_fires_for_every_run_and_never_without_one(within: int, count: int, seconds: list[int]) -> None:
    threshold = Threshold(within=timedelta(seconds=within), count=count)
    state: State = {}
    fired = [window.take(threshold, state, made(second), window.MATCH) for second in seconds]  # in any order
    final = runs(threshold, [(made(second), window.MATCH) for second in seconds])
    assert any(judged is not None and judged.fires for judged in fired) == bool(final)
    said = {second for second, _, told in state["seconds"] if told}
    assert all(said & set(run) for run in final)


@pytest.mark.parametrize(("passed", "fires"), [(10, 1), (11, 2), (4_000, 2), (40_000, 2)])
def test_what_one_match_alone_makes_hold_fires_again_when_its_window_was_empty(passed: int, fires: int) -> None:
    """However long that is remembered."""
    threshold = Threshold(within=timedelta(seconds=10), sums=((AMOUNT, USD),))
    large = [(made(second, amount=500), window.MATCH) for second in (0, passed)]
    assert len(taken(threshold, large)) == fires


@pytest.mark.parametrize("late", [-200, -60, -5, 0, 5, 85])
def test_an_event_that_comes_very_late_lets_nothing_fire_again(late: int) -> None:
    """An hour after it fired that is remembered as one moment, before which all is over."""
    threshold = Threshold(within=timedelta(hours=2), count=3)
    minutes = [*range(0, 200, 10), late, *range(200, 400, 10)]
    events = [(made(minute * 60), window.MATCH) for minute in minutes]
    assert len(taken(threshold, events)) == 1


def test_far_more_than_can_be_kept_one_by_one_is_counted_in_spans() -> None:
    threshold = Threshold(within=timedelta(days=1), count=8_000)
    state: State = {}
    fired = 0
    for second in range(8_200):
        judged = window.take(threshold, state, made(second), window.MATCH)
        fired += judged is not None and judged.fires
    assert fired == 1
    assert window.window_at(threshold, state, second_of(made(8_199))).approximate
    assert len(state["entries"]) <= window.EXACT + 1


@settings(max_examples=300)
@given(thresholds, streams, st.lists(st.tuples(st.integers(0, 39), st.sampled_from([0, 1, 2, 3])), max_size=60))
def test_an_event_counts_once_in_each_number_however_often_and_as_whatever_it_is_seen(
    threshold: Threshold, stream: list[tuple[int, str, int, int]], more: list[tuple[int, int]]
) -> None:
    """A thin event and its snapshot, what was read for it, what had to precede it and came late."""
    threshold = replace(threshold, ratio=Ratio(of=(), gte=Decimal("0.5"), min=2))
    events = [(made(at, name, amount), kind) for at, name, amount, kind in stream]
    state: State = {}
    seen: dict[str, int] = {}
    for each, kind in [*events, *((events[place % len(events)][0], kind) for place, kind in more)]:
        window.take(threshold, state, each, kind, again=True)
        seen[each.dedupe_key] = seen.get(each.dedupe_key, 0) | kind
    final = [(each, seen[each.dedupe_key]) for each, _ in events]
    for end in {second_of(each) for each, _ in events}:
        found = window.window_at(threshold, state, end)
        assert found.holds == holds(threshold, final, end)
        inside = [k for e, k in final if end - threshold.within.total_seconds() < second_of(e) <= end]
        assert found.count == sum(1 for kind in inside if kind & window.MATCH)
        assert found.of == sum(1 for kind in inside if kind & window.AMONG)
        both = sum(1 for kind in inside if kind == window.BOTH)
        assert found.share == (Decimal(both) / found.of if found.of else 0)


@settings(max_examples=200)
@given(thresholds, streams, st.integers(0, 3))
def test_windows_that_are_counted_in_one_pass_are_those_that_are_counted_alone(
    threshold: Threshold, stream: list[tuple[int, str, int, int]], level: int
) -> None:
    state: State = {}
    for at, name, amount, kind in stream:
        window.take(threshold, state, made(at, name, amount), kind)
    for entry in state["entries"][::2]:  # as in a flood of values that is over
        entry[entries.LEVEL] = level
    ends = sorted({second_of(made(at)) for at, _, _, _ in stream})
    within, paths, sums = int(threshold.within.total_seconds()), len(threshold.distinct), len(threshold.sums)
    together = list(entries.slide(state["entries"], within, ends, paths, sums))
    alone = [next(entries.slide(state["entries"], within, [end], paths, sums)) for end in ends]
    assert together == alone


def test_what_may_be_seen_again_is_bounded_and_goes_with_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "AGAIN", 20)
    threshold = Threshold(within=timedelta(hours=1), ratio=Ratio(of=(), gte=Decimal("0.5"), min=2))
    state: State = {}
    for second in range(100):
        window.take(threshold, state, made(second), window.AMONG, again=True)
        assert len(state["again"]) <= 20
    assert max(at for at, _ in state["again"].values()) == second_of(made(99))
    window.take(threshold, state, made(10_000), window.AMONG)
    assert state["again"] == {}


def test_more_different_values_than_can_be_kept_are_estimated_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entries, "EXACT", 500)
    threshold = Threshold(within=timedelta(minutes=10), distinct=((NAME, 2_000),))
    state: State = {}
    for number in range(3_000):
        window.take(threshold, state, made(number // 10, name=f"card {number}"), window.MATCH)
        assert sum(len(entry[entries.HASHES][0]) for entry in state["entries"]) <= 500
    found = window.window_at(threshold, state, second_of(made(299)))
    assert found.approximate
    assert 2_500 < found.distinct[0] < 3_500
    for number in range(30):  # when all of it is over, the numbers are exact again
        window.take(threshold, state, made(1_000, name=f"card {number}"), window.MATCH)
    later = window.window_at(threshold, state, second_of(made(1_000)))
    assert (later.distinct, later.approximate) == ((30,), False)


def test_as_many_different_values_as_can_be_kept_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    threshold = Threshold(within=timedelta(minutes=10), distinct=((NAME, 1),))
    monkeypatch.setattr(entries, "EXACT", 500)
    state: State = {}
    for number in range(500):
        window.take(threshold, state, made(number // 10, name=f"card {number}"), window.MATCH)
    found = window.window_at(threshold, state, second_of(made(299)))
    assert (found.distinct, found.approximate) == ((500,), False)


def test_events_of_one_second_are_one_entry() -> None:
    threshold = Threshold(within=timedelta(minutes=1), count=10_000)
    state: State = {}
    for _ in range(50):
        window.take(threshold, state, made(1), window.MATCH)
    assert len(state["entries"]) == 1
    assert window.window_at(threshold, state, second_of(made(1))).count == 50


def test_amounts_of_another_currency_do_not_add_up() -> None:
    threshold = Threshold(within=timedelta(minutes=1), sums=((AMOUNT, USD),))
    state: State = {}
    euros = event("charge.failed", object={"amount": 600, "currency": "eur"})
    judged = window.take(threshold, state, euros, window.MATCH)
    assert judged is not None
    assert not judged.fires
    assert judged.reason == "threshold: amount adds up to 0.00 USD of 5.00 USD within 1m"
