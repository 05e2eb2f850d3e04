"""The `callback` verb: a signed HTTP request to a system that the configuration names, or to an allowed host.

What is sent by default is documented by `default_body`; how it is signed by `notifiers.signing`; what an answer means
by `notifiers.answers`.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from engine.errors import DestinationError
from engine.model.delivery import Delivery
from engine.model.event import Json
from engine.model.outcome import Delivered, Outcome, Refused, Retry, Scene
from engine.model.rule import Step, Verb
from engine.render import render_value
from engine.settings import CallbackTarget
from notifiers.answers import judge, read_excerpt
from notifiers.http import Answered, Http, Unanswered
from notifiers.normalized import default_body
from notifiers.signing import signature_headers

DEFAULT_TIMEOUT = timedelta(seconds=15)
MASK = "****"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
_OURS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
_OF_THE_CONNECTION = frozenset(
    {
        "connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_RANGE = re.compile(r"([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """One request, signed; `timeout` in seconds."""

    target: CallbackTarget
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None
    timeout: float


class CallbackNotifier:
    """Sends callbacks.

    A delivery's `destination` is the name of a configured callback, or an https URL whose host is in `hosts`.
    What is stored with it is `{method, headers, body, timeout, success}`; URL, configured headers and secrets are
    read from the configuration at each attempt, so that a moved endpoint or a rolled secret reaches waiting deliveries
    and no secret is stored.
    """

    verb = Verb.CALLBACK

    def __init__(
        self,
        callbacks: Mapping[str, CallbackTarget],
        hosts: frozenset[str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._callbacks = callbacks
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._clock = clock
        self._public = Http(public_only=True)
        self._private = Http(public_only=False)

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        """The request that every attempt sends, without what the configuration adds."""
        options = step.options
        method = str(options.get("method", "POST")).upper()
        if method not in METHODS:
            raise DestinationError(f"a callback's method is one of {', '.join(sorted(METHODS))}, not {method[:20]!r}")
        headers = rendered_headers(options.get("headers") or {}, scene)
        body = None if method == "GET" else _body(options, delivery, scene, headers)
        return {
            "method": method,
            "headers": headers,
            "body": body,
            "timeout": step.timeout.total_seconds() if step.timeout else None,
            "success": [list(span) for span in parse_success(options.get("success"))],
        }

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One request. `delivery.request` is what `render` made."""
        try:
            ready = self._ready(delivery)
        except DestinationError as error:
            return Refused(reason=str(error))
        target = ready.target
        http = self._private if target.allow_private else self._public
        answer = await http.send(ready.method, ready.url, headers=ready.headers, body=ready.body, within=ready.timeout)
        if isinstance(answer, Unanswered):
            return _no_answer(target.name, answer)
        return _outcome(target, answer, delivery.request)

    def preview(self, delivery: Delivery) -> Json:
        """`{method, url, headers, body, timeout}`: configured headers and the signature are masked."""
        ready = self._ready(delivery)
        secret = {name.lower() for name in ready.target.headers} | {"webhook-signature"}
        return {
            "method": ready.method,
            "url": ready.url,
            "headers": {name: MASK if name in secret else value for name, value in ready.headers.items()},
            "body": None if ready.body is None else ready.body.decode(),
            "timeout": ready.timeout,
        }

    async def warm(self) -> None:
        """Import what the first callback needs, so that it need not wait for it."""
        await self._public.warm()

    async def close(self) -> None:
        """Close every connection."""
        await self._public.close()
        await self._private.close()

    def _ready(self, delivery: Delivery) -> _Ready:
        """The request of an attempt that begins now. Raises DestinationError where it may not be made."""
        target = self._target(delivery.destination)
        url = checked_url(target.url, allow_private=target.allow_private)
        body = (delivery.request["body"] or "").encode()
        try:
            headers = self._headers(delivery, target, body)
        except ValueError as error:  # a secret that cannot sign
            raise DestinationError(str(error)) from None
        method = delivery.request["method"]
        return _Ready(
            target=target,
            method=method,
            url=url,
            headers=headers,
            body=None if method == "GET" else body,
            timeout=delivery.request["timeout"] or target.timeout.total_seconds(),
        )

    def _target(self, destination: str) -> CallbackTarget:
        found = self._callbacks.get(destination)
        if found is not None:
            return found
        if "://" not in destination:
            known = ", ".join(self._callbacks) or "none"
            raise DestinationError(f"no callback '{destination}' is configured any more; configured: {known}")
        parts = urlsplit(destination)
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme != "https":
            raise DestinationError("a rule may name only https URLs; configure a callback for anything else")
        if host not in self._hosts:
            raise DestinationError(f"{host or 'this URL'} is not in callback_hosts, so no rule may call it directly")
        return CallbackTarget(name=host, url=destination, secrets=(), timeout=DEFAULT_TIMEOUT)

    def _headers(self, delivery: Delivery, target: CallbackTarget, body: bytes) -> dict[str, str]:
        headers = {"user-agent": "Tocsin (Standard Webhooks)", "accept-encoding": "identity"}
        headers |= {name.lower(): value for name, value in delivery.request["headers"].items()}
        for name, secret in target.headers.items():
            headers |= checked_header(name, secret.get_secret_value())
        secrets = [secret.get_secret_value() for secret in target.secrets]
        return headers | signature_headers(delivery.id, int(self._clock()), body, secrets)


