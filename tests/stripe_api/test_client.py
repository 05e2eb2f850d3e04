"""Calls of Stripe's API against the fake: headers, bodies, bounds, and what each failure is called."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engine.errors import DestinationError
from engine.stripe_api.client import RESERVED, Call, Failure, StripeApi, Success
from tests.fakes.http_sink import Flood, Hang, Hangup, Reset, http_sink, redirect, refused_port
from tests.fakes.stripe_api import LIVE, TEST, Fault, stripe_api
from tests.fakes.stripe_api import StripeApi as FakeApi

GET_BALANCE = Call(method="get", path="/v1/balance")


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    async with stripe_api() as running:
        running.connect("acct_1")
        running.put("/v1/balance", {"object": "balance"})
        yield running


@pytest.fixture
async def api(fake: FakeApi) -> AsyncIterator[StripeApi]:
    made = StripeApi(fake.url, timeout=timedelta(seconds=2))
    yield made
    await made.close()


async def failed(api: StripeApi, call: Call = GET_BALANCE, key: str = TEST) -> Failure:
    answer = await api.call(key, call, within=timedelta(seconds=3))
    assert isinstance(answer, Failure)
    return answer


async def test_v1_parameters_are_a_form_and_the_account_a_header(api: StripeApi, fake: FakeApi) -> None:
    params = {"amount": 500, "metadata": {"a": "x"}, "expand": ["charge"], "usage": "off_session"}
    call = Call(method="post", path="/v1/refunds", params=params, account="acct_1", idempotency_key="dlv_1")
    answer = await api.call(TEST, call)
    assert isinstance(answer, Success)
    assert answer.data["object"] == "refund"
    assert answer.request_id is not None
    asked = fake.requests[0]
    assert asked.params == {"amount": "500", "metadata": {"a": "x"}, "expand": ["charge"], "usage": "off_session"}
    assert (asked.account, asked.context, asked.idempotency_key) == ("acct_1", None, "dlv_1")
    assert "stripe-version" in asked.headers


async def test_v2_parameters_are_json_and_the_account_a_context(api: StripeApi, fake: FakeApi) -> None:
    call = Call(method="post", path="/v2/core/things", params={"n": {"m": [1, True]}}, context="acct_1")
    assert isinstance(await api.call(TEST, call), Success)
    assert fake.requests[0].params == {"n": {"m": [1, True]}}
    assert (fake.requests[0].account, fake.requests[0].context) == (None, "acct_1")


async def test_parameters_of_a_read_are_its_query(api: StripeApi, fake: FakeApi) -> None:
    await api.call(TEST, Call(method="get", path="/v1/balance", params={"limit": 3, "types": ["a", "b"]}))
    assert fake.requests[0].params == {"limit": "3", "types": ["a", "b"]}
    assert fake.requests[0].idempotency_key is None


async def test_nothing_about_this_machine_is_sent(api: StripeApi, fake: FakeApi) -> None:
    for _ in range(2):
        await api.call(TEST, GET_BALANCE)
    headers = fake.requests[1].headers
    assert "x-stripe-client-telemetry" not in headers
    assert "platform" not in json.loads(headers["x-stripe-client-user-agent"])


@pytest.mark.parametrize("name", sorted(RESERVED))
async def test_a_parameter_cannot_replace_the_key_or_the_account(api: StripeApi, fake: FakeApi, name: str) -> None:
    with pytest.raises(DestinationError, match=name):
        await api.call(TEST, Call(method="get", path="/v1/balance", params={name: "x"}))
    assert fake.requests == []


async def test_a_repeated_write_gets_the_same_answer_and_is_done_once(api: StripeApi, fake: FakeApi) -> None:
    call = Call(method="post", path="/v1/refunds", params={"amount": 1}, idempotency_key="dlv_1")
    first, second = await api.call(TEST, call), await api.call(TEST, call)
    assert isinstance(first, Success)
    assert isinstance(second, Success)
    assert first.data == second.data
    assert len(fake.effects) == 1


async def test_a_key_used_for_another_request_is_refused(api: StripeApi, fake: FakeApi) -> None:
    await api.call(TEST, Call(method="post", path="/v1/refunds", params={"amount": 1}, idempotency_key="dlv_1"))
    other = Call(method="post", path="/v1/refunds", params={"amount": 2}, idempotency_key="dlv_1")
    answer = await failed(api, other)
    assert (answer.retry, answer.status, answer.code) == (False, 400, "idempotency_error")
    assert len(fake.effects) == 1


async def test_an_unknown_key_is_refused_and_not_shown(api: StripeApi) -> None:
    answer = await failed(api, key="sk_test_unknown_secret")
    assert (answer.retry, answer.status) == (False, 401)
    assert "unknown_secret" not in answer.reason
    assert "the key is not valid" in answer.reason


async def test_a_missing_permission_is_refused(api: StripeApi, fake: FakeApi) -> None:
    fake.restrict("rk_test_narrow", "payouts:read")
    answer = await failed(api, key="rk_test_narrow")
    assert (answer.retry, answer.status) == (False, 403)
    assert "permissions" in answer.reason
    assert "rk_test_narrow" not in answer.reason


async def test_a_disconnected_account_is_refused_with_that_reason(api: StripeApi, fake: FakeApi) -> None:
    fake.disconnect("acct_1")
    answer = await failed(api, Call(method="get", path="/v1/balance", account="acct_1"))
    assert (answer.retry, answer.status, answer.code) == (False, 403, "account_invalid")
    assert "disconnected" in answer.reason


async def test_an_object_of_the_other_mode_is_refused_and_stripe_says_so(api: StripeApi) -> None:
    answer = await failed(api, key=LIVE)
    assert (answer.retry, answer.status, answer.code) == (False, 404, "resource_missing")
    assert "a similar object exists in test mode" in answer.reason


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=429, code="lock_timeout", type="invalid_request_error"), "lock_timeout"),
        (Fault(status=429, code="rate_limit"), "rate_limit"),
        (Fault(status=400, code="rate_limit", type="invalid_request_error"), "rate_limit"),
        (Fault(status=409, type="idempotency_error", code="idempotency_key_in_use"), "idempotency_key_in_use"),
        (Fault(status=500), "api_error"),
        (Fault(status=503), "api_error"),
        (Fault(status=502, body=b"<html>bad gateway</html>"), None),
    ],
)
async def test_what_may_pass_is_retried(api: StripeApi, fake: FakeApi, fault: Fault, code: str | None) -> None:
    fake.fault(fault, fault)
    answer = await failed(api)
    assert answer.retry
    assert (answer.status, answer.code) == (fault.status, code)


async def test_the_sdk_itself_repeats_a_5xx_once(api: StripeApi, fake: FakeApi) -> None:
    fake.fault(Fault(status=503))
    assert isinstance(await api.call(TEST, GET_BALANCE), Success)
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=400, code="parameter_missing", type="invalid_request_error"),
        Fault(status=402, code="card_declined", type="card_error"),
        Fault(status=403, code="more_permissions_required", type="invalid_request_error"),
        Fault(status=404, code="resource_missing", type="invalid_request_error"),
    ],
)
async def test_what_cannot_pass_is_refused_with_stripes_code(api: StripeApi, fake: FakeApi, fault: Fault) -> None:
    fake.fault(fault)
    answer = await failed(api)
    assert not answer.retry
    assert (answer.status, answer.code) == (fault.status, fault.code)
    assert answer.reason.startswith(f"Stripe answered {fault.status} {fault.code}")


@pytest.mark.parametrize(
    ("status", "should", "retry"),
    [
        (500, "true", True),
        (500, "false", False),
        (503, "false", False),
        (409, "false", False),
        (402, "true", True),
        (400, "true", True),
        (429, "false", True),
        (404, "false", False),
    ],
)
async def test_what_stripe_says_of_a_repeat_decides(
    api: StripeApi, fake: FakeApi, status: int, should: str, retry: bool
) -> None:
    """But for a rate, which passes: `false` there is about this moment."""
    fault = Fault(status=status, headers={"Stripe-Should-Retry": should})
    fake.fault(fault, fault)
    assert (await failed(api)).retry is retry


async def test_a_wait_that_is_asked_for_is_passed_on(api: StripeApi, fake: FakeApi) -> None:
    fake.fault(Fault(status=429, code="rate_limit", headers={"Retry-After": "30"}))
    assert (await failed(api)).after == timedelta(seconds=30)


@pytest.mark.parametrize("fault", [Fault(hang=True), Fault(hang=True, after_effect=True)])
async def test_a_call_that_hangs_ends_in_time_and_may_have_been_done(
    api: StripeApi, fake: FakeApi, fault: Fault
) -> None:
    fake.fault(fault, fault)
    call = Call(method="post", path="/v1/refunds", idempotency_key="dlv_1")
    answer = await api.call(TEST, call, within=timedelta(seconds=0.3))
    assert answer == Failure(reason="no answer within 0.3 s", retry=True, maybe_done=True)


async def test_a_write_whose_answer_was_lost_is_done_once(api: StripeApi, fake: FakeApi) -> None:
    fake.fault(Fault(drop=True, after_effect=True))
    call = Call(method="post", path="/v1/refunds", idempotency_key="dlv_1")
    assert isinstance(await api.call(TEST, call), Success)
    assert len(fake.effects) == 1


async def test_an_api_that_is_not_there_is_retried_and_nothing_was_done() -> None:
    api = StripeApi(f"http://127.0.0.1:{refused_port()}", timeout=timedelta(seconds=1))
    answer = await api.call(TEST, GET_BALANCE)
    await api.close()
    assert answer == Failure(reason="no connection to Stripe's API", retry=True)


@pytest.mark.parametrize("behaviour", [Hang(), Reset(), Hangup()])
async def test_a_connection_that_breaks_is_retried_and_may_have_been_done(
    behaviour: Hang | Reset | Hangup,
) -> None:
    async with http_sink() as sink:
        sink.always(behaviour)
        api = StripeApi(sink.url("").rstrip("/"), timeout=timedelta(seconds=0.3))
        answer = await api.call(TEST, GET_BALANCE)
        await api.close()
    assert isinstance(answer, Failure)
    assert answer.retry
    assert answer.maybe_done


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with http_sink() as sink:
        sink.always(redirect(sink.url("/elsewhere")))
        api = StripeApi(sink.url("").rstrip("/"))
        answer = await api.call(TEST, GET_BALANCE)
        await api.close()
        assert {request.path for request in sink.requests} == {"/v1/balance"}
    assert isinstance(answer, Failure)
    assert not answer.retry


async def test_an_answer_that_is_not_stripes_is_retried(api: StripeApi, fake: FakeApi) -> None:
    fake.fault(Fault(body=b"<html>please log in to the network</html>"))
    answer = await failed(api)
    assert (answer.retry, answer.maybe_done) == (True, True)


async def test_a_huge_answer_is_not_read() -> None:
    async with http_sink() as sink:
        sink.say(Flood(100 * 1024 * 1024))
        api = StripeApi(sink.url("").rstrip("/"))
        answer = await api.call(TEST, GET_BALANCE)
        await api.close()
        assert sink.written < 32 * 1024 * 1024
    assert answer == Success(status=200, data=None, request_id=None)


async def test_many_calls_share_few_connections(api: StripeApi, fake: FakeApi) -> None:
    answers = await asyncio.gather(*(api.call(TEST, GET_BALANCE) for _ in range(50)))
    assert all(isinstance(answer, Success) for answer in answers)
    assert len(fake.requests) == 50
