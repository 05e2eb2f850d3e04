"""Channels as Apprise sees them: loaded late, checked, split into recipients, sent to once.

Apprise is imported with the first channel that is not the console (0.9 s), or by `warm`.
"""

import asyncio
import logging
import threading
import warnings
from functools import lru_cache
from typing import Any, NamedTuple, TypedDict, Unpack

from engine.errors import DestinationError
from engine.model.event import Json
from engine.model.rule import Severity
from engine.render import Form
from engine.render.digest import LONGEST
from engine.render.grid import tamed
from engine.render.spelling import names
from engine.settings import Channel
from engine.source import nearest
from notifiers.failures import Notes

_LISTS = ("targets", "channels", "phones", "topics", "emails", "devices", "recipients")
"""Where plugins keep the recipients of a URL that names several."""

_CHATS = names(
    "cliq dingtalk discord feishu flock fluxer github google_chat guilded humhub kook lark mastodon matrix mattermost "
    "misskey nextcloudtalk notifiarr reddit revolt rocketchat ryver slack synology twist webexteams wecombot workflows "
    "zulip"
)
"""Plugins of services that make links or mentions of what they are given as plain text: Apprise has them send it as it
is, or escapes Markdown in the text alone and mentions nowhere."""

_LONGEST_LABEL = 80
_SHORTEST = 100  # characters of a digest, however short messages are
_ROOMY = 1_500  # from here on there is room to align columns
_loading = threading.Lock()
_loaded = threading.Event()


class Split(NamedTuple):
    """The recipients of a URL by label, and the plugin's attribute that lists them; no labels: it is one."""

    attribute: str
    by_label: dict[str, Any]


class Content(TypedDict):
    """A message; `markup` is `text` or `markdown`."""

    title: str
    text: str
    markup: str
    severity: Severity


class Sent(NamedTuple):
    """What Apprise said: its status (SUCCESS FAILURE PARTIAL TIMEOUT NOMATCH), the service's name, how many
    recipients it was for, and what its log told of the reason."""

    status: str
    service: str
    recipients: int
    notes: Notes


async def warm() -> None:
    """Import Apprise in a thread, so that the first alert and the first match need not wait for it."""
    await asyncio.to_thread(_apprise)


def recipients(channel: Channel) -> tuple[str, ...]:
    """The labels of the recipients of a channel that names several (addresses, rooms, numbers), in the order written.

    Empty where the channel is one destination: the console, a URL with one recipient, one whose recipients get a
    single message together, and one that cannot be read (`problem` says why, and so does the delivery).
    """
    if channel.url is None:
        return ()
    try:
        return tuple(_split(channel.url.get_secret_value()).by_label)
    except DestinationError:
        return ()


def problem(url: str) -> str | None:
    """Why `url` cannot be a channel, for the author of the configuration; None when it can. Never shows the URL."""
    try:
        _instance(url)
    except DestinationError as error:
        return str(error)
    return None


class Shape(NamedTuple):
    """How a channel shows a digest, and how many characters of text it takes."""

    form: Form
    limit: int


def shape(channel: Channel) -> Shape:
    """What a digest for a channel is made as: mail shows HTML, the console aligned columns, chats with Markdown have
    them in a block of code, or a list where messages are short; the rest get a line for each."""
    if channel.url is None:
        return Shape(Form.TERMINAL, LONGEST)
    try:
        return _shape(channel.url.get_secret_value())
    except DestinationError:
        return Shape(Form.LINES, LONGEST)


