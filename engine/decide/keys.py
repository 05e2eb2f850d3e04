"""Keys: what is counted, waited for and kept quiet apart."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache

from engine.decide.memory import as_key
from engine.match.lookup import find, getter
from engine.match.paths import path_of
from engine.match.values import MISSING, number
from engine.model.condition import Reference
from engine.model.event import Event, Json
from engine.model.timing import Other, Per

ACCOUNT = "$account.id"
PLATFORM = "platform"
NONE = "(none)"
"""Under what a missing value counts."""

_Values = Callable[[Event], Sequence[Json]]


def key_of(per: Sequence[Reference], event: Event) -> str:
    """What the event counts under; a missing value counts under `(none)`."""
    found = [values_at(reference, event) for reference in per]
    return as_key(event.livemode, *(_one(values) if values else NONE for values in found))


def words_of(per: Per, event: Event) -> str:
    """The same for people: `acct_1`, `acct_1, visa`."""
    found = [values_at(reference, event) for reference in per]
    return ", ".join("/".join(map(str, values)) if values else NONE for values in found)


def trigger_key(other: Other, trigger: Event) -> str | None:
    """What an event of the rule has in common with the other event that belongs to it; None: it belongs to nothing."""
    return _joint([mine for mine, _ in other.same], trigger)


def other_key(other: Other, event: Event) -> str | None:
    """The same of the other event."""
    return _joint([theirs for _, theirs in other.same], event)


def shared_key(per: Per, other: Other | None, event: Event) -> str:
    """What an event of the rule counts under, as far as another event has it in common (all of it, where there is no
    other): both find the same memory by it."""
    return key_of(per if other is None else [mine for mine, _ in _shared(per, other)], event)


def shared_paths(per: Per, other: Other | None) -> tuple[str, ...]:
    """The paths of what `shared_key` is made of."""
    return tuple(each.path for each in (per if other is None else [mine for mine, _ in _shared(per, other)]))


def shared_other_key(per: Per, other: Other, event: Event) -> str | None:
    """The same of the other event; None: it belongs to nothing."""
    return _joint([theirs for _, theirs in _shared(per, other)], event)


def _shared(per: Per, other: Other) -> Sequence[tuple[Reference, Reference]]:
    paths = {reference.path for reference in per}
    return [pair for pair in other.same if pair[0].path in paths]


def _joint(references: Sequence[Reference], event: Event) -> str | None:
    found = [values_at(reference, event) for reference in references]
    return as_key(event.livemode, *map(_one, found)) if all(found) else None


def values_at(reference: Reference, event: Event) -> Sequence[Json]:
    """The values at a path that are there, each in a form that is the same for what is equal. The platform counts as
    an account."""
    if reference.path == ACCOUNT:
        return [event.account or PLATFORM]
    return [_normal(value) for value in _values(reference)(event) if value is not None]


@lru_cache(maxsize=4_096)
def _values(reference: Reference) -> _Values:
    path = path_of(reference)
    if path.several:
        return lambda event: [value for value, _ in find(path, event)]
    get = getter(path)
    return lambda event: [] if (value := get(event)) is MISSING else [value]


def _normal(value: Json) -> Json:
    if isinstance(value, bool | str):
        return value
    exact = number(value)
    if exact is None:
        return value
    return (
        exact if isinstance(exact, int) else int(exact) if exact == exact.to_integral_value() else {"#": _text(exact)}
    )


def _text(value: Decimal) -> str:
    return str(value.normalize())


def _one(values: Sequence[Json]) -> Json:
    return values[0] if len(values) == 1 else list(values)
