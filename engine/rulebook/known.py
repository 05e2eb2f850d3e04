"""What rules may name: the part of the configuration that the language looks at."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from engine.model.event import Scope


class StripeOperations(Protocol):
    """What is known of the SDK's operations; `engine.stripe_api.operations` is one."""

    @property
    def problem(self) -> Callable[[str], str | None]:
        """Why a name cannot be an operation, for the author of a rule; None when it is one."""
        ...

    @property
    def is_write(self) -> Callable[[str], bool]:
        """Whether the operation may change something."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An endpoint that is configured: the scope and the livemode of what comes to it, None for any; `key` names the key
    that acts for its events, None where that is by their livemode."""

    name: str
    scope: Scope | None = None
    livemode: bool | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that rules may use. None: not known, every name is taken on trust.

    `stripe_keys` are names of keys. `default_livemode` is that of rules that do not say; None is any.
    `allowed_writes` are Stripe operations by the SDK's names.
    """

    channels: Collection[str] | None = None
    callbacks: Collection[str] | None = None
    callback_hosts: Collection[str] | None = None
    stripe_operations: StripeOperations | None = None
    allowed_writes: Collection[str] | None = None
    stripe_keys: Collection[str] | None = None
    endpoints: Collection[Listening] | None = None
    default_livemode: bool | None = None
