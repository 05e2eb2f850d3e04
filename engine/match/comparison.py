"""Order: numbers with numbers, money in its currency, times with times; anything else has no order."""

from datetime import datetime, timedelta
from decimal import Decimal

from engine.match.values import epoch_seconds, number, parse_time, seconds
from engine.model.condition import Bounds, Money, Time
from engine.model.event import Json


def order(value: Json, bound: Json, currency: str | None) -> int | None:
    """-1, 0 or 1 as value is below, at or above the bound; None where the two cannot be compared.

    `currency` is that of the value's nearest enclosing object.
    """
    if isinstance(bound, Money):
        amount, own = amount_of(value, currency)
        return _sign(amount, bound.minor) if amount is not None and own == bound.currency else None
    if isinstance(bound, Time):
        moment = seconds(value)
        return _sign(moment, epoch_seconds(bound.at)) if moment is not None else None
    if isinstance(bound, str):
        return _order_of_texts(value, bound)
    first, second = number(value), number(bound)
    return _sign(first, second) if first is not None and second is not None else None


def order_in_time(value: Json, at: datetime, ago: timedelta) -> int | None:
    """-1, 0 or 1 as a time is before, at or after the moment that long before `at`; None where it is no time."""
    moment = seconds(value)  # compared, never computed with: an exponent may be beyond what decimals can hold
    return _sign(moment, epoch_seconds(at) - int(ago.total_seconds())) if moment is not None else None


def amount_of(value: Json, currency: str | None) -> tuple[int | Decimal | None, str | None]:
    """The minor units and the currency of an amount: a number in its object, or a v2 `{value, currency}`."""
    if isinstance(value, dict):
        own = value.get("currency")
        return number(value.get("value")), own.lower() if isinstance(own, str) else currency
    return number(value), currency


def bound_for(value: Json, bounds: Bounds, currency: str | None) -> Money | None:
    """The bound for the currency of the value, None where there is none."""
    own = amount_of(value, currency)[1]
    return bounds.of(own) if own is not None else None


def others_pass(value: Json, bounds: Bounds, currency: str | None) -> bool:
    """Whether the value is an amount in a currency that has no bound, and the rule lets those pass."""
    amount, own = amount_of(value, currency)
    return bounds.others and amount is not None and own is not None and bounds.of(own) is None


def _order_of_texts(value: Json, bound: str) -> int | None:
    """Text has an order only as time: both come from the event (a `$name`), where times are ISO strings."""
    if not isinstance(value, str):
        return None
    first, second = parse_time(value), parse_time(bound)
    return _sign(epoch_seconds(first), epoch_seconds(second)) if first and second else None


def _sign(one: int | Decimal, other: int | Decimal) -> int:
    return (one > other) - (one < other)
