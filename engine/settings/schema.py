"""What may stand in `config.yaml`, in `TOCSIN_...` variables and in secret files, checked by pydantic.

The descriptions of the fields are the documentation of the settings: `describe()` reads them, docs are held to it.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.model.event import Scope
from engine.model.rule import Severity
from engine.settings import checks
from engine.source import Rate

Duration = Annotated[timedelta, checks.before(checks.duration)]
Text = Annotated[str, checks.before(checks.text)]
Name = Annotated[str, checks.before(checks.name)]
Truth = Annotated[bool, checks.before(checks.truth)]
Livemode = Annotated[Literal["true", "false", "any"], checks.before(checks.livemode)]
Count = Annotated[int, checks.before(checks.count)]
Percent = Annotated[int, checks.before(checks.percent)]
Secret = Annotated[SecretStr, checks.before(checks.secret)]
EndpointSecret = Annotated[SecretStr, checks.before(checks.endpoint_secret)]
CallbackSecret = Annotated[SecretStr, checks.before(checks.callback_secret)]
StripeKey = Annotated[SecretStr, checks.before(checks.stripe_key)]
ChannelUrl = Annotated[SecretStr, checks.before(checks.channel_url)]
RateText = Annotated[Rate, checks.before(checks.rate)]
_seconds = timedelta


def _per_second(count: int) -> Rate:
    return Rate(count=count, every=timedelta(seconds=1))


class Part(BaseModel):
    """Any part of the file: unknown keys are errors, and no error ever shows what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


class BreakerPart(Part):
    off: Truth = Field(default=False, description="true: no breaker; `breaker: off` is short for it.")
    share: Percent = Field(default=50, description="Opens when so many percent of the requests have failed.")
    requests: Count = Field(default=10, description="Of at least so many requests.")
    window: Duration = Field(default=_seconds(minutes=1), description="Within so long.")
    wait: Duration = Field(
        default=_seconds(seconds=30), description="After so long one delivery tries it; the others wait on."
    )
    longest_wait: Duration = Field(
        default=_seconds(minutes=5), description="Each time that this fails the wait doubles, up to so long."
    )


class OwnBreakerPart(Part):
    off: Truth = Field(default=False, description="true: no breaker here; `breaker: off` is short for it.")
    share: Percent | None = Field(default=None, description="As in `breaker`, which counts for what is left out.")
    requests: Count | None = Field(default=None, description="As in `breaker`.")
    window: Duration | None = Field(default=None, description="As in `breaker`.")
    wait: Duration | None = Field(default=None, description="As in `breaker`.")
    longest_wait: Duration | None = Field(default=None, description="As in `breaker`.")


class RatesPart(Part):
    live: RateText = Field(
        default=_per_second(80), description="At most so many calls in live mode; Stripe allows 100/s."
    )
    test: RateText = Field(default=_per_second(20), description="The same in test mode, where Stripe allows 25/s.")
    account: RateText = Field(
        default=_per_second(5), description="At most so many calls for one account, in each mode."
    )


class EndpointPart(Part):
    name: Name = Field(description="Your name for the endpoint: in logs, metrics and `explain`.")
    path: Annotated[str, checks.before(checks.endpoint_path)] = Field(
        default="/webhooks/stripe",
        description="The path Stripe posts to. Several endpoints may share one.",
    )
    scope: Annotated[Scope | None, checks.before(checks.scope)] = Field(
        default=None,
        description="platform, connected or organization, as in Workbench. Left out: inferred from each event.",
    )
    livemode: Livemode = Field(default="any", description="What is expected here: true, false or any.")
    secrets: Annotated[tuple[EndpointSecret, ...], checks.before(checks.one_or_more)] = Field(
        description="The signing secrets Stripe shows for the endpoint (whsec_...); two while one is rolled."
    )
    key: Name | None = Field(
        default=None,
        description="Which of stripe.keys acts for its events. Left out: live or test, by the event's livemode.",
    )


class AllowPart(Part):
    operation: Annotated[str, checks.before(checks.operation)] = Field(
        description="The SDK's name of the operation, as in rules: accounts.update."
    )
    max: Count = Field(description="At most so many writes in any `every`; what is beyond is held.")
    every: Duration = Field(description="The span `max` counts over: 1h, 1d.")


