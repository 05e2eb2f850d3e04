"""The stripe verb against the fake API: who acts, with which key, under which cap, and what comes of it."""

import json
from dataclasses import replace

import pytest

from engine.errors import DestinationError
from engine.model.event import Scope
from engine.model.outcome import Delivered, Refused, Retry
from engine.stripe_api.client import Call
from tests import builders
from tests.fakes.stripe_api import LIVE, TEST, Fault, Key
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.deliveries import rendered
from tests.notifiers.stripe_steps import KEYS, Claims, allowed, endpoint, fake, notifier, run, stripe

__all__ = ["fake"]


async def test_a_read_runs_as_the_account_of_the_event(fake: FakeApi) -> None:
    outcome, asked = await run(fake, "payouts.retrieve", with_={"id": "po_1"})
    assert isinstance(outcome, Delivered)
    assert outcome.result == {"id": "po_1", "object": "payout", "livemode": True}
    assert outcome.excerpt is not None
    assert outcome.excerpt.startswith("Stripe request req_")
    assert asked is not None
    assert (asked.path, asked.account, asked.context, asked.key) == ("/v1/payouts/po_1", "acct_1", None, LIVE)


async def test_a_test_event_uses_the_test_key(fake: FakeApi) -> None:
    outcome, asked = await run(fake, "GET /v1/balance", builders.event(livemode=False))
    assert isinstance(outcome, Delivered)
    assert asked is not None
    assert asked.key == TEST


@pytest.mark.parametrize(
    ("livemode", "wrong"), [(False, LIVE), (True, TEST), (False, "rk_live_x"), (True, "rk_test_x")]
)
async def test_a_key_of_the_other_mode_is_never_used(fake: FakeApi, livemode: bool, wrong: str) -> None:
    keys = {"live": wrong, "test": wrong}
    async with notifier(fake, keys=keys) as made:
        event = builders.event(livemode=livemode)
        outcome = await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance", event))
    assert isinstance(outcome, Refused)
    assert "never used" in outcome.reason
    assert wrong not in outcome.reason
    assert fake.requests == []


async def test_the_key_of_the_endpoint_wins_and_is_held_to_its_mode_too(fake: FakeApi) -> None:
    fake.keys["sk_test_sandbox"] = Key(livemode=False)
    keys = {**KEYS, "sandbox": "sk_test_sandbox"}
    endpoints = (endpoint("sandbox-a", key="sandbox"),)
    place = builders.endpoint(name="sandbox-a")
    async with notifier(fake, keys=keys, endpoints=endpoints) as made:
        event = builders.event(livemode=False, endpoint=place)
        await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance", event))
        assert fake.requests[0].key == "sk_test_sandbox"
        live = builders.event(livemode=True, endpoint=place)
        outcome = await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance", live))
    assert isinstance(outcome, Refused)
    assert "stripe.keys.sandbox is a test key and this is a live event" in outcome.reason
    assert len(fake.requests) == 1


@pytest.mark.parametrize("livemode", [True, False])
async def test_an_event_of_the_other_mode_than_its_endpoint_uses_no_key(fake: FakeApi, livemode: bool) -> None:
    """What an event says of its mode is only as good as the secret that signed it: a test endpoint's makes no live
    write, nor does it read."""
    place = endpoint("one-mode", livemode=not livemode)
    event = builders.event(livemode=livemode, endpoint=builders.endpoint(name="one-mode", livemode=not livemode))
    claims = Claims()
    async with notifier(fake, allowed("refunds.create"), endpoints=(place,), claims=claims) as made:
        for name in ("refunds.create", "GET /v1/balance"):
            delivery = rendered(made, stripe(name), name, event)
            outcome = await made.deliver(delivery)
            assert isinstance(outcome, Refused), name
            assert f"livemode: {str(not livemode).lower()}" in outcome.reason
            assert "write livemode: any" in outcome.reason
            with pytest.raises(DestinationError, match="livemode: any"):
                made.preview(delivery)
        with pytest.raises(DestinationError, match="livemode: any"):
            await made.read(event, Call(method="get", path="/v1/balance", params={}, account="acct_1", context=None))
    assert fake.requests == []
    assert claims.taken == set()


async def test_an_endpoint_of_any_mode_leaves_it_to_the_event(fake: FakeApi) -> None:
    async with notifier(fake, endpoints=(endpoint("both"),)) as made:
        for livemode in (True, False):
            event = builders.event(livemode=livemode, endpoint=builders.endpoint(name="both"))
            outcome = await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance", event))
            assert isinstance(outcome, Delivered)
    assert [asked.key for asked in fake.requests] == [LIVE, TEST]


async def test_a_missing_key_says_what_to_configure(fake: FakeApi) -> None:
    async with notifier(fake, keys={"test": TEST}) as made:
        outcome = await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance"))
    assert outcome == Refused(reason="there is no key for this live event: set stripe.keys.live in the configuration")


