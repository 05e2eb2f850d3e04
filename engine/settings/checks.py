"""What single values must look like. Each function takes what was written and gives the value, or raises through
`wrong`, whose message is shown; those for secrets never repeat what was written."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from engine.model.event import Scope
from engine.model.rule import Severity
from engine.settings.store_url import EMBEDDED, store_url_problem
from engine.source import Rate, did_you_mean, format_duration, parse_duration, parse_rate

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.ASCII)
_OPERATION = re.compile(r"(v2\.)?[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?", re.ASCII)
_SIZE = re.compile(r"(\d{1,12}) ?(B|KB|KiB|MB|MiB)?", re.ASCII)
_SIZES = {None: 1, "B": 1, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.", re.ASCII)
_STRIPE_KEY = re.compile(r"[sr]k_(live|test)_[A-Za-z0-9_]+", re.ASCII)
LONGEST = timedelta(days=36_500)
"""Of any span of time: whatever is counted back from now has a date."""

RESENT = timedelta(days=3)
"""For so long Stripe sends an event again that was not acknowledged."""

_CLAIMED = ("/healthz", "/readyz", "/metrics", "/-", "/api", "/static", "/incidents", "/ack")
"""Paths the service answers itself."""
_SCOPE_WORDS = {
    "connect": "connected",
    "account": "platform",
    "accounts": "connected",
    "self": "platform",
    "org": "organization",
}


def before(check: Callable[[Any], Any]) -> BeforeValidator:
    """The check in front of pydantic's own."""
    return BeforeValidator(check)


def wrong(code: str, message: str, hint: str | None = None) -> PydanticCustomError:
    """A finding that `engine.settings.load` turns into a mistake with that code."""
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, str):
        raise wrong("empty", "this may not be empty")
    raise wrong("type", f"expected text, got {kind(value)}", "put it in quotes" if _is_plain(value) else None)


def name(value: Any) -> str:
    found = text(value)
    if not _NAME.fullmatch(found):
        raise wrong("name", f"'{found[:40]}' is no name", "use letters, digits, '-', '_' and '.'")
    return found


def truth(value: Any) -> bool:
    found = {True: True, False: False, "true": True, "false": False}.get(value) if _is_plain(value) else None
    if found is None or isinstance(value, int) is not isinstance(value, bool):
        raise wrong("type", f"expected true or false, got {kind(value)}")
    return found


def livemode(value: Any) -> str:
    word = str(value).lower() if isinstance(value, bool | str) else ""
    if word in ("true", "false", "any"):
        return word
    words = {"live": "true", "test": "false", "both": "any"}
    hint = f"did you mean '{words[word]}'?" if word in words else None
    raise wrong("unknown-value", f"expected true, false or any, got {kind(value)}", hint)