@lru_cache(maxsize=1024)
def _shape(url: str) -> Shape:
    service = _instance(url)
    # A tenth for what a service escapes; the title, which many put into the text.
    limit = max(_SHORTEST, min(LONGEST, int(service.body_maxlen) * 9 // 10 - (0 if service.title_maxlen else 250)))
    formats = _apprise().NotifyFormat
    if service.resolve_format(formats.MARKDOWN) == formats.MARKDOWN:
        return Shape(Form.BLOCK if limit >= _ROOMY else Form.LIST, limit)
    return Shape(Form.HTML if service.resolve_format(formats.HTML) == formats.HTML else Form.LINES, limit)


def send(channel: Channel, recipient: str | None, **content: Unpack[Content]) -> Sent:
    """Send one message to one recipient of a channel (None: to all of it), in the calling thread.

    Blocks for as long as the service takes, up to its socket timeouts.
    Raises DestinationError when the URL cannot be used or no longer names the recipient.
    """
    assert channel.url is not None
    service = _addressed(channel.url.get_secret_value(), recipient)
    _bound(service, channel.timeout.total_seconds())
    notes = Notes()
    result = _notify(service, notes, **content)
    return Sent(status=result.status.name, service=str(service.service_name), recipients=len(service), notes=notes)


def preview(channel: Channel, recipient: str | None, **content: Unpack[Content]) -> Json:
    """What `send` would give to the service: `{service, messages: [{title, text, format}]}`. Raises as it does."""
    assert channel.url is not None
    service = _addressed(channel.url.get_secret_value(), recipient)
    given: list[dict[str, Any]] = []

    def keep(**message: Any) -> bool:
        given.append(message)
        return True

    service.send = keep  # instead of its own, which goes to the network
    _notify(service, Notes(), **content)
    messages = [
        {"title": each["title"], "text": each["body"], "format": str(getattr(each["body_format"], "value", "text"))}
        for each in given
    ]
    return {"service": str(service.service_name), "messages": messages}


def _notify(service: Any, notes: Notes, *, title: str, text: str, markup: str, severity: Severity) -> Any:
    apprise = _apprise()
    # One object for one destination: Apprise's own fan-out, retries and shared thread pool have nothing to do.
    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    if _reads_markup(service):
        title, text = tamed(title), tamed(text) if markup == "text" else text
    return sender.notify(
        body=text or title,
        title=title if text else "",
        notify_type=_type(severity),
        body_format=markup,
        log_callback=lambda entry, _: notes.add(entry.message),
        log_level=logging.DEBUG,
    )


def _reads_markup(service: Any) -> bool:
    """Whether the service makes more of a plain text than its letters."""
    if not _CHATS.isdisjoint(type(service).__module__.split(".")):
        return True
    formats = _apprise().NotifyFormat
    return bool(service.resolve_format(formats.TEXT) == formats.MARKDOWN)


def _type(severity: Severity) -> str:
    if severity.at_least(Severity.HIGH):
        return "failure"
    return "warning" if severity.at_least(Severity.MEDIUM) else "info"


def _bound(service: Any, timeout: float) -> None:
    """Socket timeouts that end within `timeout`, unless the URL says its own (`cto`, `rto`); no retries of its own."""
    given = type(service)
    if service.socket_connect_timeout == given.socket_connect_timeout:
        service.socket_connect_timeout = min(5.0, timeout / 2)
    if service.socket_read_timeout == given.socket_read_timeout:
        service.socket_read_timeout = max(timeout - service.socket_connect_timeout, timeout / 2)
    service.retry = 0
    service.optional = False  # `?optional=yes` would turn every failure into a success


def _addressed(url: str, recipient: str | None) -> Any:
    service = _instance(url)
    if recipient is not None:
        split = _split(url)
        if recipient not in split.by_label:
            raise DestinationError("the channel no longer names this recipient")
        setattr(service, split.attribute, [split.by_label[recipient]])
    return service


@lru_cache(maxsize=1024)
def _split(url: str) -> Split:
    """Cached, since it is asked for at every match. A URL is split only where Apprise itself would send one message
    for each entry of its list (`len` says how many it sends), so that splitting changes no message."""
    service = _instance(url)
    service.retry = 0  # Apprise counts retries into len()
    for attribute in _LISTS:
        entries = getattr(service, attribute, None)
        if isinstance(entries, list | tuple) and len(entries) > 1 and len(service) == len(entries):
            by_label = {_label(entry): entry for entry in entries}
            if len(by_label) == len(entries) and "" not in by_label:
                return Split(attribute, by_label)
    return Split("", {})


def _label(entry: Any) -> str:
    """What people call a recipient: an address, a room, a number. Empty when the entry has no name that is one."""
    if isinstance(entry, str | int) and not isinstance(entry, bool):
        text = str(entry).strip()
        return text if text.isprintable() and len(text) <= _LONGEST_LABEL else ""
    if isinstance(entry, tuple | list):
        named = [_label(part) for part in entry if part]
        return next((label for label in reversed(named) if len(label) > 1), "")
    if isinstance(entry, dict):
        return next((_label(entry[key]) for key in ("username", "name", "id") if entry.get(key)), "")
    return ""


def _instance(url: str) -> Any:
    """A new plugin object: each send has its own, since plugins keep state and sleep their own rate limit inside the
    sending thread when an object is used again."""
    apprise = _apprise()
    service = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if service is None:
        scheme = url.partition("://")[0][:20]
        raise DestinationError(_unusable(scheme, apprise.manager_plugins.NotificationManager()))
    return service


def _unusable(scheme: str, known: Any) -> str:
    if scheme.lower() not in known:
        near = nearest(scheme, known.schemas())
        return f"Apprise knows no service '{scheme}://'" + (f"; did you mean '{near}://'?" if near else "")
    plugin = known[scheme.lower()]
    if not plugin.enabled:
        return f"{plugin.service_name} ({scheme}://) needs a Python package that is not installed"
    forms = ", ".join(str(form).replace("{schema}", scheme) for form in plugin.templates[:2])
    return f"this is not a complete {plugin.service_name} URL; it looks like {forms}"


@lru_cache(maxsize=1)
def _asset() -> Any:
    """How Tocsin presents itself, and what Apprise may not do: follow redirects, fetch its logos, keep files, give up
    on a deadline of its own (then it would hand the call to its one shared pool of threads)."""
    return _apprise().AppriseAsset(
        app_id="Tocsin",
        app_desc="Alerts for Stripe Connect",
        app_url="https://stripe.com",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        async_mode=False,
        default_service_retry=0,
        service_timeout=0,
        storage_mode="memory",
        pgp_autogen=False,
        pem_autogen=False,
    )


def _apprise() -> Any:
    """The package, its 200 plugins loaded, its log turned away from ours: at debug level it names tokens."""
    with _loading:
        if not _loaded.is_set():
            log = logging.getLogger("apprise")
            log.propagate = False
            log.setLevel(logging.DEBUG)
            log.addHandler(logging.NullHandler())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old modules that optional plugins import
                _import().manager_plugins.NotificationManager().load_modules()
            _loaded.set()
    return _import()


def _import() -> Any:
    import apprise

    return apprise
