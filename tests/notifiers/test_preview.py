"""What a preview shows is what is sent: each is held against what really arrived."""

import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from engine.errors import DestinationError
from engine.model.rule import Severity, Verb
from notifiers.notify import NotifyNotifier
from tests import builders
from tests.fakes.http_sink import HttpSink
from tests.fakes.smtp import smtp_server
from tests.fakes.stripe_api import StripeApi as FakeApi
from tests.notifiers.callbacks import NEW, notifier, sink
from tests.notifiers.deliveries import channel, rendered, step, target
from tests.notifiers.stripe_steps import allowed, fake, stripe
from tests.notifiers.stripe_steps import notifier as stripe_notifier

__all__ = ["fake", "sink"]

MARKDOWN = {"title": "{{ object | money }} & more", "text": "**Bold** <b>\nof {{ account.id }}", "format": "markdown"}


@pytest.mark.parametrize("options", [{}, {"body": {"id": "{{ object.id }}"}}, {"body": "plain", "method": "PUT"}])
async def test_a_callback_arrives_as_it_was_shown(sink: HttpSink, options: dict[str, Any]) -> None:
    """Method, path, body and headers; only what is secret is masked."""
    cases = target(sink.url("/hook?x=1"), secrets=(NEW,), headers={"X-Key": "hidden", "Authorization": "Bearer t"})
    async with notifier(cases) as made:
        delivery = rendered(made, step(Verb.CALLBACK, "cases", headers={"X-Kind": "a"}, **options), "cases")
        shown = made.preview(delivery)
        assert sink.requests == []
        await made.deliver(delivery)
    (arrived,) = sink.requests
    assert (shown["method"], shown["url"]) == (arrived.method, sink.url(arrived.path))
    assert shown["body"].encode() == arrived.body
    masked = {name for name, value in shown["headers"].items() if value == "****"}
    assert masked == {"x-key", "authorization", "webhook-signature"}
    for name, value in shown["headers"].items():
        assert name in masked or arrived.headers[name] == value
    assert "hidden" not in str(shown)


async def test_a_get_is_shown_without_a_body(sink: HttpSink) -> None:
    async with notifier(target(sink.url("/hook"))) as made:
        assert made.preview(rendered(made, step(Verb.CALLBACK, "cases", method="GET"), "cases"))["body"] is None


async def test_a_callback_that_may_not_go_there_says_why() -> None:
    async with notifier() as made:
        with pytest.raises(DestinationError, match="no callback 'cases'"):
            made.preview(rendered(made, step(Verb.CALLBACK, "cases"), "cases"))


async def test_a_message_arrives_as_it_was_shown(sink: HttpSink) -> None:
    """As the service gets it: here JSON, which takes Markdown as it is."""
    url = f"json://127.0.0.1:{sink.port}/token-in-path"
    made = NotifyNotifier({"payments": channel("payments", url)}, io.StringIO())
    delivery = rendered(made, step(Verb.NOTIFY, "payments", **MARKDOWN), "payments", severity=Severity.HIGH)
    shown = made.preview(delivery)
    assert sink.requests == []
    await made.deliver(delivery)
    (arrived,) = sink.requests
    assert shown["service"] == "JSON"
    (message,) = shown["messages"]
    assert (message["title"], message["text"]) == (arrived.json["title"], arrived.json["message"])
    assert "token-in-path" not in str(shown)


async def test_a_mail_is_shown_in_the_form_of_mails() -> None:
    """Markdown becomes HTML, and so does what is shown."""
    async with smtp_server() as server:
        made = NotifyNotifier({"mail": channel("mail", server.url("b@example.com"))}, io.StringIO())
        delivery = rendered(made, step(Verb.NOTIFY, "mail", **MARKDOWN), "mail")
        (message,) = made.preview(delivery)["messages"]
        assert server.mails == []
        await made.deliver(delivery)
        assert message["format"] == "html"
        assert "<strong>Bold</strong>" in message["text"]
        html = server.mails[0].message.get_body(("html",))
        assert html is not None
        assert "<strong>Bold</strong>" in html.get_content()


async def test_the_console_prints_what_was_shown() -> None:
    printed = io.StringIO()
    made = NotifyNotifier({"payments": channel("payments")}, printed)
    delivery = rendered(made, step(Verb.NOTIFY, "payments"), "payments")
    (message,) = made.preview(delivery)["messages"]
    assert printed.getvalue() == ""
    await made.deliver(delivery)
    assert message["text"] == printed.getvalue()


async def test_a_long_message_is_shown_in_the_pieces_it_is_sent_in() -> None:
    """Or cut, as the service has it."""
    url = "discord://webhook1234567/token-of-the-webhook?overflow=split"
    made = NotifyNotifier({"chat": channel("chat", url)}, io.StringIO())
    delivery = rendered(made, step(Verb.NOTIFY, "chat", title="t", text="word " * 1000), "chat")
    messages = made.preview(delivery)["messages"]
    assert len(messages) > 1
    assert all(len(message["text"]) <= 2000 for message in messages)


async def test_a_call_of_stripe_is_made_as_it_was_shown(fake: FakeApi) -> None:
    """Path, account, parameters, and of the key no more than its name."""
    async with stripe_notifier(fake, allowed("payouts.update")) as made:
        writing = stripe("payouts.update", with_={"id": "po_1", "metadata": {"seen": "yes"}})
        delivery = rendered(made, writing, "payouts.update")
        shown = made.preview(delivery)
        assert fake.requests == []
        await made.deliver(delivery)
    (asked,) = fake.requests
    assert (shown["method"], shown["url"]) == (asked.method, f"{fake.url}{asked.path}")
    assert shown["headers"] == {"Stripe-Account": asked.account, "Idempotency-Key": asked.idempotency_key}
    assert shown["params"] == asked.params
    assert shown["key"] == "stripe.keys.live"
    assert asked.key not in str(shown)