class StripePart(Part):
    keys: Annotated[dict[Name, StripeKey], checks.before(checks.drop_empty)] = Field(
        default_factory=dict,
        description="API keys (restricted ones are enough): live, test, and one under a name of your own per sandbox.",
    )
    api_base: Annotated[str, checks.before(checks.api_base)] = Field(
        default="https://api.stripe.com",
        description="Where Stripe's API is; another address is for tests.",
    )
    allow: tuple[AllowPart, ...] = Field(
        default=(),
        description="Write operations that rules may use, each with a cap. Reads need no entry.",
    )
    rates: RatesPart = Field(default=RatesPart(), description="How fast Stripe is called, by all processes together.")
    breaker: Annotated[OwnBreakerPart, checks.before(checks.short_breaker)] = Field(
        default=OwnBreakerPart(), description="When Stripe is left alone, where not as `breaker` says."
    )


class ChannelPart(Part):
    url: ChannelUrl = Field(description="An Apprise URL. It is a credential and never shown.")
    min_severity: Annotated[Severity, checks.before(checks.severity)] = Field(
        default=Severity.INFO,
        description="Only rules of at least this severity notify here.",
    )
    livemode: Livemode = Field(default="any", description="Only events of this livemode are notified here.")
    rate: RateText | None = Field(
        default=None,
        description="At most so many messages, by all processes together: 30/m, 1/s. Left out: no limit of ours.",
    )
    timeout: Duration = Field(default=_seconds(seconds=20), description="How long one attempt may take.")
    concurrency: Count | None = Field(
        default=None, description="At most so many messages at once, by all processes together. Left out: 2 in each."
    )
    breaker: Annotated[OwnBreakerPart, checks.before(checks.short_breaker)] = Field(
        default=OwnBreakerPart(), description="When it is left alone, where not as `breaker` says."
    )


class CallbackPart(Part):
    url: Annotated[str, checks.before(checks.callback_url)] = Field(description="Where the request is posted to.")
    secret: Annotated[tuple[CallbackSecret, ...], checks.before(checks.one_or_more)] = Field(
        description="Signs each request by Standard Webhooks: whsec_ and base64. A list while it is rolled."
    )
    allow_private: Truth = Field(default=False, description="Allow plain http and private or loopback addresses here.")
    headers: dict[Text, Secret] = Field(
        default_factory=dict, description="Headers sent with each request; their values are secrets."
    )
    timeout: Duration = Field(default=_seconds(seconds=15), description="How long one attempt may take.")
    rate: RateText | None = Field(
        default=None, description="At most so many requests, by all processes together: 30/m, 10/s. Left out: no limit."
    )
    concurrency: Count | None = Field(
        default=None, description="At most so many requests at once, by all processes together. Left out: 16 in each."
    )
    breaker: Annotated[OwnBreakerPart, checks.before(checks.short_breaker)] = Field(
        default=OwnBreakerPart(), description="When it is left alone, where not as `breaker` says."
    )


class StorePart(Part):
    url: Annotated[SecretStr, checks.before(checks.store_url)] = Field(
        default=SecretStr("embedded"),
        description="embedded, or postgresql://user@host/db to share a database; of several hosts, as in "
        "postgresql://user@one,two:5433/db?target_session_attrs=read-write, the first that serves is taken.",
    )
    connections: Count = Field(default=8, description="Connections kept for queries, in each process.")
    connect_timeout: Duration = Field(default=_seconds(seconds=5), description="How long connecting may take.")
    statement_timeout: Annotated[timedelta, checks.before(checks.statement_bound)] = Field(
        default=_seconds(seconds=15), description="How long one statement may take, at most 1d."
    )


class ReceivePart(Part):
    max_body: Annotated[int, checks.before(checks.size)] = Field(
        default=1024 * 1024,
        description="The largest body taken, in bytes or as 1MiB; beyond it the answer is 413.",
    )
    tolerance: Duration = Field(
        default=_seconds(seconds=300),
        description="How far a signature's time may be off, in both directions.",
    )
    commit_timeout: Duration = Field(
        default=_seconds(seconds=5),
        description="How long storing may take before the answer is 503 and Stripe sends again.",
    )
    backlog: Annotated[int, checks.before(checks.size)] = Field(
        default=32 * 1024 * 1024,
        description="How much may wait to be stored, in bytes or as 32MiB; beyond it the answer is 503 at once.",
    )


