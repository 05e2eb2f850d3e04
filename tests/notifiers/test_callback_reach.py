"""Where a callback may not go, and what of its request a rule may not set."""

import pytest

from engine.errors import DestinationError
from engine.model.outcome import Delivered, Refused
from engine.model.rule import Verb
from notifiers.callback import checked_header, checked_url
from tests import builders
from tests.fakes.http_sink import (
    HttpSink,
    refused_port,
)
from tests.notifiers.callbacks import notifier, send, sink
from tests.notifiers.deliveries import rendered, step, target

__all__ = ["sink"]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_private_addresses_are_refused_when_connecting(sink: HttpSink, host: str) -> None:
    url = sink.url(scheme="https", host=host)
    async with notifier(target(url, allow_private=False)) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    assert isinstance(outcome, Refused)
    assert "not public" in outcome.reason
    assert sink.connections == 0


async def test_a_url_in_a_rule_needs_its_exact_host_in_the_configuration(sink: HttpSink) -> None:
    async with notifier(hosts=frozenset({"hooks.example.com"})) as made:
        for url in (
            "https://hooks.example.com.evil.test/",
            "https://evil.test/hooks.example.com",
            "https://x.hooks.example.com/",
            "https://hooks.example.com@evil.test/",
        ):
            outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, url), url))
            assert isinstance(outcome, Refused), url
            assert "callback_hosts" in outcome.reason
        plain = "http://hooks.example.com/"
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, plain), plain))
        assert isinstance(outcome, Refused)
        assert "https" in outcome.reason


async def test_an_allowed_host_that_resolves_to_a_private_address_is_refused(sink: HttpSink) -> None:
    url = sink.url(scheme="https", host="localhost")
    async with notifier(hosts=frozenset({"localhost"})) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, url), url))
    assert isinstance(outcome, Refused)
    assert "not public" in outcome.reason
    assert sink.connections == 0


async def test_proxies_of_the_environment_are_not_used(sink: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{refused_port()}")
    assert isinstance(await send(sink), Delivered)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.com/", "allow_private"),
        ("https://user:pw@example.com/", "Authorization"),
        ("https://user@example.com/", "Authorization"),
        ("ftp://example.com/", "https://host/path"),
        ("https:///path", "https://host/path"),
        ("https://exa mple.com/", "without spaces"),
        ("https://example.com/\r\nx: y", "without spaces"),
        ("https://example.com\\@evil.test/", "without spaces"),
        ("https://example.com:99999/", "cannot be read"),
        ("https://[::1", "cannot be read"),
    ],
)
def test_a_url_that_may_not_be_called_says_why_without_showing_it(url: str, says: str) -> None:
    with pytest.raises(DestinationError, match=says) as caught:
        checked_url(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-note", "a\r\nx-evil: 1"),
        ("x-note", "a\nb"),
        ("x-note", "a\x00b"),
        ("x-note", "caf\u20ac"),
        ("x note", "v"),
        ("x:y", "v"),
        ("", "v"),
        ("Host", "v"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("Connection", "close"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "v"),
        ("Webhook-Signature", "v1,x"),
        ("webhook-id", "x"),
        ("WEBHOOK-TIMESTAMP", "1"),
    ],
)
def test_a_header_that_could_become_another_is_refused(name: str, value: str) -> None:
    with pytest.raises(DestinationError):
        checked_header(name, value)


async def test_headers_of_the_rule_are_rendered_and_checked(sink: HttpSink) -> None:
    await send(sink, headers={"X-Account": "{{ account.id }}", "X-Amount": "{{ object.amount }}", "X-Live": True})
    assert sink.requests[0].headers["x-account"] == "acct_1"
    assert sink.requests[0].headers["x-amount"] == "12345"
    assert sink.requests[0].headers["x-live"] == "true"
    evil = builders.event(object={"note": "a\r\nx-evil: 1"})
    async with notifier(target(sink.url())) as made:
        with pytest.raises(DestinationError, match="line break"):
            rendered(made, step(Verb.CALLBACK, "cases", headers={"x-note": "{{ object.note }}"}), "cases", evil)


async def test_the_method_is_the_rules(sink: HttpSink) -> None:
    await send(sink, method="put")
    await send(sink, method="GET")
    assert [request.method for request in sink.requests] == ["PUT", "GET"]
    assert sink.requests[1].body == b""
    with pytest.raises(DestinationError, match="method"):
        await send(sink, method="CONNECT")


async def test_a_callback_that_is_no_longer_configured_is_refused_by_name(sink: HttpSink) -> None:
    async with notifier(target(sink.url(), "other")) as made:
        outcome = await made.deliver(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))
    assert outcome == Refused(reason="no callback 'cases' is configured any more; configured: other")