async def test_a_call_that_would_be_refused_says_why(fake: FakeApi) -> None:
    """Without a key for the mode, or with a write that is not allowed."""
    async with stripe_notifier(fake, keys={}) as made:
        reading = rendered(made, stripe("GET /v1/balance"), "GET /v1/balance", builders.event(livemode=False))
        with pytest.raises(DestinationError, match="no key for this test event"):
            made.preview(reading)
    async with stripe_notifier(fake) as made:
        writing = rendered(made, stripe("payouts.update", with_={"id": "po_1"}), "payouts.update")
        with pytest.raises(DestinationError, match="a write that the configuration does not allow"):
            made.preview(writing)
    assert fake.requests == []


async def test_a_channel_that_is_gone_says_so() -> None:
    made = NotifyNotifier({"payments": channel("payments", timeout=timedelta(seconds=1))}, io.StringIO())
    with pytest.raises(DestinationError, match="no channel 'gone'"):
        made.preview(rendered(made, step(Verb.NOTIFY, "gone"), "gone"))


HOSTILE = (
    "x@everyone @here <!channel> <@U1> <https://evil.example|a> [verify](https://evil.example) ![i](https://e.example)"
)
CHATS = {
    "Discord": "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz",
    "Discord with embeds": "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz?format=markdown",
    "Mattermost": "mmost://host/abcdefghijklmnopqrstuvwx",
    "Rocket.Chat": "rocket://aaaaa/bbbbbbbbbbbb@host/#ch",
    "Rocket.Chat as text": "rocket://aaaaa/bbbbbbbbbbbb@host/#ch?format=text",
    "Matrix": "matrix://user:pass@host/#room",
    "Teams": "workflow://host:443/aaaaaaaa/bbbbbbbb",
    "Teams as text": "workflow://host:443/aaaaaaaa/bbbbbbbb?format=text",
    "Google Chat": "gchat://ws/key/token",
    "Google Chat as text": "gchat://ws/key/token?format=text",
    "Zulip": f"zulip://bot@org/{'a' * 32}/stream",
    "Webex": f"wxteams://{'a' * 80}",
    "Mastodon": "mastodon://token@host",
    "Slack": f"slack://AAAAAAAAA/BBBBBBBBB/{'c' * 24}/#x",
    "Ryver": f"ryver://org/{'a' * 15}",
    "Guilded": f"guilded://{'a' * 24}/{'b' * 64}",
    "Nextcloud Talk": "nctalk://u:p@host/room",
    "Notifiarr": "notifiarr://key/123",
}


@pytest.mark.parametrize("url", CHATS.values(), ids=CHATS)
async def test_a_plain_text_is_no_link_and_mentions_nobody(url: str) -> None:
    """Whatever a chat makes of what it is given: neither of the text, nor of the title."""
    made = NotifyNotifier({"payments": channel("payments", url)}, io.StringIO())
    hostile = builders.event(object={"failure_message": HOSTILE})
    options = {"title": "{{ object.failure_message }}", "text": "{{ object.failure_message }} https://ok.example/pi_1"}
    shown = made.preview(rendered(made, step(Verb.NOTIFY, "payments", **options), "payments", hostile))
    for message in shown["messages"]:
        told = message["title"] + message["text"]
        assert not re.search(r"@\W*(everyone|here|channel|all|U1)|<[!@h]|\][\\\\]?\(", told), told
        assert "verify" in told
        assert "https://ok.example/pi_1" in told.replace("\\", "")


async def test_markdown_of_a_rule_stays_but_for_its_title() -> None:
    made = NotifyNotifier({"payments": channel("payments", CHATS["Mattermost"])}, io.StringIO())
    options = {"title": "[t](https://a.example)", "text": "@here [look](https://a.example)", "format": "markdown"}
    (message,) = made.preview(rendered(made, step(Verb.NOTIFY, "payments", **options), "payments"))["messages"]
    assert "@here [look](https://a.example)" in message["title"] + message["text"]
    assert "[t](" not in message["title"] + message["text"]


async def test_what_only_carries_text_gets_it_as_it_is(sink: HttpSink) -> None:
    """A webhook's receiver, or a mail, makes nothing of it."""
    made = NotifyNotifier({"payments": channel("payments", f"json://127.0.0.1:{sink.port}/x")}, io.StringIO())
    options = {"title": "T @here", "text": "@everyone [verify](https://a.example)"}
    await made.deliver(rendered(made, step(Verb.NOTIFY, "payments", **options), "payments"))
    assert json.loads(sink.requests[0].body)["message"] == "@everyone [verify](https://a.example)"


async def test_mattermost_is_sent_no_link_and_no_mention(sink: HttpSink) -> None:
    made = NotifyNotifier({"payments": channel("payments", f"mmost://127.0.0.1:{sink.port}/{'a' * 24}")}, io.StringIO())
    hostile = builders.event(object={"failure_message": HOSTILE})
    options = {"title": "{{ object.failure_message }}", "text": "{{ object.failure_message }}"}
    await made.deliver(rendered(made, step(Verb.NOTIFY, "payments", **options), "payments", hostile))
    sent = json.loads(sink.requests[0].body)["text"]
    assert "＠here" in sent
    assert not re.search(r"@|\]\(|<", sent)
