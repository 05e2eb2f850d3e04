"""Callbacks against a real server: what is sent, how it is signed, what an answer means, where one may not go."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from engine.errors import DestinationError, TemplateError
from engine.model.outcome import Delivered, Refused, Retry
from engine.model.rule import Verb
from notifiers.callback import parse_success
from tests import builders
from tests.fakes.http_sink import (
    Answer,
    Drip,
    Flood,
    Garbage,
    Hang,
    Hangup,
    HttpSink,
    Reset,
    StaleOnce,
    http_sink,
    limited,
    redirect,
    refused_port,
)
from tests.notifiers.callbacks import NEW, OLD, notifier, send, sink
from tests.notifiers.deliveries import rendered, step, target

__all__ = ["sink"]


async def test_the_default_body_is_the_documented_one(sink: HttpSink) -> None:
    event = builders.event("account.updated", id="evt_1", previous={"payouts_enabled": False}, account="acct_1")
    async with notifier(target(sink.url())) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases", event))
    assert isinstance(outcome, Delivered)
    body = sink.requests[0].json
    assert list(body) == ["version", "id", "firing", "rule", "account", "event"]
    assert body["version"] == "1"
    assert (body["id"], body["firing"]) == ("dlv_0123456789abcdef", "fir_1")
    assert body["rule"]["id"] == "payout-failed"
    assert body["account"]["id"] == "acct_1"
    assert body["event"]["type"] == "account.updated"
    assert body["event"]["scope"] == "connected"
    assert body["event"]["object"]["payouts_enabled"] is True
    assert body["event"]["previous"] == {"payouts_enabled": False}
    assert sink.requests[0].headers["content-type"] == "application/json"


async def test_a_thin_event_is_sent_with_what_it_points_at(sink: HttpSink) -> None:
    event = builders.event("v2.core.account[requirements].updated")
    async with notifier(target(sink.url())) as made:
        await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases", event))
    sent = sink.requests[0].json["event"]
    assert sent["object"] is None
    assert sent["related_object"]["id"] == "acct_1"


async def test_hostile_characters_survive_the_way(sink: HttpSink) -> None:
    event = builders.event(object={"description": "\x00 \ud800 \u2028 \u202e", "big": 2**80})
    async with notifier(target(sink.url())) as made:
        await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases", event))
    sent = sink.requests[0].json["event"]["object"]
    assert sent["description"] == "\x00 \ud800 \u2028 \u202e"
    assert sent["big"] == 2**80


async def test_a_body_of_the_rule_is_rendered_and_keeps_its_types(sink: HttpSink) -> None:
    await send(sink, body={"amount": "{{ object.amount }}", "who": "{{ account.id }}!", "n": [1, True, None]})
    assert sink.requests[0].json == {"amount": 12345, "who": "acct_1!", "n": [1, True, None]}


async def test_a_text_body_is_sent_as_text(sink: HttpSink) -> None:
    await send(sink, body="{{ account.id }} failed")
    assert sink.requests[0].body == b"acct_1 failed"
    assert sink.requests[0].headers["content-type"] == "text/plain; charset=utf-8"


async def test_an_undefined_name_is_an_error_with_the_name(sink: HttpSink) -> None:
    with pytest.raises(TemplateError, match="custmer"):
        await send(sink, body={"x": "{{ object.custmer }}"})


async def test_the_signature_is_standard_webhooks(sink: HttpSink) -> None:
    async with notifier(target(sink.url(), secrets=(NEW, OLD))) as made:
        await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    request = sink.requests[0]
    assert request.headers["webhook-id"] == "dlv_0123456789abcdef"
    assert request.headers["webhook-timestamp"] == "1700000000"
    content = b"dlv_0123456789abcdef.1700000000." + request.body
    wanted = []
    for secret in (NEW, OLD):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted.append("v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode())
    assert request.headers["webhook-signature"].split(" ") == wanted


async def test_every_attempt_has_the_same_id_and_body(sink: HttpSink) -> None:
    sink.say(Answer(status=503), Answer())
    async with notifier(target(sink.url(), secrets=(NEW,))) as made:
        waiting = rendered(made, step(Verb.CALLBACK, "cases"), "cases")
        await made.deliver(waiting)
        await made.deliver(replace(waiting, attempts=1))
    first, second = sink.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_what_is_stored_is_json_without_url_or_secret(sink: HttpSink) -> None:
    async with notifier(target(sink.url("/secret-path"), secrets=(NEW,), headers={"x-key": "hidden"})) as made:
        stored = json.dumps(rendered(made, step(Verb.CALLBACK, "cases"), "cases").request)
    assert not any(part in stored for part in ("secret-path", NEW, "hidden", "127.0.0.1"))


async def test_a_secret_that_is_not_base64_is_refused_without_showing_it(sink: HttpSink) -> None:
    async with notifier(target(sink.url(), secrets=("whsec_not/base64!",))) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    assert isinstance(outcome, Refused)
    assert "base64" in outcome.reason
    assert "not/" not in outcome.reason
    assert sink.requests == []


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_a_2xx_is_delivered(sink: HttpSink, status: int) -> None:
    sink.say(Answer(status=status))
    outcome = await send(sink)
    assert isinstance(outcome, Delivered)
    assert outcome.status == status


async def test_a_json_answer_is_the_result(sink: HttpSink) -> None:
    sink.say(Answer(status=201, body=b'{"case": 7}'), Answer(body=b"thanks"))
    assert (await send(sink)) == Delivered(
        status=201, excerpt='{"case": 7}', result={"status": 201, "body": {"case": 7}}
    )
    assert (await send(sink)) == Delivered(status=200, excerpt="thanks", result={"status": 200, "body": None})


@pytest.mark.parametrize("status", [408, 409, 421, 423, 425, 429, 500, 502, 503, 504, 599])
async def test_what_may_pass_is_retried(sink: HttpSink, status: int) -> None:
    sink.say(Answer(status=status, body=b"not now"))
    outcome = await send(sink)
    assert isinstance(outcome, Retry)
    assert (outcome.status, outcome.excerpt, outcome.maybe_delivered) == (status, "not now", False)
    assert outcome.reason.startswith(f"cases answered {status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 422, 451])
async def test_what_cannot_pass_is_refused(sink: HttpSink, status: int) -> None:
    sink.say(Answer(status=status))
    outcome = await send(sink)
    assert isinstance(outcome, Refused)
    assert outcome.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(sink: HttpSink, status: int) -> None:
    sink.say(redirect(sink.url("/elsewhere?token=hidden"), status))
    outcome = await send(sink)
    assert isinstance(outcome, Refused)
    assert "redirect" in outcome.reason
    assert "hidden" not in outcome.reason
    assert [request.path for request in sink.requests] == ["/hook"]


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("0", None),
        (" 7 ", timedelta(seconds=7)),
        ("9999999", timedelta(hours=24)),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("", None),
    ],
)
async def test_retry_after_in_seconds_is_honoured_up_to_a_day(
    sink: HttpSink, header: str, wait: timedelta | None
) -> None:
    sink.say(limited(header))
    outcome = await send(sink)
    assert isinstance(outcome, Retry)
    assert outcome.after == wait


async def test_retry_after_as_a_date_is_honoured(sink: HttpSink) -> None:
    date = datetime.now(UTC) + timedelta(minutes=10)
    sink.say(limited(format_datetime(date, usegmt=True)))
    outcome = await send(sink)
    assert isinstance(outcome, Retry)
    assert outcome.after is not None
    assert timedelta(minutes=9) < outcome.after <= timedelta(minutes=10)


async def test_success_ranges_decide_what_is_delivered(sink: HttpSink) -> None:
    sink.say(Answer(status=409), Answer(status=202))
    assert isinstance(await send(sink, success=["200-201", 409]), Delivered)
    refused = await send(sink, success=["200-201", 409])
    assert isinstance(refused, Refused)
    assert "'success' does not include" in refused.reason


@pytest.mark.parametrize("option", [["200-"], ["abc"], [99], [600], ["299-200"], [True], {"a": 1}])
def test_a_range_that_cannot_be_read_is_an_error(option: object) -> None:
    with pytest.raises(DestinationError, match="200-299"):
        parse_success(option)


async def test_a_server_that_hangs_is_retried_and_may_have_it(sink: HttpSink) -> None:
    sink.say(Hang())
    outcome = await send(sink, within=0.2)
    assert outcome == Retry(reason="cases: no answer within 0.2 s", maybe_delivered=True)


async def test_the_timeout_of_a_step_wins(sink: HttpSink) -> None:
    sink.say(Hang())
    outcome = await send(sink, within=30, timeout=0.2)
    assert outcome == Retry(reason="cases: no answer within 0.2 s", maybe_delivered=True)


@pytest.mark.parametrize("behaviour", [Drip(), Hang(with_head=True)])
async def test_a_body_that_never_ends_does_not_undo_its_status(sink: HttpSink, behaviour: Drip | Hang) -> None:
    sink.say(behaviour)
    outcome = await send(sink, within=0.3)
    assert isinstance(outcome, Delivered)
    assert outcome.result == {"status": 200, "body": None}


@pytest.mark.parametrize("behaviour", [Reset(), Hangup(), Garbage()])
async def test_a_connection_that_breaks_after_the_request_is_retried(
    sink: HttpSink, behaviour: Reset | Hangup | Garbage
) -> None:
    sink.say(behaviour)
    outcome = await send(sink)
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered
    assert len(sink.requests) == 1


async def test_a_refused_connection_is_retried_and_has_not_arrived() -> None:
    async with notifier(target(f"http://127.0.0.1:{refused_port()}/")) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    assert outcome == Retry(reason="cases: connection refused", maybe_delivered=False)


async def test_a_server_without_tls_is_retried_with_that_reason(sink: HttpSink) -> None:
    async with notifier(target(sink.url(scheme="https"))) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    assert isinstance(outcome, Retry)
    assert "TLS" in outcome.reason


async def test_a_huge_answer_is_not_read(sink: HttpSink) -> None:
    sink.say(Flood(100 * 1024 * 1024))
    outcome = await send(sink)
    assert isinstance(outcome, Delivered)
    assert outcome.excerpt is not None
    assert len(outcome.excerpt) <= 1000
    assert sink.written < 32 * 1024 * 1024


async def test_an_excerpt_has_no_secret_and_no_control_character(sink: HttpSink) -> None:
    sink.say(Answer(status=400, body=f"\x1b[31mkey hidden-key {NEW}\x00".encode()))
    async with notifier(target(sink.url(), secrets=(NEW,), headers={"authorization": "hidden-key"})) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    assert isinstance(outcome, Refused)
    assert sink.requests[0].headers["authorization"] == "hidden-key"
    assert outcome.excerpt == "\ufffd[31mkey *** ***\ufffd"


async def test_connections_are_used_again(sink: HttpSink) -> None:
    async with notifier(target(sink.url())) as made:
        for _ in range(3):
            assert isinstance(await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases")), Delivered)
    assert sink.connections == 1


async def test_a_connection_that_went_stale_is_replaced_at_once(sink: HttpSink) -> None:
    sink.say(StaleOnce())
    async with notifier(target(sink.url())) as made:
        for _ in range(2):
            assert isinstance(await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases")), Delivered)
    assert sink.connections == 2


async def test_a_hanging_callback_does_not_hold_up_another(sink: HttpSink) -> None:
    async with http_sink() as dead:
        dead.always(Hang())
        async with notifier(target(dead.url(), "dead"), target(sink.url(), "alive")) as made:
            stuck = [rendered(made, step(Verb.CALLBACK, "dead"), "dead") for _ in range(40)]
            tasks = [asyncio.create_task(made.deliver(each)) for each in stuck]
            await dead.received(8)
            async with asyncio.timeout(3):
                outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "alive"), "alive"))
            assert isinstance(outcome, Delivered)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
