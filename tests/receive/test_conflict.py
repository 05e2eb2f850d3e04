"""A contradiction between an endpoint and its events is told in words that say what to write instead."""

from typing import Any

import pytest

from engine.model.event import Scope
from tests.builders import endpoint, event

V2 = "v2.core.account.closed"
PLATFORM, CONNECTED = endpoint(name="own", scope=Scope.PLATFORM), endpoint(name="connect", scope=Scope.CONNECTED)
ORGANIZATION = endpoint(name="org", scope=Scope.ORGANIZATION)


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("payout.failed", {"endpoint": PLATFORM, "account": None}),
        ("payout.failed", {"endpoint": PLATFORM, "account": None, "context": "acct_platform"}),
        ("payout.failed", {"endpoint": CONNECTED}),
        ("payout.failed", {"endpoint": ORGANIZATION, "account": None, "context": "acct_1"}),
        ("payout.failed", {"endpoint": endpoint()}),
        ("payout.failed", {"endpoint": endpoint(livemode=True)}),
        ("payout.failed", {"endpoint": endpoint(livemode=False), "livemode": False}),
        (V2, {"endpoint": PLATFORM}),
        (V2, {"endpoint": CONNECTED, "context": "acct_1"}),
        (V2, {"endpoint": ORGANIZATION, "context": "acct_1/acct_2"}),
        ("v2.core.event_destination.ping", {"endpoint": PLATFORM}),
        ("v2.core.event_destination.ping", {"endpoint": CONNECTED}),
        ("v2.core.event_destination.ping", {"endpoint": ORGANIZATION}),
    ],
)
def test_what_fits_is_no_conflict(type_: str, fields: dict[str, Any]) -> None:
    assert event(type_, **fields).conflict is None


@pytest.mark.parametrize(
    ("type_", "fields", "words"),
    [
        ("payout.failed", {"endpoint": PLATFORM}, ["Endpoint own", "account acct_1", "Write scope: connected"]),
        (V2, {"endpoint": PLATFORM, "context": "acct_2"}, ["Endpoint own", "context acct_2", "Write scope: connected"]),
        ("payout.failed", {"endpoint": CONNECTED, "account": None}, ["no account", "Write scope: platform"]),
        (V2, {"endpoint": CONNECTED}, ["no context", "v2.core.account", "Write scope: platform"]),
        ("payout.failed", {"endpoint": ORGANIZATION, "account": None}, ["no context", "scope: platform or"]),
        (
            "payout.failed",
            {"endpoint": endpoint(livemode=True), "livemode": False},
            ["livemode: true", "test event", "write livemode: any"],
        ),
        ("payout.failed", {"endpoint": endpoint(livemode=False)}, ["livemode: false", "live event", "livemode: true"]),
        (
            "payout.failed",
            {"endpoint": endpoint(scope=Scope.PLATFORM, livemode=False)},
            ["scope: platform", "livemode: false"],
        ),
    ],
)
def test_what_does_not_fit_says_what_to_write(type_: str, fields: dict[str, Any], words: list[str]) -> None:
    conflict = event(type_, **fields).conflict
    assert conflict is not None
    assert [word for word in words if word not in conflict] == []
