"""What check says of rules that can be read but hardly be meant."""

import re

import pytest

from engine.model.catalog import catalog
from engine.model.event import Json
from engine.samples import sample
from tests.rulebook.books import mistakes


def lint(where: str, type_: str = "charge.dispute.created") -> list[str]:
    """The warnings of a rule with these conditions, without their places."""
    text = f"rules:\n  - id: r\n    when:\n      type: {type_}\n      where: {where}\n    then: {{notify: risk}}\n"
    return [re.sub(r"^rules/a.yaml:\d+:\d+  warning", "", line) for line in mistakes(text)]


DISPUTE = "   (charge.dispute.created carries a dispute)"
FIELDS = [
    # a misspelt name, at the top, below it, and one that is elsewhere
    ("{amuont: 5}", f"[unknown-field]  dispute has no field 'amuont'; did you mean 'amount'?{DISPUTE}"),
    (
        "{evidence_details.due_bye: {exists: true}}",
        "[unknown-field]  evidence_details of a dispute has no field 'due_bye'; "
        f"did you mean 'evidence_details.due_by'?{DISPUTE}",
    ),
    (
        "{due_by: {exists: true}}",
        f"[unknown-field]  dispute has no field 'due_by'; did you mean 'evidence_details.due_by'?{DISPUTE}",
    ),
    ("{zzzzzz: 5}", f"[unknown-field]  dispute has no field 'zzzzzz'; as of API 2026-10-28{DISPUTE}"),
    # written from the root, or as another value
    ("{$.data.object.amuont: 5}", "[unknown-field]  dispute has no field 'amuont'; did you mean 'amount'?"),
    ("{$event.livemod: true}", "[unknown-field]  an event has no field 'livemod'; did you mean 'livemode'?"),
    ("{reason: $previous.raeson}", "[unknown-field]  dispute has no field 'raeson'; did you mean 'reason'?"),
    # what is no map
    ("{reason.code: x}", "[unknown-field]  reason is a text, and has no fields"),
    (
        "{balance_transactions.net: 0}",
        "[unknown-field]  balance_transactions is a list, and has no field 'net'; "
        "write balance_transactions[*].net for any of its elements",
    ),
    (
        "{metadata.team.name: x}",
        "[unknown-field]  metadata.team is a text, and has no fields; for a key with dots write metadata['team.name']",
    ),
    ("{'reason[0]': x}", "[unknown-field]  reason is a text, and no list"),
    # an id is not its object
    (
        "{charge.amount: 0}",
        "[only-an-id]  charge is the id of a charge, and has no fields; "
        "the event does not carry a charge; to have it read, write under when: fetch: [charge]",
    ),
]


@pytest.mark.parametrize(("where", "says"), FIELDS)
def test_a_path_that_leads_nowhere(where: str, says: str) -> None:
    assert lint(where) == [says]


def test_a_field_of_an_element_is_looked_up_in_the_list() -> None:
    assert lint("{lines.data: {any_item: {amonut: 0}}}", "invoice.paid") == [
        "[unknown-field]  an element of lines.data has no field 'amonut'; did you mean 'amount'?"
    ]
    assert lint("{'lines[*].amount': 0}", "invoice.paid") == [
        "[unknown-field]  lines is a map, and no list; write lines.data[*].amount"
    ]


def test_brackets_with_filters_slices_and_names_are_looked_through() -> None:
    assert lint("{'lines.data[?@.amount > 5].amonut': 0}", "invoice.paid") == [
        "[unknown-field]  lines.data[..] of an invoice has no field 'amonut'; "
        "did you mean 'lines.data[?@.amount > 5].amount'?   (invoice.paid carries an invoice)"
    ]
    assert lint("{'$.data.object.lines[?@.amount > 5].quantity': 0}", "invoice.paid") == [
        "[unknown-field]  $.data.object.lines is a map, and no list; "
        "write $.data.object.lines.data[?@.amount > 5].quantity"
    ]
    assert lint("{\"lines.data['a','b']\": 0}", "invoice.paid") == [
        "[unknown-field]  lines.data is a list, and has none of these fields"
    ]
    assert lint("{'lines.data[:2].quantity': 0, '$.data.object..anything': 1}", "invoice.paid") == []


