"""What no key can say alone: names that refer to other names, secrets used twice. On plain values, whatever their
shape, so that these are found in the same run as everything else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from engine.model.address import is_private_host
from engine.settings.checks import is_loopback
from engine.settings.places import Loc
from engine.settings.values import ALIASES, CONSOLE
from engine.source import did_you_mean


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake and the place of the key it is about."""

    loc: Loc
    code: str
    message: str
    hint: str | None = None


def cross_checks(
    state: Mapping[str, Any], default_channel: str | None = None, ops_channel: str | None = None
) -> Iterator[Finding]:
    """Everything that does not fit together. The two channels are those that variables set, None where none does."""
    endpoints = [(index, part) for index, part in enumerate(_list(state.get("endpoints"))) if isinstance(part, dict)]
    yield from _endpoint_names(endpoints)
    yield from _shared_secrets(endpoints)
    yield from _keys(endpoints, _dict(_dict(state.get("stripe")).get("keys")))
    yield from _key_modes(_dict(_dict(state.get("stripe")).get("keys")))
    yield from _writes(_list(_dict(state.get("stripe")).get("allow")))
    yield from _channels(state, default_channel, ops_channel)
    yield from _callbacks(_dict(state.get("callbacks")))


def _endpoint_names(endpoints: list[tuple[int, dict[str, Any]]]) -> Iterator[Finding]:
    first: dict[Any, int] = {}
    for index, part in endpoints:
        name = part.get("name")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield Finding(("endpoints", index, "name"), "duplicate-name", f"another endpoint is named '{name}' too")


def _shared_secrets(endpoints: list[tuple[int, dict[str, Any]]]) -> Iterator[Finding]:
    first: dict[tuple[str, str], tuple[int, Any]] = {}
    for index, part in endpoints:
        path = str(part.get("path", "/webhooks/stripe")).rstrip("/")
        for place, secret in enumerate(_list(part.get("secrets"))):
            if not isinstance(secret, str) or not secret.strip():
                continue
            owner, name = first.setdefault((path, secret.strip()), (index, part.get("name")))
            loc = ("endpoints", index, "secrets", place)
            if owner != index:
                message = f"endpoint '{name}' has the same secret on the same path, so neither can be told apart"
                yield Finding(loc, "duplicate-secret", message, "each endpoint at Stripe has a secret of its own")


def _keys(endpoints: list[tuple[int, dict[str, Any]]], keys: dict[str, Any]) -> Iterator[Finding]:
    for index, part in endpoints:
        name = part.get("key")
        if isinstance(name, str) and name not in keys:
            known = f"configured: {', '.join(keys)}" if keys else "none is configured"
            hint = did_you_mean(name, keys)
            yield Finding(("endpoints", index, "key"), "unknown-key-name", f"no stripe.keys '{name}'; {known}", hint)


def _key_modes(keys: dict[str, Any]) -> Iterator[Finding]:
    for name, other in (("live", "test"), ("test", "live")):
        key = keys.get(name)
        if isinstance(key, str) and key.strip()[2:].startswith(f"k_{other}_"[1:]):
            message = f"this is a {other} key, and stands under '{name}'"
            yield Finding(("stripe", "keys", name), "stripe-key", message, f"it belongs under '{other}'")


def _writes(allowed: list[Any]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, part in enumerate(allowed):
        name = part.get("operation") if isinstance(part, dict) else None
        if isinstance(name, str) and name in seen:
            yield Finding(("stripe", "allow", index, "operation"), "duplicate-name", f"'{name}' is allowed twice")
        seen.add(str(name))


def _channels(state: Mapping[str, Any], default: str | None, ops: str | None) -> Iterator[Finding]:
    channels = _dict(state.get("channels"))
    if CONSOLE in channels:
        yield Finding(("channels", CONSOLE), "duplicate-name", "the channel 'console' is built in", "take another name")
    default = default or state.get("default_channel", CONSOLE)
    if isinstance(default, str) and default not in (CONSOLE, *channels):
        yield _no_channel(("default_channel",), default, [CONSOLE, *channels])
    ops = ops or _dict(state.get("ops")).get("channel")
    if isinstance(ops, str) and ops not in (CONSOLE, *ALIASES, *channels):
        yield _no_channel(("ops", "channel"), ops, [CONSOLE, *channels, *ALIASES])


def _no_channel(loc: Loc, name: str, known: list[str]) -> Finding:
    names = ", ".join(dict.fromkeys(known))
    return Finding(loc, "unknown-channel", f"no channel '{name}'; configured: {names}", did_you_mean(name, known))


def _callbacks(callbacks: dict[str, Any]) -> Iterator[Finding]:
    for name, part in callbacks.items():
        url = part.get("url") if isinstance(part, dict) else None
        if not isinstance(url, str) or str(_dict(part).get("allow_private")).lower() == "true":
            continue
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            continue  # said by the check of the URL itself
        hint = "write https, or allow_private: true if it is a system of your own"
        if parts.scheme == "http":
            yield Finding(("callbacks", name, "url"), "url", "a callback must use https", hint)
        elif parts.hostname and is_loopback(parts.hostname):
            yield Finding(("callbacks", name, "url"), "url", "this address is this machine", "set allow_private: true")
        elif parts.hostname and is_private_host(parts.hostname):
            message = "this address is not a public one, and would be refused at every delivery"
            yield Finding(("callbacks", name, "url"), "url", message, "set allow_private: true")


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] if isinstance(value, str) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
