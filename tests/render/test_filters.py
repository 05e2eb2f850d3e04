"""The filters of texts."""

from datetime import timedelta
from typing import Any

import pytest

from engine.errors import TemplateError
from engine.render import render_text
from tests.render.scenes import NOW, scene_with


def shown(expression: str, object: Any = None, **names: Any) -> str:  # noqa: A002 (the name in texts)
    """What a text shows for an expression."""
    return render_text("{{ " + expression + " }}", scene_with(object, **names))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("object | money", "€420.00"),
        ("object.amount | money", "€420.00"),
        ("1250 | money('usd')", "$12.50"),
        ("75000 | money('jpy')", "¥75,000"),
        ("5120 | money('kwd')", "5.120 KWD"),
        ("'1250' | money('usd')", "$12.50"),
        ("{'amount_due': 5, 'currency': 'usd'} | money", "$0.05"),
        ("{'value': 1250, 'currency': 'usd'} | money", "$12.50"),
        ("{'amount': {'value': 1250, 'currency': 'gbp'}} | money", "£12.50"),
        ("none | money | default('nothing')", "nothing"),
    ],
)
def test_money_takes_an_object_or_an_amount(expression: str, text: str) -> None:
    """The currency is the amount's own, else the object's."""
    assert shown(expression) == text


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{'id': 1} | money", "the object has no amount"),
        ("true | money('usd')", "an amount is a number of minor units"),
        ("'abc' | money('usd')", "an amount is a number of minor units"),
        ("[1] | money('usd')", "an amount is a number of minor units"),
    ],
)
def test_money_says_what_it_needs(expression: str, message: str) -> None:
    """Rather than show a wrong amount."""
    with pytest.raises(TemplateError, match=message):
        shown(expression)


def test_money_without_a_currency_is_refused() -> None:
    """An amount in no currency is not an amount."""
    with pytest.raises(TemplateError, match="the currency is not known"):
        shown("5 | money", {"id": "x"})


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1795442520 | date", "23 Nov 2026 14:02 UTC"),
        ("'2026-11-23T14:02:11.435Z' | date", "23 Nov 2026 14:02 UTC"),
        ("'2026-11-23T15:02:11+01:00' | date", "23 Nov 2026 14:02 UTC"),
        ("1795442520 | date('date')", "23 Nov 2026"),
        ("1795442520 | date('iso')", "2026-11-23T14:02:00+00:00"),
        ("1795442520 | date('%d/%m %H:%M')", "23/11 14:02"),
        ("1795442520 | date('time', timezone='Europe/Berlin')", "15:02 CET"),
        ("now | date", "23 Nov 2026 14:00 UTC"),
    ],
)
def test_dates_are_epoch_seconds_or_iso(expression: str, text: str) -> None:
    """As v1 and v2 send them, in the time zone asked for."""
    assert shown(expression) == text


@pytest.mark.parametrize("expression", ["'soon' | date", "true | date", "1e300 | date", "10**30 | date", "[1] | date"])
def test_what_is_no_time_is_refused(expression: str) -> None:
    """An alert with a wrong date is worse than an error."""
    with pytest.raises(TemplateError):
        shown(expression)


def test_an_unknown_timezone_is_named_as_the_mistake() -> None:
    """And says what one looks like."""
    with pytest.raises(TemplateError, match="Europe/Paris"):
        shown("1 | date(timezone='Mars/Base')")
    with pytest.raises(TemplateError, match="no such timezone"):
        shown("1 | date(timezone='../../etc/passwd')")


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(seconds=30), "now"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(hours=-3, minutes=-5), "3 hours ago"),
        (timedelta(hours=47), "in 47 hours"),
        (timedelta(days=7, seconds=-5), "in 6 days"),
        (timedelta(days=-40), "40 days ago"),
        (timedelta(days=100), "in 3 months"),
        (timedelta(days=-1200), "3 years ago"),
    ],
)
def test_ago_looks_both_ways_and_never_promises_more_time(ahead: timedelta, text: str) -> None:
    """Parts of a unit are left out."""
    assert shown("object.at | ago", {"at": (NOW + ahead).timestamp()}) == text