def test_of_several_types_one_that_has_the_field_is_enough() -> None:
    assert lint("{evidence_details.due_by: {exists: true}}", "[charge.failed, charge.dispute.created]") == []
    assert lint("{evidence_details.due_by: {exists: true}}", "charge.*") == []
    assert lint("{duew_by: 0}", "'charge.*'") == [
        "[unknown-field]  charge, dispute and refund have no field 'duew_by'; as of API 2026-10-28   "
        "(these events carry a charge or a dispute or a refund)"
    ]


def test_nothing_is_missing_from_what_is_not_known() -> None:
    """Of a type that Stripe is not known to send, or one whose events carry no object."""
    (only,) = lint("{amuont: 0}", "charge.sparkled")
    assert only.startswith("[unknown-type]")
    assert lint("{amuont: 0}", "v2.core.account_link.returned") == []


def test_a_thin_event_is_about_the_object_of_its_snapshot_twin() -> None:
    (only,) = lint("{failure_cod: x}", "v1.payout.failed")
    assert "payout has no field 'failure_cod'; did you mean 'failure_code'?" in only
    (only,) = lint("{requirements.entrys: {exists: true}}", '"v2.core.account[requirements].updated"')
    assert "did you mean 'requirements.entries'?" in only


VALUES = [
    # values that Stripe does not use there
    (
        "{status: needs_respons}",
        "[enum-value]  status is not known to be 'needs_respons'; did you mean 'needs_response'?",
    ),
    ("{status: {not: [won, lsot]}}", "[enum-value]  status is not known to be 'lsot'; did you mean 'lost'?"),
    ("{reason: fradulent}", "[enum-value]  reason is not known to be 'fradulent'; did you mean 'fraudulent'?"),
    ("{currency: USD}", "[enum-value]  Stripe writes currencies in lower case, never 'USD'; write usd"),
    # another type
    (
        "{is_charge_refundable: 'true'}",
        "[field-type]  is_charge_refundable is true or false, never the text 'true'; write true without quotes",
    ),
    (
        "{is_charge_refundable: 1}",
        "[field-type]  is_charge_refundable is true or false, never the number 1; write true or false",
    ),
    ("{metadata.vip: true}", '[field-type]  metadata.vip is a text, never true; write "true"'),
    ("{metadata.order: 5}", '[field-type]  metadata.order is a text, never the number 5; write "5"'),
    ("{amount: '500'}", "[field-type]  amount is an amount, never the text '500'; write 500 without quotes"),
    (
        "{evidence_details: x}",
        "[field-type]  evidence_details is a map, never the text 'x'; name a field in it, like evidence_details.due_by",
    ),
    ("{reason: {gt: 5}}", "[field-type]  'gt' compares numbers, money and times, and reason is a text"),
    (
        "{amount: {gt: 2026-01-31T09:00:00Z}}",
        "[field-type]  amount is an amount, and this is a time; write money, like 500 USD",
    ),
    ("{amount: {prefix: '5'}}", "[field-type]  'prefix' looks at text, and amount is an amount"),
    ("{amount: {length: 5}}", "[field-type]  only texts and lists have a length, and amount is an amount"),
    ("{amount: {contains: '5'}}", "[field-type]  'contains' looks into texts and lists, and amount is an amount"),
    ("{livemode: {older_than: 3d}}", "[field-type]  'older_than' looks at times, and livemode is true or false"),
    (
        "{evidence: {any_item: {amount: 0}}}",
        "[field-type]  'any_item' looks at the elements of a list, and evidence is a map",
    ),
    # money where there is none
    (
        "{evidence_details.submission_count: {gte: 5 USD}}",
        "[money]  evidence_details.submission_count is a number, and no amount of money",
    ),
    (
        "{created: {lt: 5 USD}}",
        "[money]  created is a time, and no amount of money; write a time like 2026-01-31T09:00:00Z",
    ),
]


@pytest.mark.parametrize(("where", "says"), VALUES)
def test_a_test_that_cannot_hold_of_its_field(where: str, says: str) -> None:
    assert lint(where) == [says]