class ConsolePart(Part):
    token: Annotated[SecretStr | None, checks.before(checks.token)] = Field(
        default=None,
        description="Opens the console to writing and to other machines. None: read-only, loopback only.",
    )
    url: Annotated[str | None, checks.before(checks.public_url)] = Field(
        default=None,
        description="Where people reach this service: https://tocsin.example.com. Messages of incidents then have a "
        "link to acknowledge them. None: no links.",
    )
    secret: Annotated[SecretStr | None, checks.before(checks.token)] = Field(
        default=None,
        description="Signs those links; the same on every machine. None: one is made and kept in `data`.",
    )


class RetentionPart(Part):
    events: Annotated[timedelta, checks.before(checks.kept)] = Field(
        default=_seconds(days=90),
        description="How long events and what came of them are kept; at least 3d, for Stripe sends them again.",
    )


class OpsPart(Part):
    channel: Name | None = Field(
        default=None,
        description="The channel that hears of the service's own trouble. None: only the log.",
    )
    queue_age: Duration = Field(
        default=_seconds(minutes=1),
        description="How long what is due may wait to be attempted before the channel and /readyz say so.",
    )


class LogsPart(Part):
    format: Annotated[str, checks.one_of("auto", "console", "json")] = Field(
        default="auto",
        description="console for people, json for machines, auto: console on a terminal and json elsewhere.",
    )
    level: Annotated[str, checks.one_of("debug", "info", "warning", "error")] = Field(
        default="info",
        description="The least level that is logged: debug, info, warning, error.",
    )


class FileSettings(BaseSettings):
    """The whole file. Each source is given by `engine.settings.load`: file, environment, secret files."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="TOCSIN_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        arbitrary_types_allowed=True,
    )

    endpoints: tuple[EndpointPart, ...] = Field(
        default=(),
        description="Your webhook endpoints at Stripe. None: one named `local`, for trying.",
    )
    default_livemode: Livemode | None = Field(
        default=None,
        description="What rules that do not say are for: true, false or any. Without endpoints any, else true.",
    )
    stripe: StripePart = Field(default=StripePart(), description="Acting on Stripe, and reading from it.")
    default_channel: Name = Field(
        default="console",
        description="Stands in for payments, risk and onboarding until set.",
    )
    channels: Annotated[dict[Name, ChannelPart], checks.before(checks.short_channels)] = Field(
        default_factory=dict, description="Where `notify` sends, by name: an Apprise URL, or a map with `url`."
    )
    callbacks: dict[Name, CallbackPart] = Field(
        default_factory=dict, description="Systems that `callback` posts to, by name."
    )
    callback_hosts: Annotated[tuple[Annotated[str, checks.before(checks.host)], ...], checks.before(checks.listed)] = (
        Field(default=(), description="Hosts that a rule may name directly, https and public addresses only.")
    )
    breaker: Annotated[BreakerPart, checks.before(checks.short_breaker)] = Field(
        default=BreakerPart(), description="When a destination that fails is left alone, by all processes together."
    )
    rules: Annotated[tuple[Text, ...], checks.before(checks.one_or_more)] = Field(
        default=("rules",),
        description="Files and folders of rules.",
    )
    data: Text = Field(default="data", description="Where the embedded database and generated secrets live.")
    role: Annotated[str, checks.one_of("all", "receive", "work")] = Field(
        default="all",
        description="What this process does: receive (answer Stripe), work (deliver), or all of it.",
    )
    store: StorePart = Field(default=StorePart(), description="The database.")
    receive: ReceivePart = Field(default=ReceivePart(), description="Bounds on what is received.")
    console: ConsolePart = Field(default=ConsolePart(), description="The web console.")
    retention: RetentionPart = Field(default=RetentionPart(), description="How long what is stored is kept.")
    ops: OpsPart = Field(default=OpsPart(), description="The service's own trouble.")
    logs: LogsPart = Field(default=LogsPart(), description="The log, on standard error.")