async def test_an_event_about_the_platform_is_never_acted_on_as_the_platform_unasked(fake: FakeApi) -> None:
    event = builders.event("payout.failed", account=None)
    for as_ in ({}, {"as_": "account"}):
        with pytest.raises(DestinationError, match="as: platform"):
            await run(fake, "GET /v1/balance", event, **as_)
    with pytest.raises(DestinationError, match="as: platform"):
        await run(fake, "accounts.update", event, with_={"id": "acct_1"})
    assert fake.requests == []
    outcome, asked = await run(fake, "GET /v1/balance", event, as_="platform")
    assert isinstance(outcome, Delivered)
    assert outcome.result["owner"] == "platform"
    assert asked is not None
    assert (asked.account, asked.context) == (None, None)


async def test_as_platform_leaves_the_account_out(fake: FakeApi) -> None:
    _, asked = await run(fake, "GET /v1/balance", as_="platform")
    assert asked is not None
    assert (asked.account, asked.context) == (None, None)


async def test_an_unknown_as_is_an_error(fake: FakeApi) -> None:
    with pytest.raises(DestinationError, match="account or platform"):
        await run(fake, "GET /v1/balance", as_="connected")


async def test_an_operation_on_the_account_itself_is_the_platforms(fake: FakeApi) -> None:
    outcome, asked = await run(fake, "accounts.update", with_={"metadata": {"case": "{{ object.amount }}"}})
    assert isinstance(outcome, Delivered)
    assert asked is not None
    assert (asked.method, asked.path, asked.account) == ("POST", "/v1/accounts/acct_1", None)
    assert asked.params == {"metadata": {"case": "12345"}}


async def test_an_operation_on_another_account_runs_as_the_account_of_the_event(fake: FakeApi) -> None:
    fake.put("/v1/accounts/acct_customer", {"id": "acct_customer"}, account="acct_1", livemode=True)
    _, asked = await run(fake, "accounts.retrieve", with_={"account": "acct_customer"})
    assert asked is not None
    assert (asked.path, asked.account) == ("/v1/accounts/acct_customer", "acct_1")


async def test_as_account_is_obeyed_for_the_account_itself_too(fake: FakeApi) -> None:
    _, asked = await run(fake, "accounts.retrieve", as_="account")
    assert asked is not None
    assert (asked.path, asked.account) == ("/v1/accounts/acct_1", "acct_1")


async def test_a_path_with_two_ids_takes_the_account_from_the_event(fake: FakeApi) -> None:
    fake.put("/v1/accounts/acct_1/persons/person_1", {"id": "person_1"}, livemode=True)
    for ids in ({"person": "person_1"}, {"id": "person_1"}, {"account": "acct_1", "person": "person_1"}):
        outcome, _ = await run(fake, "accounts.persons.retrieve", with_=ids)
        assert isinstance(outcome, Delivered), ids


async def test_v2_runs_in_a_context(fake: FakeApi) -> None:
    event = builders.event("v2.core.account[requirements].updated")
    outcome, asked = await run(fake, "v2.core.accounts.retrieve", event, with_={"include": ["requirements"]})
    assert isinstance(outcome, Delivered)
    assert asked is not None
    assert (asked.path, asked.account, asked.context) == ("/v2/core/accounts/acct_1", None, None)
    assert asked.params == {"include": ["requirements"]}
    _, asked = await run(fake, "v2.core.account_links.create", event, with_={"account": "acct_9"})
    assert asked is not None
    assert (asked.account, asked.context) == (None, "acct_1")


async def test_an_organization_event_carries_its_whole_context(fake: FakeApi) -> None:
    fake.keys[LIVE] = Key(livemode=True, organization=True)
    fake.connect("acct_p")
    fake.put("/v1/balance", {"object": "balance"}, account="acct_p", livemode=True)
    place = builders.endpoint(scope=Scope.ORGANIZATION)
    event = builders.event("v1.payout.failed", endpoint=place, context="acct_p/acct_1")
    outcome, asked = await run(fake, "GET /v1/balance", event)
    assert isinstance(outcome, Delivered)
    assert asked is not None
    assert (asked.account, asked.context) == (None, "acct_p/acct_1")
    outcome, asked = await run(fake, "GET /v1/balance", event, as_="platform")
    assert isinstance(outcome, Delivered)
    assert asked is not None
    assert asked.context == "acct_p"


@pytest.mark.parametrize("context", [None, "../x", "acct_1\r\nx: y", "a/b/c", ""])
async def test_an_organization_event_without_a_usable_context_is_refused(fake: FakeApi, context: str | None) -> None:
    place = builders.endpoint(scope=Scope.ORGANIZATION)
    event = replace(builders.event("v1.payout.failed", endpoint=place, context="acct_1"), context=context)
    with pytest.raises(DestinationError, match="context"):
        await run(fake, "GET /v1/balance", event)


