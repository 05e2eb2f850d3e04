"""Digests through the notify verb: each channel gets the form that it shows, and what arrives is a table."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.model.delivery import Delivery
from engine.model.outcome import Delivered
from engine.model.rule import Verb
from engine.render import Form
from notifiers import channels
from notifiers.notify import NotifyNotifier
from tests.fakes.http_sink import HttpSink, http_sink
from tests.fakes.smtp import smtp_server
from tests.notifiers.deliveries import channel, delivery, step
from tests.render.digests import gathered


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as running:
        yield running


def rendered(notifier: NotifyNotifier, destination: str = "payments", **options: Any) -> Delivery:
    """A digest of four failed payouts, as the engine hands it to `deliver`."""
    planned = delivery(Verb.NOTIFY, destination)
    return delivery(
        Verb.NOTIFY,
        destination,
        request=notifier.render(step(Verb.NOTIFY, "payments", **options), planned, gathered(4)),
    )


@pytest.mark.parametrize(
    ("url", "form", "limit"),
    [
        (None, Form.TERMINAL, 30_000),
        ("mailto://u:p@example.com", Form.HTML, 29_491),
        ("mailto://u:p@example.com?format=text", Form.LINES, 29_491),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general", Form.BLOCK, 30_000),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", Form.BLOCK, 1_800),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", Form.BLOCK, 3_436),
        ("mmosts://h.example.com/3ccdd113474722377935511fc85d3dd4", Form.LINES, 3_350),
        ("rockets://user:pass@h.example.com/#general", Form.LIST, 650),
        ("nothing://at-all", Form.LINES, 30_000),
    ],
)
def test_each_channel_has_its_form(url: str | None, form: Form, limit: int) -> None:
    """By the formats and the longest text that Apprise knows of its service, and what the URL says."""
    assert channels.shape(channel(url=url)) == (form, limit)


async def test_a_late_mail_says_so_below_its_table() -> None:
    async with smtp_server() as smtp:
        mail = channel(url=smtp.url("a@example.com"))
        late = datetime.now(UTC) + timedelta(hours=5)
        notifier = NotifyNotifier({"payments": mail}, io.StringIO(), clock=lambda: late)
        assert await notifier.deliver(rendered(notifier)) == Delivered()
    body = smtp.mails[0].message.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert html.index("</table>") < html.index("<p>sent 4 h late</p>")


async def test_a_mail_has_a_table() -> None:
    """Of HTML, under a subject that says how many; where the text is the rule's own Markdown, below it."""
    async with smtp_server() as smtp:
        notifier = NotifyNotifier({"payments": channel(url=smtp.url("a@example.com"))}, io.StringIO())
        own: dict[str, Any] = {"text": "**Call** them", "format": "markdown", "table": {"Who": "$account.name"}}
        for options in (dict[str, Any](), own):
            assert isinstance(await notifier.deliver(rendered(notifier, **options)), Delivered)
        whole, under = smtp.mails
    assert whole.subject.startswith("4 × Payout failed · ")
    body = whole.message.get_body(("html",))
    assert body is not None
    assert "<td>Smith &amp; Sons | Bakers</td>" in body.get_content()
    assert body.get_content().count("<tr") == 5
    body = under.message.get_body(("html",))
    assert body is not None
    assert "<strong>Call</strong>" in body.get_content()
    assert body.get_content().count("<tr") == 5


async def test_a_chat_has_a_block_of_code(sink: HttpSink) -> None:
    notifier = NotifyNotifier({"payments": channel(url=f"json://127.0.0.1:{sink.port}/x")}, io.StringIO())
    assert isinstance(await notifier.deliver(rendered(notifier)), Delivered)
    message = sink.requests[0].json["message"]
    assert message.count("```") == 2
    assert "\n09:22  Smith & Sons | Bakers  €4,220.50  The bank account has been closed." in message


async def test_the_console_has_columns() -> None:
    """Behind its rail, and about the rule alone, as a digest is about no one event."""
    stream = io.StringIO()
    notifier = NotifyNotifier({"console": channel("console")}, stream)
    made = rendered(notifier, "console")
    assert made.request["event"] is None
    assert (made.request["format"], made.request["live"]) == ("text", True)
    await notifier.deliver(made)
    printed = stream.getvalue()
    assert "┃  When   Account                   Amount  Reason\n" in printed
    assert "┗━ rule payout-failed · to console" in printed


async def test_a_digest_is_previewed_as_it_is_sent() -> None:
    """Also for a channel that is short: what is not listed is counted."""
    url = "rockets://user:pass@h.example.com/#general"
    notifier = NotifyNotifier({"payments": channel(url=url)}, io.StringIO())
    planned = delivery(Verb.NOTIFY, "payments")
    request = notifier.render(step(Verb.NOTIFY, "payments"), planned, gathered(40))
    (message,) = notifier.preview(delivery(Verb.NOTIFY, "payments", request=request))["messages"]
    assert len(message["text"]) <= 1_000
    assert "more\n" in message["text"]