def test_what_changed_is_looked_up_too() -> None:
    own = "id: $account.id"
    assert lint(f"{{{own}, charges_enabled: {{changed: {{to: 'false'}}}}}}", "account.updated") == [
        "[field-type]  charges_enabled is true or false, never the text 'false'; write false without quotes"
    ]
    assert lint(f"{{{own}, capabilities.card_payments: {{changed: {{from: activ}}}}}}", "account.updated") == [
        "[enum-value]  capabilities.card_payments is not known to be 'activ'; did you mean 'active'?"
    ]
    assert lint(f"{{{own}, requirements.past_due: {{changed: {{added: 5}}}}}}", "account.updated") == [
        '[field-type]  an element of requirements.past_due is a text, never the number 5; write "5"'
    ]


def test_elements_of_a_list_of_stripe_are_under_data() -> None:
    assert lint("{lines: {any_item: {amount: 0}}}", "invoice.paid") == [
        "[field-type]  'any_item' looks at the elements of a list, and lines is a map; write lines.data"
    ]


def test_a_time_in_api_v2_is_text() -> None:
    assert lint("{created: {gt: 500}}", "v2.core.account.updated") == [
        "[field-type]  created is a time written as text, never a number; write a time like 2026-01-31T09:00:00Z"
    ]


RIGHT = [
    ("v2.core.account_link.returned", "{$.data.account_id: acct_1, $event.reason.request.id: {exists: true}}"),
    ("v2.core.account.updated", "{$.related_object.type: v2.core.account, $.snapshot_event: {exists: false}}"),
    ("charge.dispute.created", "{created: {gt: 1700000000}, evidence_details.due_by: {older_than: 3d}}"),
    (
        "charge.dispute.created",
        "{reason: something_new, charge: {prefix: ch_}, metadata.any: {exists: true}, \"metadata['a.b']\": x}",
    ),
    ("charge.dispute.created", "{status: {ignore_case: true, eq: WON}, evidence.shipping_date: {lt: 2026-01-01}}"),
    ("charge.dispute.created", "{balance_transactions: {length: {gte: 1}}, evidence: {exists: true}}"),
    ("charge.dispute.created", "{amount: {gte: 5 USD}, '$.request.id': {exists: false}, '$.account': acct_1}"),
    ("invoice.paid", "{'lines.data[*].amount': {gte: 50 EUR}, lines.data: {any_item: {amount: {gte: 5 EUR}}}}"),
    ("balance.available", "{'available[*].amount': {lt: 0 USD}, 'available[*].source_types.card': {lt: 0 USD}}"),
    ("v2.money_management.outbound_payment.created", "{amount: {gte: 500 USD}, amount.value: {gte: 500 USD}}"),
    ("account.updated", "{id: $account.id, requirements.currently_due: {contains: external_account}}"),
    ("account.external_account.updated", "{fingerprint: {exists: true}, exp_year: {lt: 2030}, routing_number: '1'}"),
]


@pytest.mark.parametrize(("type_", "where"), RIGHT)
def test_what_may_be_meant_is_left_alone(type_: str, where: str) -> None:
    assert lint(where, type_) == []


def leaves(value: Json, before: str = "") -> dict[str, Json]:
    """Every plain value in an object, by the path that a rule would write."""
    found: dict[str, Json] = {}
    for name, each in value.items():
        path = f"{before}{name}"
        if isinstance(each, dict):
            found |= leaves(each, f"{path}.")
        elif isinstance(each, list):
            inner = [leaves(item, f"{path}[*].") if isinstance(item, dict) else {path: item} for item in each]
            found |= {key: item for part in inner for key, item in part.items()}
        elif each not in (None, ""):
            found[path] = each
    return found


@pytest.mark.parametrize("type_", [name for name in catalog() if not name.startswith(("v1.", "v2."))])
def test_nothing_in_a_sample_is_doubted(type_: str) -> None:
    """Samples are written by hand, so each holds the other; what an update changes in them is always metadata."""
    import json

    root = sample(type_, account="acct_1", livemode=True, created=1_700_000_000, id="evt_1", set={})
    where = json.dumps({path: value for path, value in leaves(root["data"]["object"]).items() if " " not in path})
    assert [line for line in lint(where, type_) if "has no field 'metadata'" not in line] == []
