"""The notify verb through real Apprise to a real SMTP server and real HTTP servers."""

import asyncio
import io
import json
import logging
import os
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from engine.errors import DestinationError, TemplateError
from engine.model.outcome import Delivered, Outcome, Refused, Retry
from engine.model.rule import Severity, Verb
from engine.observe.outlet import AT_ONCE
from engine.settings import Channel
from notifiers import channels
from notifiers.lanes import LATER, Lanes
from notifiers.notify import NotifyNotifier, report
from tests import builders
from tests.fakes.http_sink import (
    Answer,
    Drip,
    Hang,
    Hangup,
    HttpSink,
    Reset,
    http_sink,
    limited,
    redirect,
    refused_port,
)
from tests.fakes.smtp import smtp_server
from tests.notifiers.deliveries import channel, delivery, rendered, step

NOTIFY = step(Verb.NOTIFY, "payments", title="Payout of {{ object | money }} failed", text="{{ account.id }} & co")


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as running:
        yield running


def json_url(sink: HttpSink, extra: str = "") -> str:
    return f"json://127.0.0.1:{sink.port}/token-in-path" + (f"?{extra}" if extra else "")


async def send(made: Channel, destination: str = "payments", **options: object) -> Outcome:
    """One message to that channel, of the step above unless options are given."""
    notifier = NotifyNotifier({made.name: made}, io.StringIO())
    chosen = step(Verb.NOTIFY, "payments", **options) if options else NOTIFY
    return await notifier.deliver(rendered(notifier, chosen, destination))


def short(url: str, name: str = "payments") -> Channel:
    return channel(name, url, timeout=timedelta(seconds=0.4))


async def test_a_mail_arrives_with_its_title_and_text() -> None:
    async with smtp_server() as smtp:
        outcome = await send(channel(url=smtp.url("ops@example.com")))
        assert outcome == Delivered()
        [mail] = smtp.mails
    assert mail.recipients == ["ops@example.com"]
    assert mail.subject == "Payout of $123.45 failed"
    assert mail.text.strip() == "acct_1 & co"
    assert mail.message["X-Application"] == "Tocsin"


async def test_each_recipient_is_a_destination_of_its_own() -> None:
    async with smtp_server() as smtp:
        made = channel(url=smtp.url("a@example.com,b@example.com"))
        assert channels.recipients(made) == ("a@example.com", "b@example.com")
        smtp.refuse["b@example.com"] = "550 no such user"
        assert isinstance(await send(made, "payments/a@example.com"), Delivered)
        refused = await send(made, "payments/b@example.com")
        assert [mail.recipients for mail in smtp.mails] == [["a@example.com"]]
    assert isinstance(refused, Refused)
    assert refused.status == 550


async def test_a_recipient_that_left_the_channel_is_refused() -> None:
    async with smtp_server() as smtp:
        outcome = await send(channel(url=smtp.url("a@example.com,b@example.com")), "payments/c@example.com")
        assert smtp.mails == []
    assert outcome == Refused(reason="payments: the channel no longer names this recipient")


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        ("550 5.1.1 no such user", Refused, "mailbox does not exist"),
        ("451 4.3.0 later", Retry, "trouble"),
        ("452 4.2.2 full", Retry, "out of space"),
        ("599 odd", Refused, "said no"),
    ],
)
async def test_what_a_mail_server_says_of_a_recipient_decides(reply: str, kind: type[Outcome], says: str) -> None:
    async with smtp_server() as smtp:
        smtp.refuse["a@example.com"] = reply
        outcome = await send(channel(url=smtp.url("a@example.com")))
    assert isinstance(outcome, kind)
    assert isinstance(outcome, Retry | Refused)
    assert outcome.status == int(reply[:3])
    assert says in outcome.reason


@pytest.mark.parametrize(("reply", "kind"), [("554 5.7.1 spam", Refused), ("421 4.7.0 busy", Retry)])
async def test_what_a_mail_server_says_of_a_message_decides(reply: str, kind: type[Outcome]) -> None:
    async with smtp_server() as smtp:
        smtp.answer = reply
        outcome = await send(channel(url=smtp.url("a@example.com")))
    assert isinstance(outcome, kind)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
