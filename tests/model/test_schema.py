"""The table of objects is the SDK's, and each object is read when it is asked for."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files

import pytest

from engine.model.catalog import catalog
from engine.model.schema import Field, Kind, objects, paths_to, schema, versions
from scripts.stripe_objects import text


def at(name: str, *steps: str) -> Field:
    """The field at the end of names, through maps, lists and objects."""
    found = schema(name)
    for step in steps:
        assert found is not None
        while found.item is not None:
            found = found.item
        found = next(fields[step] for fields in found.within if step in fields)
    assert found is not None
    return found


def every(found: Field) -> Iterator[Field]:
    """A field and all that are below it in its own object."""
    yield found
    if found.item is not None:
        yield from every(found.item)
    for each in found.fields.values():
        yield from every(each)


def test_the_table_is_that_of_the_installed_sdk() -> None:
    """Made anew with `python -m scripts.stripe_objects > engine/model/objects.txt`."""
    assert (files("engine.model") / "objects.txt").read_text(encoding="utf-8") == text()


def test_every_line_of_the_table_is_read() -> None:
    lines = (files("engine.model") / "objects.txt").read_text(encoding="utf-8").splitlines()
    fields = [field for name in objects() for field in every(at(name))]
    read = sum(len(field.fields) for field in fields)
    assert read == sum(line.startswith(" ") for line in lines) > 8_000


def test_every_object_that_an_event_carries_is_known() -> None:
    carried = {name for info in catalog().values() for name in info.objects}
    assert {name for name in carried if schema(name) is None} == set()


def test_every_object_that_a_field_refers_to_is_known() -> None:
    referred = {name for each in objects() for field in every(at(each)) for name in field.of}
    assert {name for name in referred if schema(name) is None} == set()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("dispute amount", Kind.AMOUNT),
        ("dispute created", Kind.TIME),
        ("dispute evidence_details due_by", Kind.TIME),
        ("dispute evidence_details submission_count", Kind.INTEGER),
        ("dispute is_charge_refundable", Kind.BOOLEAN),
        ("dispute currency", Kind.TEXT),
        ("dispute charge", Kind.ID),
        ("dispute balance_transactions", Kind.LIST),
        ("dispute metadata", Kind.MAP),
        ("payout arrival_date", Kind.TIME),
        ("balance available amount", Kind.AMOUNT),
        ("account requirements currently_due", Kind.LIST),
        ("account requirements errors code", Kind.TEXT),
        ("invoice lines data amount", Kind.AMOUNT),
        ("charge outcome risk_score", Kind.INTEGER),
        ("v2.core.account created", Kind.TIMESTAMP),
        ("v2.money_management.outbound_payment amount value", Kind.AMOUNT),
        ("payment_intent hooks inputs tax calculation", Kind.TEXT),
        ("payment_intent id", Kind.TEXT),
        ("event data object", Kind.MAP),
    ],
)
def test_a_field_has_the_type_that_stripe_sends(path: str, kind: Kind) -> None:
    name, *steps = path.split()
    assert at(name, *steps).kind is kind


def test_values_are_those_the_sdk_lists_or_its_words_mention() -> None:
    assert at("dispute", "status").listed
    assert "needs_response" in at("dispute", "status").values
    assert not at("dispute", "reason").listed
    assert "fraudulent" in at("dispute", "reason").values
    assert at("payout", "status").values == ("paid", "pending", "in_transit", "canceled", "failed")
    assert at("charge", "description").values == ()


def test_a_long_list_of_values_stands_once_in_the_table() -> None:
    assert len(at("issuing.card", "spending_controls", "allowed_categories").item.values) > 200  # type: ignore[union-attr]


def test_an_id_says_of_what_and_leads_nowhere() -> None:
    charge = at("dispute", "charge")
    assert charge.of == ("charge",)
    assert charge.within == ()


def test_an_object_in_an_object_has_that_objects_fields() -> None:
    (fields,) = at("dispute", "balance_transactions").item.within  # type: ignore[union-attr]
    assert fields["fee_details"].kind is Kind.LIST


def test_an_unknown_object_is_none() -> None:
    assert schema("disput") is None
    assert schema("") is None


def test_a_field_that_is_further_down_is_found() -> None:
    fields = at("dispute").fields
    assert list(paths_to("due_by", fields)) == ["evidence_details.due_by"]
    assert list(paths_to("nowhere", fields)) == []


def test_the_table_says_what_it_is_of() -> None:
    sdk, api = versions()
    assert sdk.startswith("16.")
    assert len(api) == len("2026-10-28")


def test_reading_the_table_does_not_import_stripe() -> None:
    code = "import sys; from engine.model.schema import schema; schema('charge'); sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
