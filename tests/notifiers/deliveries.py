"""Deliveries, steps and scenes for the tests of the verbs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from engine.model.delivery import Delivery
from engine.model.event import Event, Json
from engine.model.outcome import Notifier, Scene
from engine.model.rule import Rule, Severity, Step, Verb, When
from engine.render import scene
from engine.settings import CallbackTarget, Channel
from tests import builders

NOW = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def step(verb: Verb, *targets: str, **options: Json) -> Step:
    """A step of that verb; `timeout` in seconds, everything else is the verb's own."""
    seconds = options.pop("timeout", None)
    timeout = timedelta(seconds=seconds) if seconds else None
    return Step(id=f"{verb}-1", verb=verb, targets=targets, options=options, timeout=timeout)


def delivery(verb: Verb, destination: str, **fields: Any) -> Delivery:
    """A delivery for that destination, made just now and due for its first attempt."""
    given: dict[str, Any] = {
        "id": "dlv_0123456789abcdef",
        "firing": "fir_1",
        "event": "evt_1",
        "rule": "payout-failed",
        "revision": "r1",
        "step": f"{verb}-1",
        "verb": verb,
        "destination": destination,
        "account": "acct_1",
        "livemode": True,
        "created": datetime.now(UTC),
    }
    return Delivery(**(given | fields))


def scene_of(event: Event, *, severity: Severity = Severity.MEDIUM, steps: Mapping[str, Any] | None = None) -> Scene:
    """What a rule's texts read when it fired for that event."""
    rule = Rule(id="payout-failed", when=(When(types=("*",)),), steps=(), severity=severity, owner="finance")
    return scene(event, rule, steps=steps or {})


def rendered(
    notifier: Notifier,
    step: Step,
    destination: str,
    event: Event | None = None,
    severity: Severity = Severity.MEDIUM,
    **fields: Any,
) -> Delivery:
    """A delivery as the engine hands it to `deliver`: rendered once for an event."""
    event = event or builders.event("payout.failed", id="evt_1")
    fields = {"account": event.account, "livemode": event.livemode, **fields}
    planned = delivery(step.verb, destination, **fields)
    return replace(planned, request=notifier.render(step, planned, scene_of(event, severity=severity)))


def channel(name: str = "payments", url: str | None = None, **fields: Any) -> Channel:
    """A channel; without a URL it is a console."""
    return Channel(name=name, url=SecretStr(url) if url is not None else None, **fields)


def target(url: str, name: str = "cases", *, secrets: tuple[str, ...] = (), **fields: Any) -> CallbackTarget:
    """A configured callback that may be on loopback."""
    wrapped = tuple(SecretStr(secret) for secret in secrets)
    headers = {key: SecretStr(value) for key, value in fields.pop("headers", {}).items()}
    fields = {"allow_private": True, "timeout": timedelta(seconds=5), **fields}
    return CallbackTarget(name=name, url=url, secrets=wrapped, headers=headers, **fields)