async def test_a_refused_login_is_refused_without_the_password() -> None:
    async with smtp_server(password="right") as smtp:
        outcome = await send(channel(url=smtp.url("a@example.com", user="user", password="wrong-password")))
        assert isinstance(outcome, Refused)
        assert "login was refused" in outcome.reason
        assert "wrong-password" not in repr(outcome)
        assert smtp.mails == []
        right = await send(channel(url=smtp.url("a@example.com", user="user", password="right")))
        assert isinstance(right, Delivered)


async def test_a_mail_server_that_hangs_is_retried_and_may_have_it() -> None:
    async with smtp_server() as smtp:
        smtp.hang = True
        outcome = await send(short(smtp.url("a@example.com")))
    assert isinstance(outcome, Retry)
    assert outcome.maybe_delivered


async def test_a_webhook_gets_the_message_and_its_severity(sink: HttpSink) -> None:
    await send(channel(url=json_url(sink)))
    sent = sink.requests[0].json
    assert (sent["title"], sent["message"], sent["type"]) == ("Payout of $123.45 failed", "acct_1 & co", "warning")


@pytest.mark.parametrize(
    ("severity", "kind"),
    [("info", "info"), ("low", "info"), ("medium", "warning"), ("high", "failure"), ("critical", "failure")],
)
async def test_severity_becomes_apprises_type(sink: HttpSink, severity: str, kind: str) -> None:
    notifier = NotifyNotifier({"payments": channel(url=json_url(sink))}, io.StringIO())
    await notifier.deliver(rendered(notifier, NOTIFY, "payments", severity=Severity(severity)))
    assert sink.requests[0].json["type"] == kind


async def test_the_default_message_stands_in_for_what_the_rule_does_not_say(sink: HttpSink) -> None:
    notifier = NotifyNotifier({"payments": channel(url=json_url(sink))}, io.StringIO())
    event = builders.event(livemode=False)
    for options in ({}, {"text": "only the text"}, {"title": "only the title"}):
        await notifier.deliver(rendered(notifier, step(Verb.NOTIFY, "payments", **options), "payments", event))
    default, text, title = (request.json for request in sink.requests)
    assert default["title"].startswith("[TEST] ")
    assert "bank account" in default["message"]
    assert (text["title"], text["message"]) == (default["title"], "only the text")
    assert (title["title"], title["message"]) == ("[TEST] only the title", default["message"])


async def test_a_text_about_an_object_that_a_thin_event_lacks_gives_way_to_the_default(sink: HttpSink) -> None:
    notifier = NotifyNotifier({"payments": channel(url=json_url(sink))}, io.StringIO())
    await notifier.deliver(rendered(notifier, NOTIFY, "payments", builders.event("v1.payout.failed")))
    assert "does not carry" in sink.requests[0].json["message"]


async def test_markdown_is_converted_for_what_reads_html() -> None:
    async with smtp_server() as smtp:
        made = channel(url=smtp.url("a@example.com"))
        await send(made, title="t", text="**{{ account.id }}**", format="markdown")
        await send(made, title="t", text="**{{ account.id }}** <b>", format="text")
        markdown, plain = smtp.mails
    html = markdown.message.get_body(("html",))
    assert html is not None
    assert "<strong>acct_1</strong>" in html.get_content()
    assert plain.text.strip() == "**acct_1** <b>"


async def test_undefined_names_and_formats_are_errors() -> None:
    notifier = NotifyNotifier({"payments": channel()}, io.StringIO())
    with pytest.raises(TemplateError, match="custmer"):
        rendered(notifier, step(Verb.NOTIFY, "payments", text="{{ object.custmer }}"), "payments")
    with pytest.raises(DestinationError, match="markdown or text"):
        rendered(notifier, step(Verb.NOTIFY, "payments", text="x", format="html"), "payments")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503])
