"""The configuration as the rest of the code sees it: frozen, checked, defaults filled in, secrets wrapped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from engine.model.destination import BreakerPolicy
from engine.model.event import Scope
from engine.model.rule import Severity
from engine.source import Rate

CONSOLE = "console"
"""The channel that is always there and prints to the log."""

ALIASES = ("payments", "risk", "onboarding")
"""The channels that the ready-made rules use; each is the default channel until it is configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One webhook endpoint at Stripe. Several may share `path`; the secret that verifies names the endpoint.

    `scope` None: inferred from each event. `livemode` None: either is expected. `key` None: `live` or `test` of
    `StripeSettings.keys`, by the event's livemode. Several secrets only while one is rolled.
    """

    name: str
    path: str
    scope: Scope | None
    livemode: bool | None
    secrets: tuple[SecretStr, ...]
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedWrite:
    """A Stripe operation that rules may use for writing, at most `max` times in any `every`."""

    operation: str
    max: int
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """Keys by name (`live`, `test`, and one for each sandbox or other account); names without a key are left out.

    The rates bound all calls of a mode, and in each those for one account; None: nothing does. `breaker` None: none.
    """

    keys: Mapping[str, SecretStr]
    api_base: str
    allow: tuple[AllowedWrite, ...]
    live_rate: Rate | None = None
    test_rate: Rate | None = None
    account_rate: Rate | None = None
    breaker: BreakerPolicy | None = None

    @property
    def longest_cap(self) -> timedelta:
        """The longest span that writes of an operation are counted over; nothing where none is allowed."""
        return max((each.every for each in self.allow), default=timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where `notify` sends. `url` is an Apprise URL and a credential; None is the console.

    Events below `min_severity`, or of the other `livemode` (None: either is fine), are skipped. `rate` None: as
    fast as the service behind it takes them. `timeout` bounds one attempt. `concurrency` None: as many at once as a
    process does of its kind. `breaker` None: none.
    """

    name: str
    url: SecretStr | None
    min_severity: Severity = Severity.INFO
    livemode: bool | None = None
    rate: Rate | None = None
    timeout: timedelta = timedelta(seconds=20)
    concurrency: int | None = None
    breaker: BreakerPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackTarget:
    """A system that `callback` posts to, signed by every secret (Standard Webhooks); several while one is rolled.

    `rate`, `concurrency` and `breaker` as of a channel.
    """

    name: str
    url: str = field(repr=False)
    secrets: tuple[SecretStr, ...]
    allow_private: bool = False
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    timeout: timedelta = timedelta(seconds=15)
    rate: Rate | None = None
    concurrency: int | None = None
    breaker: BreakerPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The database. `url` is `embedded` or a postgresql:// URL, which may hold a password and is never shown."""

    url: str = field(repr=False)
    connections: int
    connect_timeout: timedelta
    statement_timeout: timedelta

    @property
    def embedded(self) -> bool:
        """Whether Tocsin starts the database itself."""
        return self.url == "embedded"

    @property
    def place(self) -> str:
        """The URL without user, password and options: what may be shown."""
        if self.embedded:
            return self.url
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSettings:
    """Bounds on what is received: bytes of a body, age of a signature, time for the commit before the 503."""

    max_body: int
    tolerance: timedelta
    commit_timeout: timedelta
    backlog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """The web console. `token` None: read-only, and only from this machine. `url` is where people reach it, and
    `secret` signs links to it; None: messages have no links. `made`: it was made in the data folder of this machine."""

    token: SecretStr | None
    url: str | None = None
    secret: SecretStr | None = None
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is stored is kept."""

    events: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """`format` is auto (coloured on a terminal, JSON otherwise), console or json; `level` debug to error."""

    format: str
    level: str


class Role(StrEnum):
    """What a process does of the whole."""

    ALL = "all"
    RECEIVE = "receive"  # what Stripe sends: verified, matched, decided, stored
    WORK = "work"  # what comes of it: deliveries, timers, reports, and the housekeeping

    @property
    def receives(self) -> bool:
        """Whether it answers Stripe."""
        return self is not Role.WORK

    @property
    def works(self) -> bool:
        """Whether it delivers."""
        return self is not Role.RECEIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything configured. All paths are absolute.

    `configured` is False when there is no configuration file (`file` None). `default_livemode` None: rules that do
    not say are for live and test events. `channels` always holds `console` and the aliases. `ops_channel` None:
    the service's own trouble is only logged. `queue_age`: what is due may wait so long before that is said.
    `breaker` is that of hosts that rules name; None: none.
    """

    endpoints: tuple[Endpoint, ...]
    default_livemode: bool | None
    stripe: StripeSettings
    default_channel: str
    channels: Mapping[str, Channel]
    callbacks: Mapping[str, CallbackTarget]
    callback_hosts: frozenset[str]
    breaker: BreakerPolicy | None
    rules: tuple[Path, ...]
    data: Path
    store: StoreSettings
    console: ConsoleSettings
    retention: Retention
    ops_channel: str | None
    queue_age: timedelta
    receive: ReceiveSettings
    logs: LogSettings
    role: Role
    configured: bool
    file: Path | None

    def secrets(self) -> tuple[str, ...]:
        """Every secret value in clear, for the redaction of logs; nothing else may ask for it."""
        wrapped = [
            *(secret for endpoint in self.endpoints for secret in endpoint.secrets),
            *self.stripe.keys.values(),
            *(channel.url for channel in self.channels.values()),
            *(secret for target in self.callbacks.values() for secret in target.secrets),
            *(header for target in self.callbacks.values() for header in target.headers.values()),
            self.console.token,
            self.console.secret,
        ]
        found = {secret.get_secret_value() for secret in wrapped if secret is not None}
        return tuple(sorted(found | ({self.store.url} if not self.store.embedded else set())))
