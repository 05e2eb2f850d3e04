"""What a notifier says of one attempt."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from engine.model.delivery import Delivery
from engine.model.event import Json
from engine.model.rule import Step, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """It arrived. `result` is what steps that depend on it read as `steps.<id>.result`."""

    status: int | None = None
    excerpt: str | None = None
    result: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """It did not arrive, and trying again may help.

    `after` is what the destination asked for (Retry-After), None: as the ladder says.
    `maybe_delivered`: the answer was lost, so it may have arrived. `attempted` False: nothing was sent because it
    was not this delivery's turn (the destination is busy); no attempt is used up by that. `ours`: the fault was in this
    process, and says nothing of the destination. `stopped`: the process was asked to end; it is due again at once, also
    where it was the last attempt.
    """

    reason: str
    status: int | None = None
    excerpt: str | None = None
    after: timedelta | None = None
    maybe_delivered: bool = False
    attempted: bool = True
    ours: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It did not arrive, and trying again cannot help."""

    reason: str
    status: int | None = None
    excerpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """It may not be done now (a Stripe write beyond its cap); a person releases it with `tocsin retry`."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """It is not to be sent: the condition of the step does not hold."""

    reason: str


Outcome = Delivered | Retry | Refused | Held | Skipped

Scene = Mapping[str, Any]
"""The names that texts may use: event object previous changed account rule steps vars tables."""


class Notifier(Protocol):
    """One verb of the rule language: renders a delivery once, then attempts it as often as it takes."""

    verb: Verb

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        """What every attempt will send, as JSON that the store keeps. Raises TemplateError or DestinationError."""
        ...

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One attempt of a rendered delivery. Expected failures are outcomes; it never raises for them.

        `delivery.attempts` is the number of tries before this one.
        """
        ...

    def preview(self, delivery: Delivery) -> Json:
        """What an attempt of a rendered delivery would put on the wire now, secrets masked; nothing is sent.

        It goes the way of `deliver`, up to the sending. Raises DestinationError where that would refuse.
        """
        ...

    async def warm(self) -> None:
        """Import what the first attempt needs, so that it need not wait for it."""
        ...

    async def close(self) -> None:
        """Release connections and threads."""
        ...