async def test_what_may_pass_is_retried(sink: HttpSink, status: int) -> None:
    sink.say(limited("60") if status == 429 else Answer(status=status))
    outcome = await send(channel(url=json_url(sink)))
    assert isinstance(outcome, Retry)
    assert (outcome.status, outcome.maybe_delivered) == (status, False)
    assert outcome.reason.startswith(f"payments (JSON) answered {status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_what_cannot_pass_is_refused_without_the_token(sink: HttpSink, status: int) -> None:
    sink.say(Answer(status=status, body=b"token-in-path is wrong"))
    outcome = await send(channel(url=json_url(sink)))
    assert isinstance(outcome, Refused)
    assert outcome.status == status
    assert "token-in-path" not in repr(outcome)


async def test_a_redirect_is_not_followed(sink: HttpSink) -> None:
    sink.say(redirect(sink.url("/elsewhere")))
    outcome = await send(channel(url=json_url(sink)))
    assert isinstance(outcome, Refused)
    assert len(sink.requests) == 1


async def test_apprises_own_retries_and_optional_flag_are_off(sink: HttpSink) -> None:
    sink.always(Answer(status=503))
    outcome = await send(channel(url=json_url(sink, "retry=5&wait=0.1&optional=yes")))
    assert isinstance(outcome, Retry)
    assert len(sink.requests) == 1


@pytest.mark.parametrize("behaviour", [Hang(), Drip(0.01)])
async def test_a_server_that_never_ends_is_retried_and_may_have_it(sink: HttpSink, behaviour: Hang | Drip) -> None:
    sink.say(behaviour)
    async with asyncio.timeout(5):
        outcome = await send(short(json_url(sink)))
    assert isinstance(outcome, Retry)
    assert "no answer" in outcome.reason
    assert outcome.maybe_delivered


@pytest.mark.parametrize("behaviour", [Reset(), Hangup()])
async def test_a_connection_that_breaks_is_retried_and_may_have_it(sink: HttpSink, behaviour: Reset | Hangup) -> None:
    sink.say(behaviour)
    outcome = await send(channel(url=json_url(sink)))
    assert outcome == Retry(reason="payments (JSON): the connection broke", maybe_delivered=True)


async def test_a_refused_connection_is_retried_and_has_not_arrived() -> None:
    outcome = await send(channel(url=f"json://127.0.0.1:{refused_port()}/token-in-path"))
    assert outcome == Retry(reason="payments (JSON): connection refused")


async def test_a_dead_host_starves_nobody(sink: HttpSink) -> None:
    async with http_sink() as dead:
        dead.always(Hang())
        made = {"dead": short(json_url(dead), "dead"), "alive": channel("alive", json_url(sink))}
        notifier = NotifyNotifier(made, io.StringIO(), lanes=Lanes(patience=0.05))
        before = threading.active_count()
        stuck = [asyncio.create_task(notifier.deliver(rendered(notifier, NOTIFY, "dead"))) for _ in range(50)]
        await dead.received(2)
        assert threading.active_count() - before <= 2
        async with asyncio.timeout(5):
            assert isinstance(await notifier.deliver(rendered(notifier, NOTIFY, "alive")), Delivered)
        outcomes = await asyncio.gather(*stuck)
    tried = [each for each in outcomes if isinstance(each, Retry) and each.attempted]
    waiting = [each for each in outcomes if isinstance(each, Retry) and not each.attempted]
    assert (len(tried), len(waiting)) == (2, 48)
    assert waiting[0].reason == "dead is busy"
    assert waiting[0].after is not None


async def test_names_of_one_url_share_its_lane(sink: HttpSink) -> None:
    async with http_sink() as dead:
        dead.always(Hang())
        made = {name: short(json_url(dead), name) for name in ("payments", "risk", "onboarding")}
        notifier = NotifyNotifier(made, io.StringIO(), lanes=Lanes(patience=0.05))
        outcomes = await asyncio.gather(*(notifier.deliver(rendered(notifier, NOTIFY, name)) for name in made))
        assert len(dead.requests) == 2
    assert sum(isinstance(each, Retry) and not each.attempted for each in outcomes) == 1


async def test_what_is_stored_is_json_without_the_url(sink: HttpSink) -> None:
    notifier = NotifyNotifier({"payments": channel(url=json_url(sink))}, io.StringIO())
    assert "token-in-path" not in json.dumps(rendered(notifier, NOTIFY, "payments").request)


async def test_nothing_of_apprise_reaches_our_log(sink: HttpSink) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.name)  # type: ignore[method-assign]  # all it is here for
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        sink.say(Answer(status=500))
        await send(channel(url=json_url(sink)))
        logging.getLogger("tocsin").warning("seen")
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert "tocsin" in lines
    assert "apprise" not in lines


