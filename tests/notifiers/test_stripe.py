"""The stripe verb against the fake API: who acts, with which key, under which cap, and what comes of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from engine.errors import DestinationError
from engine.model.delivery import Delivery
from engine.model.event import Event, Scope
from engine.model.outcome import Delivered, Held, Outcome, Refused, Retry
from engine.model.rule import Step, Verb
from engine.settings import AllowedWrite, Endpoint, StripeSettings
from engine.stripe_api.client import StripeApi
from notifiers.stripe import StripeNotifier
from tests import builders
from tests.fakes.stripe_api import LIVE, TEST, Asked, Fault, Key, stripe_api
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.deliveries import rendered, step

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
KEYS = {"live": LIVE, "test": TEST}
HOURLY = timedelta(hours=1)


class Claims:
    """A cap in memory, with the promises of the store's: a delivery that has its place keeps it."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    async def __call__(self, operation: str, delivery_id: str, *, max: int, every: timedelta, now: datetime) -> bool:  # noqa: A002
        if delivery_id in self.taken:
            return True
        if len(self.taken) >= max:
            return False
        self.taken.add(delivery_id)
        return True


def endpoint(name: str, **fields: Any) -> Endpoint:
    return Endpoint(
        **{"name": name, "path": "/webhooks/stripe", "scope": None, "livemode": None, "secrets": (), **fields}
    )


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    async with stripe_api() as running:
        running.connect("acct_1")
        for livemode in (True, False):
            payout = {"id": "po_1", "object": "payout", "livemode": livemode}
            running.put("/v1/payouts/po_1", payout, account="acct_1", livemode=livemode)
            running.put("/v1/balance", {"object": "balance", "owner": "platform"}, livemode=livemode)
            running.put("/v1/balance", {"object": "balance"}, account="acct_1", livemode=livemode)
        yield running


@asynccontextmanager
async def notifier(
    fake: FakeApi,
    *allow: AllowedWrite,
    keys: dict[str, str] | None = None,
    endpoints: tuple[Endpoint, ...] = (),
    claims: Claims | None = None,
    now: datetime = NOW,
) -> AsyncIterator[StripeNotifier]:
    wrapped = {name: SecretStr(key) for name, key in (KEYS if keys is None else keys).items()}
    settings = StripeSettings(keys=wrapped, api_base=fake.url, allow=allow)
    api = StripeApi(fake.url, timeout=timedelta(seconds=2))
    made = StripeNotifier(settings, endpoints, claims or Claims(), api=api, clock=lambda: now)
    try:
        yield made
    finally:
        await made.close()


def allowed(operation: str, limit: int = 5) -> AllowedWrite:
    return AllowedWrite(operation=operation, max=limit, every=HOURLY)


def stripe(operation: str, **options: Any) -> Step:
    """A step; `with` and `as` are written with a trailing underscore."""
    return step(Verb.STRIPE, operation, **{name.rstrip("_"): value for name, value in options.items()})


async def run(
    fake: FakeApi, operation: str, event: Event | None = None, **options: Any
) -> tuple[Outcome, Asked | None]:
    """One delivery of an allowed operation, and what the API was asked last."""
    async with notifier(fake, allowed(operation)) as made:
        outcome = await made.deliver(rendered(made, stripe(operation, **options), operation, event))
    return outcome, fake.requests[-1] if fake.requests else None


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


async def test_a_write_that_is_not_allowed_says_what_to_add(fake: FakeApi) -> None:
    async with notifier(fake) as made:
        outcome = await made.deliver(rendered(made, stripe("refunds.create"), "refunds.create"))
    assert isinstance(outcome, Refused)
    assert "{operation: refunds.create, max: 20, every: 1h}" in outcome.reason
    assert fake.requests == []


async def test_a_write_carries_the_id_of_the_delivery_at_every_attempt(fake: FakeApi) -> None:
    fake.fault(Fault(status=500, after_effect=True), Fault(status=500))
    async with notifier(fake, allowed("refunds.create")) as made:
        waiting = rendered(made, stripe("refunds.create", with_={"charge": "ch_1"}), "refunds.create")
        assert isinstance(await made.deliver(waiting), Retry)
        outcome = await made.deliver(replace(waiting, attempts=1, first_attempt=NOW))
    assert isinstance(outcome, Delivered)
    assert {asked.idempotency_key for asked in fake.requests} == {waiting.id}
    assert len(fake.effects) == 1


async def test_writes_beyond_the_cap_are_held_and_a_held_one_can_be_released(fake: FakeApi) -> None:
    claims = Claims()
    async with notifier(fake, allowed("refunds.create", 2), claims=claims) as made:
        for number in range(2):
            ready = rendered(made, stripe("refunds.create"), "refunds.create", id=f"dlv_{number}")
            assert isinstance(await made.deliver(ready), Delivered)
        third = rendered(made, stripe("refunds.create"), "refunds.create", id="dlv_2")
        held = await made.deliver(third)
        assert isinstance(held, Held)
        assert held.reason.startswith("refunds.create is allowed 2 times in 1h")
        assert len(fake.effects) == 2
        claims.taken.add("dlv_2")  # what `tocsin retry` does
        assert isinstance(await made.deliver(third), Delivered)


async def test_a_read_needs_no_claim(fake: FakeApi) -> None:
    claims = Claims()
    async with notifier(fake, claims=claims) as made:
        await made.deliver(rendered(made, stripe("GET /v1/balance"), "GET /v1/balance"))
    assert claims.taken == set()


@pytest.mark.parametrize(
    ("age", "sent"),
    [(timedelta(hours=22, minutes=59), True), (timedelta(hours=23), False), (timedelta(days=3), False)],
)
async def test_a_write_stops_before_stripe_forgets_its_key(fake: FakeApi, age: timedelta, sent: bool) -> None:
    async with notifier(fake, allowed("refunds.create")) as made:
        late = rendered(made, stripe("refunds.create"), "refunds.create", attempts=3, first_attempt=NOW - age)
        outcome = await made.deliver(late)
        assert isinstance(outcome, Delivered if sent else Refused)
        if isinstance(outcome, Refused):
            assert "idempotency window is over" in outcome.reason
            assert "--again" in outcome.reason
            again: Delivery = replace(late, first_attempt=None)  # what `tocsin retry --again` makes of it
            assert isinstance(await made.deliver(again), Delivered)


async def test_reads_may_be_retried_for_ever(fake: FakeApi) -> None:
    async with notifier(fake) as made:
        late = rendered(
            made, stripe("GET /v1/balance"), "GET /v1/balance", attempts=3, first_attempt=NOW - timedelta(days=3)
        )
        assert isinstance(await made.deliver(late), Delivered)


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