def test_ago_can_be_seen_from_another_time() -> None:
    """For example from when the event was created."""
    assert shown("object.at | ago(now=object.then)", {"at": 7200, "then": 0}) == "in 2 hours"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0.0312 | percent", "3.1%"),
        ("0.5 | percent", "50%"),
        ("1 | percent", "100%"),
        ("0.12346 | percent(2)", "12.35%"),
        ("3 | percent(of=8)", "37.5%"),
        ("-0.05 | percent", "-5%"),
    ],
)
def test_percent_is_of_a_ratio(expression: str, text: str) -> None:
    """Or of a part and a whole."""
    assert shown(expression) == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'acct_1SCdDNV2mmlIWFr1' | mask", "acct_…WFr1"),
        ("'kai.brandt@customer.example' | mask", "k…@customer.example"),
        ("'4242 4242 4242 4242' | mask", "…4242"),
        ("'4242424242424242' | mask", "…4242"),
        ("'DE89370400440532013000' | mask", "…3000"),
        ("'secret' | mask", "…"),
        ("'' | mask", "…"),
        ("12345678901 | mask", "…8901"),
    ],
)
def test_mask_leaves_enough_to_recognize(expression: str, text: str) -> None:
    """And not enough to use; what is short is hidden whole."""
    assert shown(expression) == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'The bank account has been closed' | truncate(20)", "The bank account…"),
        ("'short' | truncate(20)", "short"),
        ("'aaaaaaaaaaaaaaaaaaaaaaaa' | truncate(5)", "aaaa…"),
        ("['a', none, 'b', 1, true] | join", "a, b, 1, true"),
        ("['a', 'b'] | join(' / ')", "a / b"),
        ("'abc' | join", "abc"),
        ("[{'n': 1}, {'n': 2}, {}] | join(attribute='n')", "1, 2"),
        ("{'b': [1, none], 'ä': true} | json", '{"b": [1, null], "ä": true}'),
        ("{'a': 1} | json(2)", '{\n  "a": 1\n}'),
        ("'insufficient_funds' | words", "insufficient funds"),
        ("'individual.verification.document' | words", "individual: verification document"),
        ("'requirements.past_due' | words", "requirements past due"),
        ("'person_1A_b.first_name' | words", "person person_1A_b: first name"),
        ("['external_account', 'company.tax_id'] | words | join", "external account, company: tax id"),
        ("'a-b' | replace('-', '+')", "a+b"),
        ("2.675 | round(1)", "2.7"),
        ("[3, 1, 2] | sort | first", "1"),
        ("object.list | selectattr('amount', 'lt', 0) | map(attribute='currency') | join", "eur"),
    ],
)
def test_texts_lists_and_codes(expression: str, text: str) -> None:
    """What people reach for when they write an alert."""
    listed = {"list": [{"amount": 1, "currency": "usd"}, {"amount": -1, "currency": "eur"}]}
    assert shown(expression, listed) == text


@pytest.mark.parametrize(
    ("expression", "url"),
    [
        ("object", "acct_1/payments/ch_1"),
        ("'po_1Abc'", "acct_1/payouts/po_1Abc"),
        ("'du_1'", "acct_1/disputes/du_1"),
        ("'re_1'", "acct_1/refunds/re_1"),
        ("'cus_1'", "acct_1/customers/cus_1"),
        ("'in_1'", "acct_1/invoices/in_1"),
        ("'sub_1'", "acct_1/subscriptions/sub_1"),
        ("'sub_sched_1'", "acct_1/subscription_schedules/sub_sched_1"),
        ("'tr_1'", "acct_1/connect/transfers/tr_1"),
        ("'evt_1'", "acct_1/events/evt_1"),
        ("event", "acct_1/events/evt_1"),
        ("'acct_9'", "connect/accounts/acct_9"),
        ("account", "connect/accounts/acct_1"),
        ("{'object': 'person', 'id': 'person_1', 'account': 'acct_7'}", "connect/accounts/acct_7"),
        ("{'object': 'capability', 'id': 'card_payments', 'account': 'acct_7'}", "connect/accounts/acct_7"),
        ("{'object': 'radar.early_fraud_warning', 'id': 'issfr_1', 'charge': 'ch_3'}", "acct_1/payments/ch_3"),
        ("{'object': 'balance'}", "acct_1/balance/overview"),
        ("'fee_1'", "acct_1/search?query=fee_1"),
        ("'a/../b?c'", "acct_1/search?query=a%2F..%2Fb%3Fc"),
    ],
)
def test_dashboard_url_knows_the_page_the_account_and_the_mode(expression: str, url: str) -> None:
    """Of an object, an id, the event, the account; what has no page is found by search."""
    assert shown(f"{expression} | dashboard_url") == f"https://dashboard.stripe.com/{url}"


def test_dashboard_url_in_test_mode_on_the_platform_and_in_a_context() -> None:
    """`/test/` for test events; no account for the platform's own; the context's last account for thin events."""
    platform = {"id": "evt_1", "livemode": False, "account": None, "context": None}
    assert shown("'po_1' | dashboard_url", event=platform) == "https://dashboard.stripe.com/test/payouts/po_1"
    thin = {"id": "evt_1", "livemode": True, "account": None, "context": "acct_org/acct_2"}
    assert shown("'po_1' | dashboard_url", event=thin) == "https://dashboard.stripe.com/acct_2/payouts/po_1"
