"""A sample is what Stripe would send: it normalizes, keeps to the SDK's fields, and repeats for the same arguments."""

import importlib
import inspect
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from stripe._object_classes import OBJECT_CLASSES

from engine.model.catalog import catalog
from engine.model.event import Payload, Scope
from engine.receive.normalize import normalize
from engine.samples import known_types, parse_setting, sample
from engine.samples.others import OTHERS
from engine.samples.sample import BUILDERS
from tests.builders import endpoint

CREATED = 1_790_000_000
NOW = datetime.fromtimestamp(CREATED + 1, UTC)


@pytest.mark.parametrize("payload", Payload)
def test_every_known_type_has_a_sample_that_normalizes(payload: Payload) -> None:
    """Its type, payload kind, mode, time and object come out as they went in."""
    for name, info in catalog().items():
        if info.payload is not payload:
            continue
        root = sample(name, account="acct_1", created=CREATED, livemode=True)
        event = normalize(orjson.dumps(root), endpoint(), NOW)
        assert (event.type, event.payload, event.livemode) == (name, payload, True)
        assert int(event.created.timestamp()) == CREATED
        assert event.conflict is None
        if payload is Payload.SNAPSHOT:
            assert event.object_type in info.objects
            assert event.account == "acct_1"
        else:
            assert event.object is None
            assert ("related_object" in root) == bool(info.objects)


def test_the_same_arguments_give_the_same_event() -> None:
    """Everything but the id and the time follows from the id and the time."""
    for name in known_types():
        assert sample(name, id="evt_1", created=CREATED) == sample(name, id="evt_1", created=CREATED)
    assert sample("payout.failed", created=CREATED)["id"] != sample("payout.failed", created=CREATED)["id"]


def test_samples_share_nothing_that_can_be_changed() -> None:
    """A test that edits its event does not edit the next one's."""
    for name in known_types():
        first = sample(name, id="evt_1", created=CREATED)
        pristine = orjson.dumps(first)
        _scribble(first)
        assert orjson.dumps(sample(name, id="evt_1", created=CREATED)) == pristine


def _scribble(value: Any) -> None:
    if isinstance(value, dict):
        for child in value.values():
            _scribble(child)
        value["scribbled"] = True
    elif isinstance(value, list):
        for child in value:
            _scribble(child)
        value.append("scribbled")


def test_every_object_has_its_own_builder_or_its_row() -> None:
    """None falls through to the guess for unknown types."""
    kinds = {kind for info in catalog().values() if info.payload is Payload.SNAPSHOT for kind in info.objects}
    assert kinds - set(BUILDERS) - set(OTHERS) - {"account", "source"} == set()


# Fields that Stripe sends and the SDK's types leave out.
_NOT_TYPED = {"livemode", "created", "metadata", "deleted", "id"}


def test_samples_have_only_fields_that_the_sdk_knows() -> None:
    """A rule tested against a made-up field would pass here and never fire in production."""
    unknown = {}
    for name, info in catalog().items():
        if info.payload is not Payload.SNAPSHOT:
            continue
        found = sample(name, account="acct_1", id="evt_1", created=CREATED)["data"]["object"]
        module, class_name = OBJECT_CLASSES[found["object"]]
        wrong = _unknown(found, getattr(importlib.import_module(module), class_name))
        if wrong:
            unknown[name] = wrong
    assert unknown == {}


def _unknown(found: dict[str, Any], cls: type, path: str = "") -> list[str]:
    """Fields, also nested ones, that are not annotated in the SDK's class."""
    known = {key for base in cls.__mro__ for key in inspect.get_annotations(base)}
    wrong = [path + key for key in found if key not in known | _NOT_TYPED]
    inner = getattr(cls, "_inner_class_types", {})
    for key, value in found.items():
        if isinstance(value, dict) and key in inner:
            wrong += _unknown(value, inner[key], f"{path}{key}.")
    return wrong


def test_what_an_updated_event_says_has_changed_is_a_change() -> None:
    """Every `previous_attributes` names fields of the object, with another value."""
    for name in known_types():
        root = sample(name, account="acct_1", id="evt_1", created=CREATED)
        data = root.get("data", {})
        if not name.endswith(".updated") or not data:
            continue
        assert data["previous_attributes"], name
        _assert_changed(data["previous_attributes"], data["object"], name)


