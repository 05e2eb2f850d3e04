"""The catalog of event types is the SDK's, and is only knowledge: never a gate."""

import typing

import stripe
from stripe.events import _event_classes

from engine.model.catalog import catalog
from engine.model.event import Payload


def test_every_type_the_sdk_knows_is_in_the_catalog_and_no_other() -> None:
    """The committed table is of the SDK that is pinned: after an upgrade this says what is new."""
    snapshot = set(typing.get_args(stripe.Event.__annotations__["type"]))
    thin = set(_event_classes._V2_EVENT_NOTIFICATION_CLASS_LOOKUP)
    assert {name for name, info in catalog().items() if info.payload is Payload.SNAPSHOT} == snapshot
    assert {name for name, info in catalog().items() if info.payload is Payload.THIN} == thin


def test_a_snapshot_type_always_names_its_object() -> None:
    """Several possible ones are in the order of likelihood; thin events may carry none."""
    assert all(info.objects for info in catalog().values() if info.payload is Payload.SNAPSHOT)
    assert catalog()["account.external_account.updated"].objects == ("bank_account", "card")
    assert catalog()["v2.core.account_link.returned"].objects == ()


def test_a_thin_twin_knows_its_snapshot_name() -> None:
    """`v1.payout.failed` is `payout.failed`."""
    assert catalog()["v1.payout.failed"].base_type == "payout.failed"
    assert catalog()["v2.core.account.closed"].base_type == "v2.core.account.closed"


def test_the_catalog_is_read_once_and_cannot_be_changed() -> None:
    """It is shared by everything that asks."""
    assert catalog() is catalog()
    assert not hasattr(catalog(), "__setitem__")