@pytest.mark.parametrize("bad", ["../po_1", "po_1/cancel", "po_1?x", "", "{{ object.evil }}", 7, None, ["po_1"]])
async def test_an_id_that_could_lead_elsewhere_is_refused(fake: FakeApi, bad: object) -> None:
    event = builders.event(object={"evil": "x/../../v1/balance"})
    with pytest.raises(DestinationError, match="payout"):
        await run(fake, "payouts.retrieve", event, with_={"payout": bad})
    assert fake.requests == []


async def test_a_path_written_out_is_rendered_segment_by_segment(fake: FakeApi) -> None:
    path = "GET /v1/payouts/{{ object.id }}"
    outcome, asked = await run(fake, path, builders.event(object={"id": "po_1"}))
    assert isinstance(outcome, Delivered)
    assert asked is not None
    assert asked.path == "/v1/payouts/po_1"
    for evil in ("po_1/../../balance", "po_1?expand[]=x", "po_1#", "%2e%2e", "."):
        with pytest.raises(DestinationError):
            await run(fake, path, builders.event(object={"id": evil}))
    assert len(fake.requests) == 1


async def test_parameters_keep_their_types_and_expand_is_checked(fake: FakeApi) -> None:
    _, asked = await run(
        fake,
        "refunds.create",
        with_={"amount": "{{ object.amount }}", "charge": "ch_1", "reverse_transfer": True},
        expand=["balance_transaction"],
    )
    assert asked is not None
    assert asked.params == {
        "amount": "12345",
        "charge": "ch_1",
        "reverse_transfer": "true",
        "expand": ["balance_transaction"],
    }
    with pytest.raises(DestinationError, match="expand"):
        await run(fake, "refunds.create", expand=["a b"])


async def test_a_parameter_cannot_be_a_header(fake: FakeApi) -> None:
    outcome, asked = await run(fake, "refunds.create", with_={"stripe_account": "acct_other"})
    assert isinstance(outcome, Refused)
    assert asked is None


async def test_a_disconnected_account_is_refused_with_that_reason(fake: FakeApi) -> None:
    fake.disconnect("acct_1")
    outcome, _ = await run(fake, "GET /v1/balance")
    assert isinstance(outcome, Refused)
    assert outcome.status == 403
    assert "disconnected" in outcome.reason


async def test_a_restricted_key_without_the_permission_is_refused(fake: FakeApi) -> None:
    fake.restrict("rk_live_narrow", "payouts:read", livemode=True)
    async with notifier(fake, allowed("refunds.create"), keys={"live": "rk_live_narrow"}) as made:
        read = await made.deliver(rendered(made, stripe("payouts.retrieve", with_={"id": "po_1"}), "payouts.retrieve"))
        write = await made.deliver(rendered(made, stripe("refunds.create"), "refunds.create"))
    assert isinstance(read, Delivered)
    assert isinstance(write, Refused)
    assert write.status == 403
    assert "rk_live_narrow" not in repr(write)


async def test_a_lock_or_rate_limit_is_retried(fake: FakeApi) -> None:
    fake.fault(Fault(status=429, code="lock_timeout", type="invalid_request_error"))
    outcome, _ = await run(fake, "GET /v1/balance")
    assert isinstance(outcome, Retry)
    assert "another request is working on the same object" in outcome.reason


@pytest.mark.parametrize(("operation", "maybe"), [("refunds.create", True), ("GET /v1/balance", False)])
async def test_only_a_write_may_have_been_done_when_the_answer_is_lost(
    fake: FakeApi, operation: str, maybe: bool
) -> None:
    fake.fault(Fault(hang=True), Fault(hang=True))
    outcome, _ = await run(fake, operation, timeout=0.2)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered is maybe


async def test_a_large_result_is_cut_to_its_plain_fields(fake: FakeApi) -> None:
    big = {"id": "po_1", "object": "payout", "amount": 5, "lines": [{"n": "x" * 100}] * 2000, "note": "y" * 90000}
    fake.put("/v1/payouts/po_1", big, account="acct_1", livemode=True)
    outcome, _ = await run(fake, "payouts.retrieve", with_={"id": "po_1"})
    assert isinstance(outcome, Delivered)
    assert outcome.result == {"id": "po_1", "object": "payout", "amount": 5, "truncated": True}


async def test_what_is_stored_holds_no_key(fake: FakeApi) -> None:
    async with notifier(fake, allowed("refunds.create")) as made:
        stored = json.dumps(rendered(made, stripe("refunds.create"), "refunds.create").request)
    assert LIVE not in stored
    assert TEST not in stored


async def test_an_unknown_operation_names_the_nearest(fake: FakeApi) -> None:
    with pytest.raises(DestinationError, match=r"did you mean 'refunds\.create'"):
        await run(fake, "refund.create")