def checked_url(url: str, *, allow_private: bool = False) -> str:
    """The URL, if a callback may go there as far as can be told without resolving it.

    Raises DestinationError, without showing the URL: plain http and private addresses want `allow_private`, and
    nobody's name and password may stand in it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise DestinationError("the URL of a callback cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\x00-\x20\x7f\\]", url):
        raise DestinationError("the URL of a callback is https://host/path, without spaces")
    if parts.username is not None or parts.password is not None:
        raise DestinationError("the URL of a callback has a name or password in it; write an Authorization header")
    if parts.scheme == "http" and not allow_private:
        raise DestinationError("a callback over plain http needs allow_private: true in its configuration")
    return url


def checked_header(name: str, value: str) -> dict[str, str]:
    """One header, its name in lower case. Raises DestinationError for one that may not be set or would be two."""
    lower = name.lower()
    if not _NAME.fullmatch(name):
        raise DestinationError(f"{name[:40]!r} is not the name of a header")
    if lower in _OURS:
        raise DestinationError(f"the header {lower} is part of the signature and cannot be set")
    if lower in _OF_THE_CONNECTION:
        raise DestinationError(f"the header {lower} belongs to the connection and cannot be set")
    if not _VALUE.fullmatch(value):
        raise DestinationError(f"the value of the header {lower} has a line break or a character no header can hold")
    return {lower: value}


def rendered_headers(headers: Mapping[str, Json], scene: Scene) -> dict[str, str]:
    """The rule's headers, rendered and checked."""
    found: dict[str, str] = {}
    for name, template in headers.items():
        value = render_value(template, scene)
        found |= checked_header(str(name), json.dumps(value) if isinstance(value, bool | None) else str(value).strip())
    return found


def parse_success(option: Json) -> tuple[tuple[int, int], ...]:
    """`[200-299, 409]` as inclusive ranges; None is every 2xx. Raises DestinationError for anything else."""
    if option is None:
        return ((200, 299),)
    found = []
    for item in option if isinstance(option, list | tuple) else [option]:
        match = _RANGE.fullmatch(str(item).strip())
        if match is None or (match[2] is not None and match[2] < match[1]):
            raise DestinationError(
                f"success is a list of statuses and ranges like [200-299, 409], not {str(item)[:40]!r}"
            )
        found.append((int(match[1]), int(match[2] or match[1])))
    return tuple(found)


def _body(options: Mapping[str, Json], delivery: Delivery, scene: Scene, headers: dict[str, str]) -> str:
    value = render_value(options["body"], scene) if "body" in options else default_body(delivery, scene)
    if isinstance(value, str):
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return value.encode("utf-8", "replace").decode()
    headers.setdefault("content-type", "application/json")
    return write_json(value)


def write_json(value: Json) -> str:
    """JSON in ASCII, keys in the order given: what Stripe sent, lone surrogates and large integers too, survives."""
    return json.dumps(value, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def _no_answer(who: str, answer: Unanswered) -> Outcome:
    if answer.forbidden:
        return Refused(reason=f"{who}: {answer.reason}")
    return Retry(reason=f"{who}: {answer.reason}", maybe_delivered=answer.sent)


def _outcome(target: CallbackTarget, answer: Answered, request: Json) -> Outcome:
    secrets = tuple(s.get_secret_value() for s in (*target.secrets, *target.headers.values()))
    outcome = judge(
        answer.status,
        who=target.name,
        excerpt=read_excerpt(answer.body, secrets),
        retry_after=answer.headers.get("retry-after"),
        location=answer.headers.get("location"),
        success=tuple((low, high) for low, high in request["success"]),
    )
    if isinstance(outcome, Delivered):
        result = {"status": answer.status, "body": _json(answer)}
        return Delivered(status=answer.status, excerpt=outcome.excerpt, result=result)
    return outcome


def _json(answer: Answered) -> Json:
    """The body as JSON, None when it is not, or not whole."""
    if not answer.whole or not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
