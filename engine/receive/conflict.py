"""How an event contradicts what is configured for the endpoint that received it, in words that say what to do."""

from typing import Protocol

from engine.model.event import Json, Scope

_PING = "v2.core.event_destination.ping"
"""Sent to try a destination, whatever its scope."""


class Expected(Protocol):
    """What is configured for an endpoint."""

    @property
    def name(self) -> str: ...

    @property
    def scope(self) -> Scope | None: ...

    @property
    def livemode(self) -> bool | None: ...


def conflict_of(
    endpoint: Expected, *, thin: bool, account: str | None, context: str | None, livemode: Json, event_type: str
) -> str | None:
    """One text for every contradiction of scope and livemode, None where there is none."""
    scope = None
    if endpoint.scope is not None and event_type != _PING:
        scope = _scope_conflict(endpoint.name, endpoint.scope, thin, account, context)
    mode = _livemode_conflict(endpoint.name, endpoint.livemode, livemode)
    if scope is None or mode is None:
        return scope or mode
    return f"{scope} {mode}"


def _scope_conflict(name: str, scope: Scope, thin: bool, account: str | None, context: str | None) -> str | None:
    if scope is Scope.PLATFORM:
        field, value = ("context", context or account) if thin else ("account", account)
        if value is None:
            return None
        return (
            f"Endpoint {name} is configured as scope: platform, but this event carries {field} {value}, as only "
            f'events from connected accounts do: at Stripe its "Events from" is not "Your account". '
            f"Write scope: connected for the endpoint that has this secret (organization, if it is an organization's)."
        )
    if context is not None or account is not None:
        return None
    if scope is Scope.ORGANIZATION:
        return (
            f"Endpoint {name} is configured as scope: organization, but this event carries no context, as every "
            f"event of an organization does. Write scope: platform or scope: connected, whichever this endpoint's "
            f'"Events from" is at Stripe.'
        )
    hint = " Events named v2.core.account of your own connected accounts come in the platform scope." if thin else ""
    return (
        f"Endpoint {name} is configured as scope: connected, but this event carries no "
        f'{"context" if thin else "account"}: at Stripe its "Events from" is "Your account".{hint} '
        f"Write scope: platform for the endpoint that has this secret."
    )


def _livemode_conflict(name: str, expected: bool | None, livemode: Json) -> str | None:
    if not isinstance(livemode, bool):
        taken = "live" if expected is True else "test"
        return f"This event does not say whether it is live; it is taken as a {taken} event."
    if expected is None or expected is livemode:
        return None
    if expected:
        return (
            f"Endpoint {name} is configured as livemode: true, but this is a test event. Stripe sends test events to "
            f"live Connect endpoints too, for accounts that are connected in both modes. Rules for live events leave "
            f"it alone; write livemode: any for this endpoint if test events are expected here."
        )
    return (
        f"Endpoint {name} is configured as livemode: false, but this is a live event: this secret belongs to a live "
        f"endpoint. Write livemode: true for it, or livemode: any."
    )
