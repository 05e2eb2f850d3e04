"""Every shape Stripe sends, and many it does not, as one Event."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import MalformedEvent
from engine.model.event import Event, Payload, Scope, ScopeSource
from engine.receive.normalize import LONGEST, MalformedReason, normalize
from tests.builders import RECEIVED, endpoint, event, snapshot, snapshot_body, thin, thin_body

V2 = "v2.core.account[requirements].updated"


def of(root: object) -> Event:
    return normalize(json.dumps(root).encode(), endpoint(), RECEIVED)


def test_a_snapshot_event_has_every_field() -> None:
    body = snapshot_body(
        "payout.updated",
        id="evt_1",
        account="acct_9",
        context="acct_8",
        request={"id": "req_1", "idempotency_key": "key-1"},
        object={"id": "po_1", "status": "failed"},
        previous={"status": "pending"},
    )
    found = normalize(body, endpoint(name="main"), RECEIVED)
    assert (found.id, found.dedupe_key, found.type, found.base_type) == ("evt_1", "evt_1", *["payout.updated"] * 2)
    assert (found.payload, found.scope, found.scope_source) == ("snapshot", "connected", "inferred")
    assert (found.account, found.raw_account, found.context) == ("acct_9", "acct_9", "acct_8")
    assert (found.livemode, found.api_version) == (True, "2026-10-28.endive")
    assert (found.request_id, found.idempotency_key) == ("req_1", "key-1")
    assert (found.object_id, found.object_type) == ("po_1", "payout")
    assert found.object is not None
    assert (found.object["status"], found.previous) == ("failed", {"status": "pending"})
    assert (found.created, found.received) == (datetime(2026, 1, 1, tzinfo=UTC), RECEIVED)
    assert (found.endpoint, found.conflict, found.body) == ("main", None, body)
    assert found.data == json.loads(body)


def test_a_thin_event_has_every_field() -> None:
    reason = {"type": "request", "request": {"id": "req_2", "idempotency_key": "key-2"}}
    body = thin_body(V2, id="evt_2", context="acct_7", reason=reason, created="2026-03-09T13:00:28.435Z")
    found = normalize(body, endpoint(), RECEIVED)
    assert (found.id, found.dedupe_key, found.type, found.base_type) == ("evt_2", "evt_2", V2, V2)
    assert (found.payload, found.scope, found.scope_source) == ("thin", "connected", "inferred")
    assert (found.account, found.raw_account, found.context) == ("acct_7", None, "acct_7")
    assert (found.request_id, found.idempotency_key, found.api_version) == ("req_2", "key-2", None)
    assert (found.object_id, found.object_type) == ("acct_1", "v2.core.account")
    assert (found.object, found.previous) == (None, None)
    assert found.created == datetime(2026, 3, 9, 13, 0, 28, 435000, tzinfo=UTC)


# Requests


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (None, (None, None)),
        ("iar_7", ("iar_7", None)),
        ({}, (None, None)),
        ({"id": 5, "idempotency_key": []}, (None, None)),
        ([], (None, None)),
        (7, (None, None)),
        (..., (None, None)),
    ],
)
def test_a_request_may_be_null_or_a_string(request_: object, expected: tuple[str | None, str | None]) -> None:
    found = event(request=request_)
    assert (found.request_id, found.idempotency_key) == expected


# The account


@pytest.mark.parametrize(
    ("fields", "account"),
    [
        ({"account": "acct_1"}, "acct_1"),
        ({"account": "acct_1", "context": "acct_2"}, "acct_1"),
        ({"account": "acct_1", "context": "acct_2/acct_3"}, "acct_1"),
        ({"account": None}, None),
        ({"account": ...}, None),
        ({"account": ""}, None),
        ({"account": 7}, None),
        ({"account": ..., "user_id": "acct_old"}, "acct_old"),
        ({"account": ..., "context": "acct_2/acct_3"}, "acct_3"),
        ({"account": ..., "context": "acct_2/acct_3/"}, "acct_3"),
        ({"account": ..., "context": "/"}, None),
    ],
)
def test_the_account_of_a_snapshot(fields: dict[str, Any], account: str | None) -> None:
    assert event("payout.failed", **fields).account == account


def test_the_context_of_a_platforms_own_snapshot_names_the_platform() -> None:
    own: dict[str, Any] = {"account": None, "context": "acct_platform"}
    assert event(endpoint=endpoint(scope=Scope.PLATFORM), **own).account is None
    assert event(endpoint=endpoint(scope=Scope.ORGANIZATION), **own).account == "acct_platform"


PERSON = {
    "id": "person_1",
    "type": "v2.core.account_person",
    "url": "/v2/core/accounts/acct_5/persons/person_1?include=x",
}


@pytest.mark.parametrize(
    ("type_", "fields", "account"),
    [
        (V2, {}, "acct_1"),
        (V2, {"context": "acct_2"}, "acct_2"),
        (V2, {"context": "acct_2/acct_3"}, "acct_3"),
        (V2, {"related_object": None}, None),
        (V2, {"related_object": ...}, None),
        (V2, {"related_object": "acct_4"}, None),
        (V2, {"related_object": {}}, None),
        ("v2.core.account_person.updated", {"related_object": PERSON}, "acct_5"),
        ("v2.core.account_person.updated", {"related_object": {"id": "person_1"}}, None),
        ("v2.core.account_link.returned", {"related_object": ..., "data": {"account_id": "acct_6"}}, "acct_6"),
        ("v2.core.account_link.returned", {"related_object": ...}, None),
        ("v1.payout.failed", {"related_object": {"id": "po_1", "type": "payout"}}, None),
        ("v1.payout.failed", {"context": "acct_2"}, "acct_2"),
        ("v1.account.application.deauthorized", {"related_object": ..., "context": "acct_2"}, "acct_2"),
        (
            "v2.core.event_destination.ping",
            {"related_object": {"id": "ed_1", "type": "v2.core.event_destination"}},
            None,
        ),
    ],
)
def test_the_account_of_a_thin_event(type_: str, fields: dict[str, Any], account: str | None) -> None:
    assert event(type_, **fields).account == account


# The scope


@pytest.mark.parametrize(
    ("found", "scope"),
    [
        (event(), Scope.CONNECTED),
        (event(account=None), Scope.PLATFORM),
        (event(account=None, context="acct_platform"), Scope.PLATFORM),
        (event(account=None, context="acct_2/acct_3"), Scope.CONNECTED),
        (event(V2), Scope.PLATFORM),
        (event(V2, context="acct_2"), Scope.CONNECTED),
        (event(V2, context="acct_2/acct_3"), Scope.CONNECTED),
        (event("v2.core.event_destination.ping"), Scope.PLATFORM),
    ],
)
def test_the_scope_is_inferred_where_none_is_configured(found: Event, scope: Scope) -> None:
    assert (found.scope, found.scope_source, found.conflict) == (scope, ScopeSource.INFERRED, None)


@pytest.mark.parametrize("scope", Scope)
def test_a_configured_scope_stands_even_against_the_event(scope: Scope) -> None:
    found = event(endpoint=endpoint(scope=scope))
    assert (found.scope, found.scope_source) == (scope, ScopeSource.CONFIGURED)


# Twins and types


def test_a_thin_twin_has_the_key_of_its_snapshot_and_its_base_type() -> None:
    twin = event("v1.payout.failed", snapshot_event="evt_snapshot")
    assert (twin.dedupe_key, twin.type, twin.base_type) == ("evt_snapshot", "v1.payout.failed", "payout.failed")
    assert twin.id != twin.dedupe_key


@pytest.mark.parametrize("odd", [None, "", 7, {}])
def test_a_snapshot_event_that_is_no_id_is_no_key(odd: object) -> None:
    twin = event("v1.payout.failed", snapshot_event=odd)
    assert twin.dedupe_key == twin.id


def test_unknown_types_are_events_like_any() -> None:
    assert event("brand.new.thing").type == "brand.new.thing"
    assert event("v2.brand.new").payload is Payload.THIN


@pytest.mark.parametrize(
    ("root", "payload"),
    [
        (snapshot("v1.not.thin"), Payload.SNAPSHOT),
        (thin("payout.failed"), Payload.THIN),
        ({"id": "e", "type": "v2.core.account.created"}, Payload.THIN),
        ({"id": "e", "type": "v1.payout.failed", "object": 7}, Payload.THIN),
        ({"id": "e", "type": "payout.failed", "object": None}, Payload.SNAPSHOT),
    ],
)
def test_the_payload_kind_is_said_by_object_and_guessed_by_type(root: dict[str, Any], payload: Payload) -> None:
    assert of(root).payload is payload


def test_a_thin_event_may_bring_data_and_changes() -> None:
    found = event(
        V2,
        data={"object": {"id": "acct_1", "object": "v2.core.account"}},
        changes={"before": {"closed": False}, "after": {"closed": True}},
    )
    assert found.object == {"id": "acct_1", "object": "v2.core.account"}
    assert found.previous == {"closed": False}
    assert (found.object_id, found.object_type) == ("acct_1", "v2.core.account")


def test_a_thin_event_without_related_object_has_no_object() -> None:
    found = event("v1.account.application.deauthorized", related_object=...)
    assert (found.object_id, found.object_type, found.object) == (None, None, None)


# Odd shapes


@pytest.mark.parametrize("data", [None, [], "x", 7, {}, {"object": None}, {"object": []}, {"previous_attributes": 3}])
def test_data_of_any_shape_is_stored(data: object) -> None:
    found = event(data=data)
    assert (found.object, found.previous, found.object_id) == (None, None, None)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1767225600.5, datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.123456789Z", datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        (..., RECEIVED),
        (None, RECEIVED),
        (True, RECEIVED),
        ("yesterday", RECEIVED),
        ("0001-01-01T00:00:00+14:00", RECEIVED),
        (10**30, RECEIVED),
        (-(10**18), RECEIVED),
        (float("nan"), RECEIVED),
        (float("inf"), RECEIVED),
        (253402300799, RECEIVED),
        ("9999-12-31T23:59:59Z", RECEIVED),
        (RECEIVED.timestamp() + 366 * 86_400, RECEIVED),
        (RECEIVED.timestamp() + 364 * 86_400, RECEIVED + timedelta(days=364)),
        (-1, RECEIVED),
        ("1969-12-31T23:59:59Z", RECEIVED),
        ({}, RECEIVED),
    ],
)
def test_created_is_read_or_else_when_it_was_received(created: object, expected: datetime) -> None:
    found = event(created=created)
    assert found.created == expected
    assert found.created.tzinfo is UTC


@pytest.mark.parametrize("odd", [..., None, "true", 1, {}])
def test_livemode_that_is_no_boolean_is_said_and_taken_from_the_endpoint(odd: object) -> None:
    unset, live = event(livemode=odd), event(livemode=odd, endpoint=endpoint(livemode=True))
    assert (unset.livemode, live.livemode) == (False, True)
    assert unset.conflict is not None
    assert "taken as a test event" in unset.conflict
    assert live.conflict is not None
    assert "taken as a live event" in live.conflict


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", MalformedReason.NOT_JSON),
        (b"id=evt_1&type=x", MalformedReason.NOT_JSON),
        (b'{"id": "evt_1"', MalformedReason.NOT_JSON),
        (b"\xff\xfe\x00", MalformedReason.NOT_JSON),
        (b"[" * 100_000, MalformedReason.NOT_JSON),
        (b"[]", MalformedReason.NOT_AN_OBJECT),
        (b"null", MalformedReason.NOT_AN_OBJECT),
        (b'"evt_1"', MalformedReason.NOT_AN_OBJECT),
        (b"{}", MalformedReason.NO_ID),
        (b'{"id": "", "type": "x"}', MalformedReason.NO_ID),
        (b'{"id": 1, "type": "x"}', MalformedReason.NO_ID),
        (b'{"id": "evt_1"}', MalformedReason.NO_TYPE),
        (b'{"id": "evt_1", "type": null}', MalformedReason.NO_TYPE),
    ],
)
def test_only_what_is_no_event_is_refused(body: bytes, reason: MalformedReason) -> None:
    with pytest.raises(MalformedEvent) as refused:
        normalize(body, endpoint(), RECEIVED)
    assert refused.value.reason is reason
    assert refused.value.__cause__ is None


# Columns


COLUMNS = [
    *("id", "dedupe_key", "type", "base_type", "account", "raw_account", "context", "api_version"),
    *("request_id", "idempotency_key", "object_id", "object_type", "conflict", "endpoint"),
]


def assert_storable(found: Event) -> None:
    for name in COLUMNS:
        value = getattr(found, name)
        if value is None:
            continue
        assert isinstance(value, str), name
        assert "\0" not in value, name
        value.encode()  # no lone surrogate
        assert len(value) <= LONGEST or name == "conflict", name
    assert type(found.livemode) is bool
    for moment in (found.created, found.received):
        assert moment.utcoffset() is not None


@pytest.mark.parametrize("poison", ["\0", "a\0b", "\ud800", "x" * 5000, "é" * 400, "\udfff\0" * 300])
def test_a_poisoned_event_cannot_fail_the_batch_it_is_stored_with(poison: str) -> None:
    root = snapshot(
        id=poison,
        type=poison,
        account=poison,
        context=poison,
        api_version=poison,
        request={"id": poison, "idempotency_key": poison},
        object={"id": poison, "object": poison},
    )
    assert_storable(of(root))
    assert_storable(of({**root, "object": "v2.core.event", "related_object": {"id": poison, "type": poison}}))


def test_keys_that_had_to_be_altered_stay_different() -> None:
    ids = ["a\0", "a\ufffd", "a\ud800", "a?", "y" * 300, "y" * 301]
    keys = [of(snapshot(id=id_)).dedupe_key for id_ in ids]
    assert len(set(keys)) == len(ids)
    assert keys[1] == "a\ufffd"
    assert of(snapshot(id="a\0")).dedupe_key == keys[0]


def test_integers_beyond_64_bits_are_exact_in_the_data() -> None:
    found = event(object={"amount": 2**70})
    assert found.object is not None
    assert found.object["amount"] == 2**70


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["acct_1", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "object", "type", "url", "request", "before"]), inner, max_size=4)
    ),
    max_leaves=8,
)
KEYS = [
    *("id", "type", "object", "account", "user_id", "context", "livemode", "created", "request", "reason"),
    *("related_object", "data", "changes", "snapshot_event", "api_version"),
]
ENDPOINTS = st.builds(
    lambda scope, livemode: endpoint(scope=scope, livemode=livemode),
    st.none() | st.sampled_from(list(Scope)),
    st.none() | st.booleans(),
)


@given(
    root=ANYTHING | st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=12),
    fixed=st.sampled_from([{}, {"id": "evt_1", "type": "payout.failed"}, {"id": "evt_1", "type": V2}]),
    to=ENDPOINTS,
)
@example(root={"object": "v2.core.event", "related_object": {"id": []}}, fixed={"id": "e", "type": V2}, to=endpoint())
@settings(max_examples=200)
def test_any_json_is_an_event_or_malformed(root: Any, fixed: dict[str, str], to: Any) -> None:
    value = {**root, **fixed} if isinstance(root, dict) else root
    try:
        found = normalize(json.dumps(value).encode(), to, RECEIVED)
    except MalformedEvent:
        assert not (isinstance(value, dict) and fixed)
    else:
        assert_storable(found)


@given(body=st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_an_event_or_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        normalize(body, endpoint(), RECEIVED)
