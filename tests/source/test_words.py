"""Durations, rates and the nearest known word."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.source import did_you_mean, format_duration, nearest, parse_duration, parse_rate


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("36h", timedelta(hours=36)),
        ("3d", timedelta(days=3)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "10", "10 minutes", "m", "-1m", "1.5h", "1h30m", "9999999s", "٣m", "1M"])
def test_other_spans_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration like 10m, got"):
        parse_duration(text)


@given(st.integers(0, 999_999))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_rates() -> None:
    rate = parse_rate("30/m")
    assert (rate.count, rate.every, str(rate)) == (30, timedelta(minutes=1), "30/m")
    for text in ("0/m", "30", "30/x", "30/5m", "/m"):
        with pytest.raises(ValueError, match="expected a rate like 30/m, got"):
            parse_rate(text)


def test_the_nearest_word_is_found_but_never_a_far_one() -> None:
    known = ["throttle", "threshold", "not_followed_by", "when"]
    assert nearest("throtle", known) == "throttle"
    assert nearest("NOT-followed-by", known) == "not_followed_by"
    assert nearest("xyz", known) is None
    assert nearest("", known) is None
    assert did_you_mean("wehn", known) == "did you mean 'when'?"
    assert did_you_mean("qqq", known) is None