async def test_a_channel_that_is_no_longer_configured_is_refused_by_name() -> None:
    notifier = NotifyNotifier({"risk": channel("risk")}, io.StringIO())
    outcome = await notifier.deliver(rendered(notifier, NOTIFY, "payments"))
    assert outcome == Refused(reason="no channel 'payments' is configured any more; configured: risk")


async def test_a_channel_that_cannot_be_read_is_refused_without_its_url() -> None:
    outcome = await send(channel(url="slakc://hidden-token"))
    assert isinstance(outcome, Refused)
    assert "hidden-token" not in outcome.reason
    assert "did you mean 'slack://'?" in outcome.reason


async def test_the_console_prints_the_alert() -> None:
    out = io.StringIO()
    notifier = NotifyNotifier({"console": channel("console")}, out)
    assert await notifier.deliver(rendered(notifier, step(Verb.NOTIFY, "console"), "console")) == Delivered()
    for part in ("MEDIUM", "payout.failed", "evt_1", "acct_1", "rule payout-failed", "to console"):
        assert part in out.getvalue()


@pytest.mark.parametrize(
    ("minutes", "line"), [(0, None), (59, None), (61, "sent 1 h late"), (60 * 72, "sent 3 days late")]
)
async def test_what_goes_out_more_than_an_hour_after_it_was_made_says_so(minutes: int, line: str | None) -> None:
    """Its destination was away, or nothing ran: what is stored stays as it is, and the line is added to it."""
    out = io.StringIO()
    made = rendered(NotifyNotifier({}, out), step(Verb.NOTIFY, "console", text="What happened"), "console")
    now = made.created + timedelta(minutes=minutes)
    notifier = NotifyNotifier({"console": channel("console")}, out, clock=lambda: now)
    assert await notifier.deliver(made) == Delivered()
    assert ("late" in out.getvalue()) == (line is not None)
    assert line is None or line in out.getvalue()
    assert made.request["text"] == "What happened"


async def test_a_closed_console_is_retried() -> None:
    out = io.StringIO()
    out.close()
    notifier = NotifyNotifier({"console": channel("console")}, out)
    outcome = await notifier.deliver(rendered(notifier, step(Verb.NOTIFY, "console"), "console"))
    assert isinstance(outcome, Retry)


async def test_a_console_that_nobody_reads_keeps_nobody_waiting_and_is_written_when_it_is_read() -> None:
    """Only what one write holds may have arrived; the rest comes back without a try, as to any channel that is busy."""
    from_, to = os.pipe()
    with os.fdopen(to, "w") as out:
        os.write(to, b"-" * 65536)  # what a pipe holds
        notifier = NotifyNotifier({"console": channel("console", timeout=timedelta(seconds=1.5))}, out)
        long = rendered(notifier, step(Verb.NOTIFY, "console", text="x" * 30_000), "console")
        first = asyncio.create_task(notifier.deliver(long))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(notifier.deliver(long)) for _ in range(40)]
        began = asyncio.get_running_loop().time()
        outcomes = await asyncio.gather(first, *waiting)
        assert asyncio.get_running_loop().time() - began < 4
        busy = Retry(reason="console is busy: nobody reads it", after=LATER, attempted=False)
        unread = Retry(reason="console: cannot be written: nobody reads it", maybe_delivered=True)
        assert outcomes[0] == unread
        assert set(outcomes) == {busy, unread}
        assert outcomes.count(unread) <= AT_ONCE
        assert await notifier.deliver(long) == busy
        reading = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(from_, 65536), b"")], daemon=True)
        reading.start()
        async with asyncio.timeout(10):
            while await notifier.deliver(long) != Delivered():  # noqa: ASYNC110  another thread reads
                await asyncio.sleep(0.05)
    reading.join(10)
    os.close(from_)


async def test_a_report_of_tocsins_own_is_sent_like_any_message(sink: HttpSink) -> None:
    notifier = NotifyNotifier({"ops": channel("ops", json_url(sink)), "console": channel("console")}, io.StringIO())
    request = report("rules/a.yaml is broken", "line 3", Severity.HIGH)
    for name in ("ops", "console"):
        sent = delivery(Verb.NOTIFY, name, firing=None, event=None, rule="tocsin", request=request)
        assert isinstance(await notifier.deliver(sent), Delivered)
    assert sink.requests[0].json["title"] == "rules/a.yaml is broken"
