"""The `notify` verb: people, through Apprise or the console.

Every attempt is one Apprise object for one destination in a thread of its own lane (`notifiers.lanes`); what a failure
means is decided by `notifiers.failures`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import TextIO

from engine.errors import DestinationError
from engine.model.delivery import Delivery
from engine.model.event import Json
from engine.model.outcome import Delivered, Outcome, Refused, Retry, Scene
from engine.model.rule import Severity, Step, Verb
from engine.observe.outlet import Unread, outlet
from engine.render import Form, acknowledge_line, render_alert, render_digest, sent_late
from engine.render.digest import LONGEST
from engine.settings import Channel
from notifiers import channels
from notifiers.answers import clean
from notifiers.channels import Sent
from notifiers.console import Alert, print_alert, write_alert, written_alert
from notifiers.failures import judge_failure
from notifiers.lanes import LATER, Busy, Lanes

FORMATS = ("markdown", "text")


class NotifyNotifier:
    """Sends messages. A delivery's `destination` is `channel` or `channel/recipient`.

    What is stored with it is `{title, text, format, severity, live, event, type, account, rule}`, where `format` is
    text, markdown or, of digests alone, html; the channel's URL is read from the configuration at each attempt and
    never stored. `share` is this process's part of a channel's concurrency. What goes out more than an hour after it
    was made says so: that alone is added to what is stored.
    """

    verb = Verb.NOTIFY

    def __init__(
        self,
        channels: Mapping[str, Channel],
        console: TextIO,
        *,
        lanes: Lanes | None = None,
        share: Callable[[int], int] = lambda all_: all_,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._channels = channels
        self._console = console
        self._outlet = outlet(console)
        self._lanes = lanes or Lanes()
        self._share = share

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        """The message: the step's title and text, and the default ones for what it does not say."""
        if scene.get("digest"):
            return self._digest(step, delivery, scene)
        options = step.options
        message = render_alert(options.get("title"), options.get("text"), scene)
        # Plain unless the rule's own text is Markdown: in Markdown, what a customer wrote could become a link.
        markup = str(options.get("format") or message.format) if options.get("text") else message.format
        if markup not in FORMATS:
            raise DestinationError(f"the format of a message is markdown or text, not {markup[:20]!r}")
        event, account = scene["event"], scene["account"]
        about = event if type(event) is dict else {}
        text = _noted(message.text, delivery, acknowledge_line(scene["incident"]))
        return {
            **_message(message.title, text, markup, Severity(scene["rule"]["severity"])),
            "live": about.get("livemode") is not False,
            "event": about.get("id"),
            "type": about.get("type"),
            "account": account.get("id"),
            "rule": scene["rule"]["id"],
        }

    def _digest(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        """The message of many events, as its channel shows tables. It is about no one event."""
        name = delivery.destination.partition("/")[0]
        channel = self._channels.get(name)
        form, limit = channels.shape(channel) if channel is not None else channels.Shape(Form.LINES, LONGEST)
        message = render_digest(step.options, scene, form, limit=limit)
        return {
            **_message(message.title, message.text, message.format, Severity(scene["rule"]["severity"])),
            "live": scene["event"].get("livemode") is not False,
            "event": None,
            "type": None,
            "account": scene["account"].get("id"),
            "rule": scene["rule"]["id"],
        }

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One message to one recipient."""
        try:
            channel, recipient = self._recipient(delivery.destination)
        except DestinationError as error:
            return Refused(reason=str(error))
        request = _belated(delivery.request, sent_late(delivery.created, self._clock()))
        if channel.url is None:
            return await self._print(channel, _alert(channel.name, delivery, request))
        return await self._send(channel, recipient, request)

    def preview(self, delivery: Delivery) -> Json:
        """`{service, messages: [{title, text, format}]}`: as the channel's service is given it, after its limits and
        its own form of text (HTML for a mail, say); more than one where the service splits a long one."""
        channel, recipient = self._recipient(delivery.destination)
        if channel.url is None:
            printed = {"title": "", "text": print_alert(_alert(channel.name, delivery, delivery.request))}
            return {"service": "console", "messages": [{**printed, "format": "text"}]}
        return channels.preview(channel, recipient, **_content(delivery.request))

    def _recipient(self, destination: str) -> tuple[Channel, str | None]:
        """The channel and which of its recipients, None for all. Raises DestinationError for one that is gone."""
        name, _, recipient = destination.partition("/")
        channel = self._channels.get(name)
        if channel is None:
            known = ", ".join(self._channels)
            raise DestinationError(f"no channel '{name}' is configured any more; configured: {known}")
        return channel, recipient or None

    async def warm(self) -> None:
        """Import Apprise, where a channel needs it, so that the first alert need not wait for it."""
        if any(channel.url is not None for channel in self._channels.values()):
            await channels.warm()

    async def close(self) -> None:
        """Nothing is kept open between messages; a thread that still sends is left to end by itself."""

    async def _print(self, channel: Channel, alert: Alert) -> Outcome:
        try:
            if self._outlet is None:
                write_alert(self._console, alert)
            else:  # behind a write that hangs it holds no place and uses up no attempt, as in a lane that is busy
                await self._outlet.write(written_alert(self._console, alert), channel.timeout.total_seconds())
        except Unread:
            return Retry(reason="console is busy: nobody reads it", after=LATER, attempted=False)
        except TimeoutError:
            return Retry(reason="console: cannot be written: nobody reads it", maybe_delivered=True)
        except (OSError, ValueError) as error:  # a closed or full stream; ValueError is Python's for a closed one
            return Retry(reason=f"console: cannot be written ({type(error).__name__})")
        return Delivered()

    async def _send(self, channel: Channel, recipient: str | None, request: Json) -> Outcome:
        assert channel.url is not None
        timeout = channel.timeout.total_seconds()

        def send() -> Sent:
            return channels.send(channel, recipient, **_content(request))

        at_once = None if channel.concurrency is None else self._share(channel.concurrency)
        try:
            sent = await self._lanes.run(channel.url.get_secret_value(), send, within=timeout, at_once=at_once)
        except Busy as busy:
            return Retry(reason=f"{channel.name} is busy", after=busy.after, attempted=False)
        except TimeoutError:
            return Retry(reason=f"{channel.name}: no answer within {timeout:g} s", maybe_delivered=True)
        except DestinationError as error:
            return Refused(reason=f"{channel.name}: {error}")
        except Exception as error:  # plugins of many authors; the type names the fault, its text may hold the URL
            return Retry(reason=f"{channel.name}: its plugin failed ({type(error).__name__})", maybe_delivered=True)
        return _outcome(channel, sent)


def _noted(text: str, delivery: Delivery, acknowledge: str | None) -> str:
    """The text with what goes out with it; a link that it has itself is not added."""
    url = None if acknowledge is None else acknowledge.rpartition(" ")[2]
    lines = [delivery.note, acknowledge if url is not None and url not in text else None]
    added = "\n".join(line for line in lines if line)
    return f"{text.rstrip()}\n\n{added}" if added else text


def _belated(request: Json, late: str | None) -> Json:
    """The message with the line that it is late."""
    if late is None:
        return request
    added = f"<p>{escape(late)}</p>" if request["format"] == "html" else f"\n\n{late}"
    return {**request, "text": f"{request['text'].rstrip()}{added}"}


def _content(request: Json) -> channels.Content:
    return {
        "title": request["title"],
        "text": request["text"],
        "markup": request["format"],
        "severity": Severity(request["severity"]),
    }


def _outcome(channel: Channel, sent: Sent) -> Outcome:
    who = f"{channel.name} ({sent.service})"
    match sent.status:
        case "SUCCESS":
            return Delivered(status=sent.notes.http)
        case "NOMATCH":
            return Refused(reason=f"{who}: the channel's URL leads to nobody")
        case "TIMEOUT":
            return Retry(reason=f"{who}: no answer in time", maybe_delivered=True)
        case _:  # FAILURE and PARTIAL
            return judge_failure(who, sent.notes, several=sent.recipients > 1 or sent.status == "PARTIAL")


def report(title: str, text: str, severity: Severity) -> Json:
    """What is stored with a delivery of Tocsin's own reports, which are about no event."""
    about = {"live": True, "event": None, "type": None, "account": None, "rule": None}
    return {**_message(title, text, "text", severity), **about}


def _message(title: str, text: str, markup: str, severity: Severity) -> dict[str, Json]:
    return {
        "title": clean(" ".join(title.split()), 200),
        "text": clean(text, 100_000),
        "format": markup,
        "severity": str(severity),
    }


def _alert(channel: str, delivery: Delivery, request: Json) -> Alert:
    return Alert(
        title=request["title"],
        text=request["text"],
        severity=Severity(request["severity"]),
        live=request["live"],
        channel=channel,
        rule=request["rule"],
        event=request["event"],
        type=request["type"],
        account=request["account"],
        delivery=delivery.id,
    )
