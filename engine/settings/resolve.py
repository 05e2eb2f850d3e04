"""From what the file says to what the rest of the code gets: paths absolute, aliases and defaults filled in."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from engine.model.destination import BreakerPolicy
from engine.settings.local import link_secret
from engine.settings.schema import (
    BreakerPart,
    CallbackPart,
    ChannelPart,
    EndpointPart,
    FileSettings,
    OwnBreakerPart,
)
from engine.settings.values import (
    ALIASES,
    CONSOLE,
    AllowedWrite,
    CallbackTarget,
    Channel,
    ConsoleSettings,
    Endpoint,
    LogSettings,
    ReceiveSettings,
    Retention,
    Role,
    Settings,
    StoreSettings,
    StripeSettings,
)

_LIVEMODES = {"true": True, "false": False, "any": None}


def resolve(found: FileSettings, file: Path | None, local_secret: Callable[[Path], SecretStr] | None) -> Settings:
    """The settings. `local_secret` gives the secret of the local endpoint where none is configured; None: no secret,
    and none for links."""
    folder = file.parent if file else Path.cwd()
    data = _path(folder, found.data)
    endpoints = tuple(_endpoint(part) for part in found.endpoints)
    livemode = found.default_livemode or ("true" if endpoints else "any")
    if not endpoints:
        endpoints = (_local((local_secret(data),) if local_secret else ()),)
    links, made = found.console.secret, False
    if found.console.url and links is None and local_secret is not None:
        links, made = link_secret(data), True
    return Settings(
        endpoints=endpoints,
        default_livemode=_LIVEMODES[livemode],
        stripe=_stripe(found),
        default_channel=found.default_channel,
        channels=_channels(found),
        callbacks={name: _callback(name, part, found.breaker) for name, part in found.callbacks.items()},
        callback_hosts=frozenset(found.callback_hosts),
        breaker=_breaker(found.breaker, OwnBreakerPart()),
        rules=tuple(_path(folder, rule) for rule in found.rules),
        data=data,
        store=_store(found),
        console=ConsoleSettings(token=found.console.token, url=found.console.url, secret=links, made=made),
        retention=Retention(events=found.retention.events),
        ops_channel=found.ops.channel,
        queue_age=found.ops.queue_age,
        receive=ReceiveSettings(
            max_body=found.receive.max_body,
            tolerance=found.receive.tolerance,
            commit_timeout=found.receive.commit_timeout,
            backlog=found.receive.backlog,
        ),
        role=Role(found.role),
        logs=LogSettings(format=found.logs.format, level=found.logs.level),
        configured=file is not None,
        file=file,
    )


def _endpoint(part: EndpointPart) -> Endpoint:
    return Endpoint(
        name=part.name,
        path=part.path,
        scope=part.scope,
        livemode=_LIVEMODES[part.livemode],
        secrets=tuple(dict.fromkeys(part.secrets)),
        key=part.key,
    )


def _local(secrets: tuple[SecretStr, ...]) -> Endpoint:
    """The endpoint for trying: test events only, and only who can read `data/` can sign for it."""
    return Endpoint(name="local", path="/webhooks/stripe", scope=None, livemode=False, secrets=secrets)


def _stripe(found: FileSettings) -> StripeSettings:
    return StripeSettings(
        keys=dict(found.stripe.keys),
        api_base=found.stripe.api_base,
        allow=tuple(
            AllowedWrite(operation=part.operation, max=part.max, every=part.every) for part in found.stripe.allow
        ),
        live_rate=found.stripe.rates.live,
        test_rate=found.stripe.rates.test,
        account_rate=found.stripe.rates.account,
        breaker=_breaker(found.breaker, found.stripe.breaker),
    )


def _channels(found: FileSettings) -> dict[str, Channel]:
    channels = {CONSOLE: Channel(name=CONSOLE, url=None)}
    channels |= {name: _channel(name, part, found.breaker) for name, part in found.channels.items()}
    default = channels[found.default_channel]
    for alias in ALIASES:
        channels.setdefault(alias, replace(default, name=alias))
    return channels


def _channel(name: str, part: ChannelPart, breaker: BreakerPart) -> Channel:
    return Channel(
        name=name,
        url=part.url,
        min_severity=part.min_severity,
        livemode=_LIVEMODES[part.livemode],
        rate=part.rate,
        timeout=part.timeout,
        concurrency=part.concurrency,
        breaker=_breaker(breaker, part.breaker),
    )


def _callback(name: str, part: CallbackPart, breaker: BreakerPart) -> CallbackTarget:
    return CallbackTarget(
        name=name,
        url=part.url,
        secrets=part.secret,
        allow_private=part.allow_private,
        headers=dict(part.headers),
        timeout=part.timeout,
        rate=part.rate,
        concurrency=part.concurrency,
        breaker=_breaker(breaker, part.breaker),
    )


def _breaker(all_: BreakerPart, own: OwnBreakerPart) -> BreakerPolicy | None:
    """A destination's breaker: what it says itself, and for the rest what is said for all. One that says anything of
    its own has one, though there is none for others."""
    if own.off or (all_.off and own == OwnBreakerPart()):
        return None
    return BreakerPolicy(
        share=own.share or all_.share,
        requests=own.requests or all_.requests,
        window=own.window or all_.window,
        wait=own.wait or all_.wait,
        longest_wait=own.longest_wait or all_.longest_wait,
    )


def _store(found: FileSettings) -> StoreSettings:
    return StoreSettings(
        url=found.store.url.get_secret_value(),
        connections=found.store.connections,
        connect_timeout=found.store.connect_timeout,
        statement_timeout=found.store.statement_timeout,
    )


def _path(folder: Path, written: str) -> Path:
    return (folder / Path(written).expanduser()).absolute()
