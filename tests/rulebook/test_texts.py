"""Texts are held to what the event's object has, as conditions are."""

import re

import pytest

from engine.render import survey
from tests.builders import event
from tests.rulebook.books import loaded, mistakes, rule

DISPUTE = "   (charge.dispute.created carries a dispute)"


def said(text: str, type_: str = "charge.dispute.created") -> list[str]:
    """What check says of a rule with this text."""
    given = f"rules:\n  - id: r\n    when: {type_}\n    then:\n      notify: risk\n      text: '{text}'\n"
    return [re.sub(r"^rules/a.yaml:6:13  warning", "", line) for line in mistakes(given)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ object.custmer }}", "dispute has no field 'custmer'; as of API 2026-10-28"),
        ("{{ object.amuont | default(0) }}", "dispute has no field 'amuont'; did you mean 'object.amount'?"),
        (
            "{% if object.evidence_details.due_bye %}x{% endif %}",
            "evidence_details of a dispute has no field 'due_bye'; did you mean 'object.evidence_details.due_by'?",
        ),
        ("{{ object.due_by }}", "dispute has no field 'due_by'; did you mean 'object.evidence_details.due_by'?"),
        (
            "{{ object.balance_transactions.net }}",
            "balance_transactions is a list, and has no field 'net'; "
            "write object.balance_transactions[0].net for the first of its elements",
        ),
    ],
)
def test_a_text_that_reads_what_is_not_there(text: str, says: str) -> None:
    (line,) = said(text)
    assert line.removeprefix("[unknown-field]  ").removesuffix(DISPUTE) == says


def test_a_text_that_reads_into_an_id() -> None:
    assert said("{{ object.charge.amount }}") == [
        "[only-an-id]  charge is the id of a charge, and has no fields; "
        "the event does not carry a charge; to have it read, write under when: fetch: [charge]"
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{{ object | money }} {{ object.reason }} {{ object.metadata.order }} {{ object["status"] }}',
        "{{ object.balance_transactions[0].net }} {{ object.balance_transactions | length }}",
        "{% for part in object.balance_transactions %}{{ part.nett }}{% endfor %}",
        '{% set object = {"a": 1} %}{{ object.a }}',
        "{{ object[rule.id] }} {{ object.metadata[rule.id].x }}",
        "{{ previous.status }} {{ account.name }} {{ steps }}",
    ],
)
def test_what_a_text_may_read(text: str) -> None:
    assert [line for line in said(text) if "unknown-field" in line] == []


@pytest.mark.parametrize(
    "text",
    [
        '{{ object.status.upper() }} {{ object.reason.split("_")[0] }} {{ object.charge.removeprefix("ch_") }}',
        '{{ object.metadata.get("order") }} {{ object.metadata.order.upper() }} {{ previous.status.upper() }}',
        '{% for name, value in object.evidence.items() %}{{ name }}{% endfor %} {{ object.get("status") }}',
        '{{ account.get("name") }} {{ account.name.upper() }} {{ event.get("type") }} {{ event.type.upper() }}',
        '{{ previous.items() }} {{ previous.get("status") }}',
    ],
)
def test_the_methods_that_a_text_may_call_are_no_fields(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ object.amount.upper() }}", "amount is an amount, and has no fields"),
        ("{{ object.status.keys() }}", "status is a text, and has no fields"),
        ("{{ object.status.encode() }}", "status is a text, and has no fields"),
        ("{{ object.status.upper }}", "status is a text, and has no fields"),
    ],
)
def test_a_method_that_there_is_not(text: str, says: str) -> None:
    """Only what the sandbox has of that kind of value may be called, and nothing of it read."""
    assert said(text) == [f"[unknown-field]  {says}"]


def test_a_misspelt_field_whose_method_is_called_is_told_once() -> None:
    (line,) = said("{{ object.staus.upper() }}")
    assert line.startswith("[unknown-field]  dispute has no field 'staus'; did you mean 'object.status'?")


def test_of_several_types_one_that_has_the_field_is_enough() -> None:
    assert said("{{ object.evidence_details.due_by }}", "[charge.failed, charge.dispute.created]") == []


