"""The words of the reports: moments, spans, what became of a delivery, masked secrets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.cli.fates import aim, fate
from engine.cli.help import ending, plural
from engine.cli.masking import masked
from engine.cli.report import full_moment, moment, span
from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import Verb

NOW = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
DELIVERY = Delivery(
    id="dlv_1",
    firing="fir_1",
    event="evt_1",
    rule="payout-failed",
    revision="r",
    step="notify-1",
    verb=Verb.NOTIFY,
    destination="risk",
    account="acct_1",
    livemode=True,
    created=NOW,
)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (NOW - timedelta(minutes=2), "14:00:11"),
        (NOW - timedelta(days=2), "11-21 14:02"),
        (NOW - timedelta(days=400), "2025-10-19"),
        (NOW.astimezone(tz=None), "14:02:11"),
        (None, ""),
    ],
)
def test_a_moment_is_as_short_as_its_distance_allows_and_in_utc(when: datetime | None, said: str) -> None:
    assert moment(when, NOW) == said


def test_a_full_moment_says_its_zone() -> None:
    assert full_moment(NOW) == "2026-11-23 14:02:11Z"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0123, "12 ms"), (4.25, "4.2 s"), (5, "5 s"), (190, "3 min"), (7500, "2 h 5 min"), (-90000, "1 d 1 h")],
)
def test_a_span_is_about_right(seconds: float, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (replace(DELIVERY, status=DeliveryStatus.DELIVERED, finished=NOW), "sent 14:02:11"),
        (replace(DELIVERY, next_attempt=NOW), "due now"),
        (replace(DELIVERY, next_attempt=NOW + timedelta(minutes=5)), "due 14:07:11"),
        (
            replace(DELIVERY, attempts=1, reason="503", next_attempt=NOW + timedelta(minutes=5)),
            "failed (503), retry 14:07:11",
        ),
        (replace(DELIVERY, status=DeliveryStatus.WAITING, needs=("charge",)), "waits for charge"),
        (replace(DELIVERY, status=DeliveryStatus.DEAD, reason="410 Gone"), "dead: 410 Gone"),
        (replace(DELIVERY, status=DeliveryStatus.SKIPPED), "skipped"),
    ],
)
def test_the_fate_of_a_delivery_says_how_it_stands_and_what_comes_next(delivery: Delivery, said: str) -> None:
    assert fate(delivery, NOW) == said
    assert aim(delivery) == "notify risk"


def test_secrets_are_masked_by_name_and_by_look_and_nothing_else_is() -> None:
    request = {
        "url": "https://user:pass@hooks.example.com/x?y=1",
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "k", "Content-Type": "application/json"},
        "body": {
            "note": "sk_live_abcdef",
            "token_count": 3,
            "channel": "slack://T0/B0/secretpart",
            "list": ["Basic eA=="],
        },
    }
    shown = masked(request)
    text = str(shown)
    for secret in ("pass@", "abc", "eA==", "secretpart", "abcdef"):
        assert secret not in text
    assert shown["headers"]["Content-Type"] == "application/json"
    assert shown["body"]["token_count"] == 3
    assert "hooks.example.com/x?y=1" in shown["url"]


@pytest.mark.parametrize(("count", "said"), [(0, "0 deliveries"), (1, "1 delivery"), (1200, "1,200 deliveries")])
def test_counts_have_their_plural(count: int, said: str) -> None:
    assert plural(count, "delivery") == said


def test_the_end_of_help_keeps_its_lines() -> None:
    assert ending("tocsin a", _0="fine", _1="not") == "\b\nExample:\n  tocsin a\n\n\b\nExit codes:\n  0  fine\n  1  not"
