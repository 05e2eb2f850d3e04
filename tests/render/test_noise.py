"""What messages say of what was left out, held or late."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.model.timing import Throttle
from engine.render import acted_late, left_out_between, left_out_since, sent_late, span_text

NOW = datetime(2026, 11, 23, 20, 2, tzinfo=UTC)


def at(text: str) -> datetime:
    """`11-23 14:02` of 2026, or a whole date."""
    return datetime.fromisoformat(text if len(text) > 11 else f"2026-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "timezone", "line"),
    [
        ("11-23 14:02", "UTC", "and 12 more left out since 14:02 UTC"),
        ("11-22 23:50", "UTC", "and 12 more left out since 22 Nov 23:50 UTC"),
        ("2025-12-31 23:50", "UTC", "and 12 more left out since 31 Dec 2025 23:50 UTC"),
        ("11-22 23:50", "Europe/Berlin", "and 12 more left out since 00:50 CET"),
    ],
)
def test_the_next_message_counts_what_was_left_out(since: str, timezone: str, line: str) -> None:
    """With the day where it is another one, on the clocks of the zone."""
    assert left_out_since(12, at(since), NOW, timezone) == line
    assert left_out_since(12_345, at("11-23 14:02"), NOW).startswith("and 12,345 more")


def test_the_end_of_a_window_says_what_was_left_out_in_it() -> None:
    """And why."""
    throttle = Throttle(max=1, every=timedelta(hours=6))
    assert left_out_between(12, "payout-failed", throttle, at("11-23 14:02"), NOW) == (
        "12 more alerts of payout-failed were left out between 14:02 and 20:02 UTC (at most 1 every 6h)"
    )
    often = Throttle(max=1_000, every=timedelta(minutes=90))
    assert left_out_between(1, "x", often, at("11-22 14:02"), NOW) == (
        "1 more alert of x was left out between 22 Nov 14:02 and 23 Nov 20:02 UTC (at most 1,000 every 90m)"
    )


@pytest.mark.parametrize(
    ("late", "line"),
    [
        (timedelta(hours=-1), None),
        (timedelta(minutes=60), None),
        (timedelta(minutes=61), "acted on 1 h late"),
        (timedelta(hours=3, minutes=59), "acted on 3 h late"),
        (timedelta(hours=47, minutes=59), "acted on 47 h late"),
        (timedelta(days=3, hours=5), "acted on 3 days late"),
    ],
)
def test_what_comes_more_than_an_hour_late_says_so(late: timedelta, line: str | None) -> None:
    assert acted_late(NOW - late, NOW) == line
    assert sent_late(NOW - late, NOW) == (None if line is None else line.replace("acted on", "sent"))


@pytest.mark.parametrize(
    ("first", "last", "timezone", "line"),
    [
        ("11-23 09:12", "11-23 10:07", "UTC", "between 09:12 and 10:07 UTC"),
        ("11-23 09:12", "11-23 09:12", "UTC", "at 09:12 UTC"),
        ("11-22 23:50", "11-23 07:00", "UTC", "between 22 Nov 23:50 and 23 Nov 07:00 UTC"),
        ("11-22 09:12", "11-22 10:07", "UTC", "between 22 Nov 09:12 and 22 Nov 10:07 UTC"),
        ("10-24 22:30", "10-25 06:30", "Europe/Berlin", "between 25 Oct 00:30 CEST and 25 Oct 07:30 CET"),
        ("10-25 00:30", "10-25 01:30", "Europe/Berlin", "between 25 Oct 02:30 CEST and 25 Oct 02:30 CET"),
    ],
)
def test_a_span_of_time_in_words(first: str, last: str, timezone: str, line: str) -> None:
    """Days where they are not today's, both names of a zone where its clocks changed in between."""
    assert span_text(at(first), at(last), NOW, timezone) == line