def test_what_a_text_reads_is_what_is_written_out() -> None:
    assert survey("{{ object.a.b }} {{ object['c'][0].d }} {{ object.e[rule.id].f }} {{ previous.g }}").fields == {
        ("object", "a", "b"),
        ("object", "c", 0, "d"),
        ("object", "e"),
        ("previous", "g"),
    }
    assert survey("{{ object }} {{ account.id }} {{ object.").fields == frozenset()
    assert survey("{{ object.data[true].id }} {{ object.data[1].id }}").fields == {
        ("object", "data"),
        ("object", "data", 1, "id"),
    }


def test_a_place_that_is_no_number_is_no_place() -> None:
    """`true` is not the second element, and `check` goes on."""
    assert said("{{ object.balance_transactions[true].id }}") == []


@pytest.mark.parametrize(
    ("type_", "text", "says"),
    [
        ("payout.failed", "{{ object.created | money }}", "'money' writes amounts, and object.created is a time"),
        ("payout.failed", "{{ object.amount | date }}", "'date' writes times, and object.amount is an amount"),
        ("payout.failed", "{{ object.status | default(0) | ago }}", "'ago' writes times, and object.status is a text"),
        (
            "charge.dispute.created",
            "{{ object.evidence_details | money }}",
            "'money' finds no amount in object.evidence_details; write which one, like object.amount_paid | money",
        ),
        (
            "account.updated",
            "{{ object | money }}",
            "'money' finds no amount in object; write which one, like object.amount_paid | money",
        ),
        (
            "balance.available",
            "{{ object.available[0].amount | money }}",
            "'money' cannot tell the currency of object.available[0].amount: the object has none; "
            "write it, like money('usd')",
        ),
    ],
)
def test_a_filter_that_can_do_nothing_with_a_field(type_: str, text: str, says: str) -> None:
    lines = [line for line in said(text, type_) if "[other-accounts]" not in line]
    assert [line.removeprefix("[field-type]  ") for line in lines if "[field-type]" in line] == [says]


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("payout.failed", "{{ object | money }} {{ object.amount | money }} {{ object.arrival_date | date }}"),
        ("payout.failed", "{{ object.created | ago(now=event.created) }} {{ object.metadata.fee | money }}"),
        ("balance.available", "{{ object.available[0].amount | money(object.available[0].currency) }}"),
        ("charge.*", "{{ object.evidence_details.due_by | date }} {{ object | money }}"),
        ("v2.money_management.outbound_payment.created", "{{ object | money }} {{ object.created | date }}"),
    ],
)
def test_a_filter_that_suits_its_field(type_: str, text: str) -> None:
    assert [line for line in said(text, type_) if "[field-type]" in line] == []


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("{{ object.id }}", True),
        ("{{ event.data.object.id }}", True),
        ("{{ incident.first.object.amount | money }}", True),
        ("{{ incident.first['object'] }}", True),
        ("{{ digest.totals }}", True),
        ("{{ digest.groups[0].name }}", True),
        ("{% for item in digest.items %}{{ item.object.id }}{% endfor %}", True),
        ("{% for object in digest.items %}{{ object.when }}{% endfor %}", False),
        ("{{ digest.items | map(attribute='object.id') | join(', ') }}", True),
        ("{{ digest.items | map('object') }}", True),
        ("{{ digest.items | map(attribute='when') | join('object') }}", True),  # once too often does no harm
        ("{{ event.object }} {{ event.related_object.id }}", False),
        ("{{ incident.first.type }} {{ incident.count }} {{ digest.count }} {{ digest.what }}", False),
    ],
)
def test_texts_ask_for_the_object_of_each_event_that_they_are_told_of(text: str, asks: bool) -> None:
    """For thin events it has to be read."""
    assert survey(text).reads_object is asks


def test_rules_of_thin_events_have_read_what_is_told_of_them_later() -> None:
    """Also where that is not the event of the message."""
    for more, told in (
        ("digest: {every: day}", "{{ digest.totals }}"),
        ("incident: {resolve_after: 2h}", "{{ incident.first.object.id }}"),
    ):
        found = loaded(rule(then=f"{{notify: risk, text: '{told}'}}", more=more))
        assert not found.mistakes
        came = event("v1.payout.failed", related_object={"id": "po_1", "type": "payout", "url": "/v1/payouts/po_1"})
        assert found.rulebook.wants(came) == ("object",)