def _assert_changed(before: dict[str, Any], now: dict[str, Any], name: str) -> None:
    for key, old in before.items():
        if isinstance(old, dict):
            _assert_changed(old, now[key], name)
        else:
            assert now.get(key) != old, (name, key)


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        ("payout.failed", "failed"),
        ("payout.paid", "paid"),
        ("charge.failed", "failed"),
        ("refund.failed", "failed"),
        ("topup.failed", "failed"),
        ("charge.dispute.created", "needs_response"),
        ("setup_intent.succeeded", None),
        ("treasury.outbound_payment.failed", "failed"),
        ("quote.accepted", "accepted"),
    ],
)
def test_a_sample_is_in_the_state_its_type_names(type_: str, status: str | None) -> None:
    """`payout.failed` carries a failed payout, with its reason."""
    found = sample(type_, created=CREATED)["data"]["object"]
    assert found.get("status") == status
    if type_ in ("payout.failed", "charge.failed", "topup.failed"):
        assert found["failure_code"]
        assert found["failure_message"]


def test_the_account_is_where_stripe_puts_it() -> None:
    """`account` in a snapshot; `context` in a thin event, but not for the platform's own v2 accounts."""
    assert sample("payout.failed", account="acct_1")["account"] == "acct_1"
    assert "account" not in sample("payout.failed")
    assert sample("payout.failed", scope=Scope.CONNECTED)["account"].startswith("acct_")
    made_up = sample("account.updated")
    assert made_up["account"] == made_up["data"]["object"]["id"]
    own = sample("account.updated", account="acct_1")
    assert own["data"]["object"]["id"] == own["account"] == "acct_1"
    closed = sample("v2.core.account.closed", account="acct_1")
    assert (closed["context"], closed["related_object"]["id"]) == (None, "acct_1")
    assert sample("v1.payout.failed", account="acct_1")["context"] == "acct_1"
    assert sample("v1.payout.failed", account="acct_1", scope=Scope.ORGANIZATION)["context"].endswith("/acct_1")
    assert "account" not in sample("person.updated", scope=Scope.PLATFORM)


def test_the_twin_of_a_snapshot_names_it() -> None:
    """Both are one event to Tocsin, whichever comes first."""
    assert sample("v1.payout.failed", id="evt_1")["snapshot_event"].startswith("evt_")
    assert "snapshot_event" not in sample("v2.core.account.closed")


def test_values_are_set_at_paths_of_the_object_or_of_the_root() -> None:
    """Dots, list indexes, quoted names; what is missing on the way is made; `previous` replaces the sample's own."""
    root = sample(
        "account.updated",
        account="acct_1",
        set={
            "requirements.past_due": ["company.tax_id"],
            "external_accounts.data[0].last4": "0001",
            "metadata['order.id'].parts[0]": 7,
            "$.api_version": "2024-06-20",
        },
        previous={"payouts_enabled": True},
    )
    found = root["data"]["object"]
    assert found["requirements"]["past_due"] == ["company.tax_id"]
    assert found["external_accounts"]["data"][0]["last4"] == "0001"
    assert found["metadata"] == {"order.id": {"parts": [7]}}
    assert root["api_version"] == "2024-06-20"
    assert root["data"]["previous_attributes"] == {"payouts_enabled": True}


def test_a_thin_event_is_set_from_its_root_and_says_what_changed_in_changes() -> None:
    """It has no object to start from."""
    root = sample("v2.core.account.updated", set={"related_object.id": "acct_9"}, previous={"display_name": "Old"})
    assert root["related_object"]["id"] == "acct_9"
    assert root["changes"] == {"before": {"display_name": "Old"}}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("amount.value", "read from something that has no names"),
        ("metadata.list[3]", "the next one is \\[0\\]"),
        ("", "not a path"),
        ("a..b", "not a path"),
        ("[x]", "not a path"),
        (".a", "not a path"),
    ],
)
def test_a_path_that_does_not_fit_says_why(path: str, message: str) -> None:
    """`--set` is typed by hand."""
    with pytest.raises(ValueError, match=message):
        sample("payout.failed", set={path: 1})


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("amount=75000", ("amount", 75000)),
        ("currency=jpy", ("currency", "jpy")),
        ('zip="24103"', ("zip", "24103")),
        ("requirements.past_due=[]", ("requirements.past_due", [])),
        ("livemode=true", ("livemode", True)),
        ("description=a=b", ("description", "a=b")),
        ("description=", ("description", "")),
    ],
)
def test_a_setting_is_json_where_it_can_be(text: str, setting: tuple[str, object]) -> None:
    """Quotes make a text of what would be a number."""
    assert parse_setting(text) == setting


def test_a_setting_without_a_value_says_how_to_write_one() -> None:
    """`--set amount` sets nothing."""
    with pytest.raises(ValueError, match="write it like amount=75000"):
        parse_setting("amount")


def test_a_type_nobody_knows_gets_a_small_object() -> None:
    """Stripe adds types before any table has them."""
    root = sample("carbon.offset.retired", account="acct_1")
    assert root["data"]["object"]["object"] == "carbon.offset"
    assert sample("v2.carbon.offset.retired")["object"] == "v2.core.event"
