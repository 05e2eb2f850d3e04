"""What an HTTP answer means: the parts that no server is needed for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.outcome import Delivered, Refused, Retry
from notifiers.answers import LONGEST_WAIT, clean, judge, parse_retry_after, phrase, read_excerpt, where

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("90", timedelta(seconds=90)),
        ("Thu, 01 Jan 2026 00:01:00 GMT", timedelta(minutes=1)),
        ("Thursday, 01-Jan-26 00:01:00 GMT", timedelta(minutes=1)),
        ("Thu, 01 Jan 2026 02:01:00 +0200", timedelta(minutes=1)),
        ("Thu, 01 Jan 2026 00:01:00", timedelta(minutes=1)),
        ("Wed, 31 Dec 2025 00:00:00 GMT", None),
        ("Fri, 01 Jan 2027 00:00:00 GMT", LONGEST_WAIT),
        ("999999999999", LONGEST_WAIT),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(value: str | None, wait: timedelta | None) -> None:
    assert parse_retry_after(value, NOW) == wait


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_no_retry_after_header_raises_or_asks_for_more_than_a_day(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or timedelta() < wait <= LONGEST_WAIT


@settings(max_examples=200, deadline=None)
@given(st.integers(100, 999), st.text(max_size=40), st.text(max_size=40))
def test_every_status_has_one_meaning(status: int, retry_after: str, location: str) -> None:
    outcome = judge(status, who="cases", retry_after=retry_after, location=location, now=NOW)
    if 200 <= status <= 299:
        assert isinstance(outcome, Delivered)
    elif status >= 500 or status in (408, 409, 421, 423, 425, 429):
        assert isinstance(outcome, Retry)
    else:
        assert isinstance(outcome, Refused)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://user:pw@evil.test:8443/path?token=x", "https://evil.test:8443"),
        ("//evil.test/x", "evil.test"),
        ("/elsewhere?token=x", "another path"),
        ("javascript:alert(1)", "another path"),
    ],
)
def test_a_redirect_is_shown_without_what_may_be_secret(location: str, shown: str) -> None:
    assert where(location) == shown


def test_an_unregistered_status_is_its_number() -> None:
    assert phrase(599) == "599"
    assert phrase(503) == "503 Service Unavailable"


def test_an_excerpt_is_short_printable_and_without_our_secrets() -> None:
    assert read_excerpt(b"") is None
    assert read_excerpt(b"\xff\x00\x1b[0m key=hidden", ("hidden",)) == "\ufffd\ufffd\ufffd[0m key=***"
    long = read_excerpt(b"x" * 5000)
    assert long is not None
    assert len(long) == 1000
    assert clean("a\r\nb\u202ec") == "a\nb\ufffdc"