def count(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 10**9:
        raise wrong("type", f"expected a number from 1, got {kind(value)}")
    return value


def size(value: Any) -> int:
    found = _SIZE.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    result = int(found[1]) * _SIZES[found[2]] if found else 0
    if not 1024 <= result <= 64 * 1024**2:
        raise wrong("type", f"expected a size from 1KiB to 64MiB, got {kind(value)}")
    return result


def duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise wrong("duration", f"expected a duration like 10m, got {kind(value)}")
    try:
        span = parse_duration(value.strip())
    except ValueError as problem:
        raise wrong("duration", str(problem)) from None
    if not span:
        raise wrong("duration", "a duration of nothing is not possible here")
    if span > LONGEST:
        raise wrong("duration", f"the longest duration is {format_duration(LONGEST)}, got {kind(value)}")
    return span


def kept(value: Any) -> timedelta:
    """How long events are kept: one that Stripe sends again must be known still."""
    span = duration(value)
    if span < RESENT:
        why = "for so long Stripe sends an event again, and one that is forgotten would fire a second time"
        raise wrong("duration", f"events are kept for 3d at the least, got {kind(value)}: {why}", "write 3d or longer")
    return span


def statement_bound(value: Any) -> timedelta:
    """How long a statement may take: PostgreSQL takes no more than 24 days of milliseconds."""
    span = duration(value)
    if span > timedelta(days=1):
        raise wrong("duration", f"a statement may take 1d at the most, got {kind(value)}", "write 15s, or 5m")
    return span


def rate(value: Any) -> Rate:
    if not isinstance(value, str):
        raise wrong("rate", f"expected a rate like 30/m, got {kind(value)}")
    try:
        return parse_rate(value.strip())
    except ValueError as problem:
        raise wrong("rate", str(problem)) from None


def percent(value: Any) -> int:
    found = re.fullmatch(r"(\d{1,3}) ?%?", str(value), re.ASCII) if isinstance(value, int | str) else None
    if isinstance(value, bool) or found is None or not 1 <= int(found[1]) <= 100:
        raise wrong("type", f"expected a share from 1% to 100%, got {kind(value)}")
    return int(found[1])


def short_breaker(value: Any) -> Any:
    """A breaker as a map: `off` alone is one that is switched off."""
    if value is False or value == "off":
        return {"off": True}
    if value is True or value == "on":
        return {}
    return value


def one_of(*words: str) -> BeforeValidator:
    """A check for a closed set of words."""

    def check(value: Any) -> str:
        return _choice(value, words)

    return BeforeValidator(check)


def severity(value: Any) -> Severity:
    return Severity(_choice(value, [str(each) for each in Severity]))


def scope(value: Any) -> Scope:
    if isinstance(value, str) and value in _SCOPE_WORDS:
        raise wrong("unknown-value", f"no scope '{value}'", f"did you mean '{_SCOPE_WORDS[value]}'?")
    return Scope(_choice(value, [str(each) for each in Scope]))


def one_or_more(value: Any) -> list[Any]:
    found = listed(value)
    if not found:
        raise wrong("empty", "this list is empty; at least one is needed")
    return found


def listed(value: Any) -> list[Any]:
    """A list; one item may stand alone."""
    if isinstance(value, dict):
        raise wrong("type", f"expected a list, got {kind(value)}")
    return list(value) if isinstance(value, list | tuple) else [value]


def drop_empty(value: Any) -> Any:
    """A map without the entries whose variable was not set: `live: "${STRIPE_LIVE_KEY:-}"`."""
    if not isinstance(value, dict):
        return value
    return {key: part for key, part in value.items() if not isinstance(part, str) or part.strip()}


def short_channels(value: Any) -> Any:
    """Each channel as a map: a URL alone is one with nothing else to say."""
    if not isinstance(value, dict):
        return value
    return {key: part if isinstance(part, dict) else {"url": part} for key, part in value.items()}


def endpoint_path(value: Any) -> str:
    found = text(value)
    if not _PATH.fullmatch(found):
        raise wrong("path", f"'{found[:60]}' is no path", "write one like /webhooks/stripe, without host or query")
    path = found.rstrip("/")
    if any(path == taken or path.startswith(f"{taken}/") for taken in _CLAIMED):
        raise wrong("path", f"the service itself answers at {path}", "write one like /webhooks/stripe")
    return path


def operation(value: Any) -> str:
    found = text(value)
    if not _OPERATION.fullmatch(found):
        raise wrong("operation", f"'{found[:60]}' is no operation", "write it as in rules: accounts.update")
    return found


def secret(value: Any) -> SecretStr:
    """A secret without the blanks and line ends that come with copying. Never shown."""
    clear = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(clear, str):
        raise wrong("secret", f"expected a secret, got {kind_only(clear)}", "put it in quotes")
    if not clear.strip():
        raise wrong("secret", "this secret is empty", "set the variable it comes from, or leave the key out")
    return SecretStr(clear.strip())


def token(value: Any) -> SecretStr | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = secret(value)
    if len(found.get_secret_value()) < 16:
        raise wrong("secret", "a token needs at least 16 characters", "generate one: openssl rand -hex 24")
    return found


def endpoint_secret(value: Any) -> SecretStr:
    found = secret(value)
    clear = found.get_secret_value()
    if not clear.startswith("whsec_") or clear == "whsec_" or any(char.isspace() for char in clear):
        raise wrong("secret", "a signing secret begins with whsec_", "copy it from the endpoint's page in Workbench")
    return found


def callback_secret(value: Any) -> SecretStr:
    found = secret(value)
    prefix, _, key = found.get_secret_value().partition("whsec_")
    try:
        decoded = base64.b64decode(key, validate=True) if not prefix else b""
    except binascii.Error:
        decoded = b""
    if not 24 <= len(decoded) <= 64:
        raise wrong(
            "secret",
            "expected whsec_ and a base64 key of 24 to 64 bytes",
            'generate one: echo "whsec_$(openssl rand -base64 32)"',
        )
    return found


def stripe_key(value: Any) -> SecretStr:
    found = secret(value)
    clear = found.get_secret_value()
    if clear.startswith("pk_"):
        raise wrong("stripe-key", "this is a publishable key", "use a secret (sk_) or restricted (rk_) one")
    if not _STRIPE_KEY.fullmatch(clear):
        raise wrong("stripe-key", "a Stripe key begins with sk_live_, sk_test_, rk_live_ or rk_test_")
    return found


def channel_url(value: Any) -> SecretStr:
    found = secret(value)
    clear = found.get_secret_value()
    if not _SCHEME.match(clear) or any(char.isspace() for char in clear):
        raise wrong("url", "a channel is an Apprise URL like slack://... or mailtos://...")
    return found


def callback_url(value: Any) -> str:
    found = text(value)
    parts = _split(found)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong("url", "expected a URL like https://cases.example.com/hook")
    if parts.username or parts.password:
        raise wrong("url", "a callback's URL may hold no user or password", "put them in headers")
    if parts.fragment:
        raise wrong("url", "a callback's URL may hold no #fragment")
    return found


def api_base(value: Any) -> str:
    found = text(value).rstrip("/")
    parts = _split(found)
    if parts is None or not parts.hostname or parts.username or parts.path or parts.query or parts.fragment:
        raise wrong("url", "expected an address like https://api.stripe.com")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise wrong("url", "keys are sent there, so it must be https (http only on this machine)")
    return found


def public_url(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = text(value).rstrip("/")
    parts = _split(found)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, found)):
        raise wrong("url", "expected an address like https://tocsin.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise wrong("url", "this address may hold no user, password, ?query or #fragment")
    return found


def store_url(value: Any) -> SecretStr:
    found = secret(value)
    clear = found.get_secret_value()
    problem = None if clear == EMBEDDED else store_url_problem(clear)
    if problem is not None:
        raise wrong("url", *problem)
    return found


def host(value: Any) -> str:
    found = text(value).lower()
    if not _HOST.fullmatch(found) or found.rpartition(".")[2].isdigit():
        raise wrong("host", f"'{found[:60]}' is no host name", "write only the host, like hooks.example.com")
    return found


def is_loopback(hostname: str) -> bool:
    """Whether the host is this machine by its literal address, or localhost."""
    try:
        return ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def kind(value: Any) -> str:
    """What was written, for a message: the value itself where it is short, else its kind. Not for secrets."""
    if isinstance(value, str):
        return f"'{value[:40]}'" if value else "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)[:40] if _is_plain(value) else kind_only(value)


def kind_only(value: Any) -> str:
    """The kind of what was written: also for secrets."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, list | tuple | dict | SecretStr)


def _choice(value: Any, words: Iterable[str]) -> str:
    words = list(words)
    if isinstance(value, str) and value in words:
        return value
    hint = did_you_mean(value, words) if isinstance(value, str) else None
    raise wrong("unknown-value", f"expected {', '.join(words[:-1])} or {words[-1]}, got {kind(value)}", hint)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if not any(char.isspace() for char in url) else None
