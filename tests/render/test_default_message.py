"""The default message: what happened, to whom, how much, why, by when; for every event there is."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.catalog import catalog
from engine.model.event import Event
from engine.model.rule import Rule, Severity
from engine.receive.normalize import normalize
from engine.render import Message, default_message, scene
from engine.samples import sample
from tests.builders import endpoint

CREATED = 1_790_000_000
NOW = datetime.fromtimestamp(CREATED + 5, UTC)
RULE = Rule(
    id="everything", when=(), steps=(), severity=Severity.HIGH, owner="finance", runbook="https://wiki.example/x"
)


def event_of(type_: str, **arguments: Any) -> Event:
    """A sample event, normalized; live unless said otherwise."""
    root = sample(type_, **{"id": "evt_1", "created": CREATED, "livemode": True, "account": "acct_1", **arguments})
    return normalize(orjson.dumps(root), endpoint(), NOW)


def message(type_: str, **arguments: Any) -> Message:
    """The default message of a sample."""
    return default_message(scene(event_of(type_, **arguments), RULE, now=NOW))


def test_every_known_type_has_a_readable_message() -> None:
    """A title in words with the account, a link, and the rule; no Python and no empty facts."""
    for name in catalog():
        made = message(name)
        assert "\n" not in made.title
        assert 10 < len(made.title) <= 200, name
        assert made.title.endswith(("acct_1", "Nordwind Coffee GmbH")), made.title
        assert not any(mark in made.title.removesuffix("acct_1") for mark in "_[]{}"), made.title
        assert "https://dashboard.stripe.com/" in made.text, name
        assert "Rule: everything (high) · owner: finance · runbook: https://wiki.example/x · event: evt_1" in made.text
        for line in made.text.splitlines():
            assert line.strip(), name
            assert not line.rstrip().endswith(":"), (name, line)
            assert not any(bad in line for bad in ("None", "True", "False", "{'", "Missing")), (name, line)


@pytest.mark.parametrize(
    ("type_", "title"),
    [
        ("payout.failed", "Payout of €4,200.50 failed · acct_1"),
        ("account.updated", "Payouts switched off · Nordwind Coffee GmbH"),
        ("account.external_account.updated", "Bank account cannot receive payouts · acct_1"),
        ("account.application.deauthorized", "Account disconnected from the platform · acct_1"),
        ("capability.updated", "Capability card payments is inactive · acct_1"),
        ("person.updated", "Person could not be verified · acct_1"),
        ("charge.dispute.created", "Dispute of €420.00 opened · acct_1"),
        ("charge.dispute.closed", "Dispute of €420.00 lost · acct_1"),
        ("payment_intent.payment_failed", "Payment of €420.00 failed · acct_1"),
        ("v1.payout.failed", "Payout failed · acct_1"),
        ("v2.core.account[requirements].updated", "Account requirements changed · acct_1"),
        ("issuing_authorization.created", "Issuing authorization created: €420.00 · acct_1"),
        ("brand.new_thing.happened", "Brand new thing happened · acct_1"),
    ],
)
def test_the_title_says_what_happened(type_: str, title: str) -> None:
    """To whoever reads nothing else."""
    assert message(type_).title == title


def test_a_test_event_says_so_first() -> None:
    """Nobody gets up for a test."""
    assert message("payout.failed", livemode=False).title.startswith("[TEST] Payout of")
    assert "/test/payouts/" in message("payout.failed", livemode=False).text


@pytest.mark.parametrize(
    ("type_", "line"),
    [
        ("payout.failed", "Reason: The bank account has been closed. (account_closed)"),
        (
            "payment_intent.payment_failed",
            "Reason: Your card has insufficient funds. (card_declined, insufficient_funds)",
        ),
        ("charge.dispute.created", "Evidence due: 28 Sep 2026 14:13 UTC (in 6 days)"),
        ("account.updated", "Changed: payouts_enabled: true → false"),
        ("account.updated", "Past due: individual: verification document"),
        ("account.external_account.updated", "Changed: status: verified → errored"),
        ("balance.available", "Available: €12,345.00, $800.00"),
        ("transfer.reversed", "Reversed: €180.00"),
        ("reserve.hold.created", "Released: 21 Oct 2026 14:13 UTC (in 29 days)"),
        ("v1.payout.failed", "Account: acct_1"),
    ],
)
def test_the_text_has_the_facts_that_matter(type_: str, line: str) -> None:
    """Reason, deadline, what changed, amounts."""
    assert line in message(type_).text.splitlines()


def test_a_closed_dispute_has_no_deadline() -> None:
    """A date that no longer matters would be read as one that does."""
    assert "Evidence due" not in message("charge.dispute.closed").text


def test_many_changes_are_counted_rather_than_listed() -> None:
    """A message is read, not studied."""
    changed = {f"field_{number}": number for number in range(30)}
    text = message("customer.updated", previous=changed, set=dict.fromkeys(changed, 99)).text
    assert text.count("Changed: ") == 6
    assert "… and 24 more" in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = (
    "id object amount currency status reason requirements available pending evidence_details verification outcome "
    "last_payment_error failure_code failure_message charge account destination arrival_date release_schedule "
    "payment_intent business_profile created percent number name email metadata customer"
)
objects = st.dictionaries(st.sampled_from(_FIELDS.split()) | st.text(max_size=8), json_values, max_size=10)


@settings(max_examples=150, deadline=None)
@given(
    type_=st.sampled_from(sorted(catalog())) | st.text(max_size=40),
    found=objects | json_values,
    previous=objects | st.none(),
    account=json_values,
)
def test_it_never_raises_whatever_the_event_carries(type_: str, found: Any, previous: Any, account: Any) -> None:
    """A message that fails to be written is an alert that nobody gets."""
    root = {
        "id": "evt_1",
        "object": "event",
        "type": type_ or "x",
        "created": CREATED,
        "livemode": True,
        "account": account,
        "data": {"object": found, "previous_attributes": previous},
    }
    event = normalize(json.dumps(root).encode(), endpoint(), NOW)
    made = default_message(scene(event, RULE, now=NOW))
    assert made.title.strip()
    assert "\n" not in made.title
    assert len(made.title) <= 200
    assert len(made.text) < 20_000


def test_it_says_something_of_a_report_without_an_event() -> None:
    """Tocsin's own reports have no event."""
    made = default_message(scene(None, RULE, now=NOW))
    assert made.title == "Event · the platform"
