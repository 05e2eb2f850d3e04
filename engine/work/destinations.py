"""Where a delivery goes, as far as others go there too: what is bounded, left alone, and trusted again as one."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.model.delivery import Delivery
from engine.model.destination import BreakerPolicy
from engine.model.rule import Verb
from engine.settings import CallbackTarget, Channel, Settings
from engine.source import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One destination. `name` is `notify risk`, `callback case-system`, `callback hooks.example.com`, `stripe live`.

    `breaker` None: none. `rates` are those that a request to it counts in, by name.
    """

    name: str
    breaker: BreakerPolicy | None = None
    rates: tuple[tuple[str, Rate], ...] = ()


class Destinations:
    """The destinations of these settings. Channels with the same URL are one, under the name that comes first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._first: dict[str, str] = {}
        for name, channel in settings.channels.items():
            if channel.url is not None:
                self._first.setdefault(channel.url.get_secret_value(), name)

    def of(self, delivery: Delivery) -> Destination:
        """Where that delivery goes."""
        return self.to(delivery.verb, delivery.destination, delivery.livemode, delivery.account)

    def to(self, verb: Verb, destination: str, livemode: bool, account: str | None = None) -> Destination:
        """Where deliveries of that verb go; one that is not configured any more has nothing that bounds it."""
        match verb:
            case Verb.NOTIFY:
                return self._channel(destination.partition("/")[0])
            case Verb.CALLBACK:
                return self._callback(destination)
            case Verb.STRIPE | Verb.FETCH:
                return self._stripe(livemode, account)

    def concurrency(self, verb: str, destination: str) -> int | None:
        """How many deliveries there may be at once to one destination, by all processes together; None: no bound."""
        places: Mapping[str, Channel | CallbackTarget] = {}
        if verb == Verb.NOTIFY:
            places = self._settings.channels
        elif verb == Verb.CALLBACK:
            places = self._settings.callbacks
        return places[destination].concurrency if destination in places else None

    def is_console(self, verb: str, destination: str) -> bool:
        """Whether it is this process's own output, which keeps nobody waiting."""
        channel = self._settings.channels.get(destination) if verb == Verb.NOTIFY else None
        return channel is not None and channel.url is None

    def _channel(self, name: str) -> Destination:
        channel = self._settings.channels.get(name)
        if channel is None or channel.url is None:
            return Destination(name=f"notify {name}")
        called = f"notify {self._name(channel)}"
        return Destination(name=called, breaker=channel.breaker, rates=_of(called, channel.rate))

    def _name(self, channel: Channel) -> str:
        assert channel.url is not None
        return self._first[channel.url.get_secret_value()]

    def _callback(self, destination: str) -> Destination:
        target = self._settings.callbacks.get(destination)
        if target is not None:
            name = f"callback {destination}"
            return Destination(name=name, breaker=target.breaker, rates=_of(name, target.rate))
        if "://" not in destination:
            return Destination(name=f"callback {destination}")
        return Destination(name=f"callback {urlsplit(destination).netloc}", breaker=self._settings.breaker)

    def _stripe(self, livemode: bool, account: str | None) -> Destination:
        stripe = self._settings.stripe
        name = f"stripe {'live' if livemode else 'test'}"
        rates = _of(name, stripe.live_rate if livemode else stripe.test_rate)
        if account is not None:
            rates += _of(f"{name} {account}", stripe.account_rate)
        return Destination(name=name, breaker=stripe.breaker, rates=rates)


def _of(name: str, rate: Rate | None) -> tuple[tuple[str, Rate], ...]:
    return () if rate is None else ((name, rate),)
