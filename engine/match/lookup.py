"""What a path finds in an event: getters for compiled conditions, and `find` for the rest, with currencies."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.match.paths import Base, Path
from engine.match.steps import EACH, Step
from engine.match.subjects import Element, Item
from engine.match.values import MISSING, Missing
from engine.model.event import Json

_ROOTS: dict[Base, Callable[[Any], Json]] = {
    Base.OBJECT: lambda subject: subject.object,
    Base.EVENT: lambda subject: subject.data,
    Base.PREVIOUS: lambda subject: subject.previous,
    Base.ACCOUNT: lambda subject: {"id": subject.account},
    Base.ITEM: lambda subject: subject.value,
}


def _root_of(path: Path) -> tuple[Callable[[Any], Json | Missing], tuple[Step, ...]]:
    """Where a path begins in a subject, and the steps from there."""
    if path.base is Base.TABLES:
        cells: Mapping[str, Json] = path.column.cells if path.column is not None else {}
        return lambda subject: cells.get(subject.account, MISSING), ()
    return _ROOTS[path.base], path.steps


def descend(root: Json, steps: tuple[Step, ...]) -> Json | Missing:
    """The one value at the end of steps without `[*]`; MISSING where the path breaks off. Never raises."""
    value = root
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return MISSING
            value = value[step]
        else:
            if not isinstance(value, list) or not isinstance(step, int) or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
    return value


def getter(path: Path) -> Callable[[Any], Json | Missing]:
    """A function of a subject giving the path's one value or MISSING; for paths without `[*]`."""
    steps = path.steps
    if path.base is Base.OBJECT and len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]

        def field(subject: Any) -> Json | Missing:
            found = subject.object
            return found.get(name, MISSING) if found is not None else MISSING

        return field
    root, steps = _root_of(path)
    return lambda subject: descend(root(subject), steps)


def values_getter(path: Path) -> Callable[[Any], list[Json]]:
    """A function of a subject giving every value of the path; an empty list means missing."""
    root, steps = _root_of(path)

    def values(subject: Any) -> list[Json]:
        found = [root(subject)]
        for step in steps:
            found = [child for value in found for child in _children(value, step)]
        return found

    return values


def find(path: Path, subject: Any) -> list[tuple[Json, str | None]]:
    """Every value of the path, each with the `currency` of the nearest enclosing object that has one, if any.

    An empty list means missing. What changed is in the currency of the object it belongs to, if it says no other.
    """
    root, steps = _root_of(path)
    found: list[tuple[Json, str | None]] = [(root(subject), _currency_outside(path, subject))]
    for step in steps:
        found = [
            (child, _currency_of(value) or currency) for value, currency in found for child in _children(value, step)
        ]
    if path.base is Base.ACCOUNT:
        found = [pair for pair in found if pair[0] is not None]  # the platform's own id is not known
    return [pair for pair in found if pair[0] is not MISSING]


def _currency_outside(path: Path, subject: Any) -> str | None:
    """The currency around where a path begins."""
    if path.base is Base.ITEM or (path.base is Base.OBJECT and isinstance(subject, Element)):
        found: str | None = subject.currency
        return found
    if path.base is Base.PREVIOUS:
        return currency_around(subject.whole if isinstance(subject, Item) else subject.object, path.steps)
    return None


def currency_around(root: Json, steps: tuple[Step, ...]) -> str | None:
    """The currency of the nearest enclosing object on the way along steps (as far as they lead), None if none has."""
    currency: str | None = None
    value = root
    for step in steps:
        currency = _currency_of(value) or currency
        children = _children(value, step)
        if step is EACH or not children:
            break
        value = children[0]
    return currency


def _children(value: Json, step: Step) -> list[Json]:
    if step is EACH:
        if isinstance(value, list):
            return value
        return list(value.values()) if isinstance(value, dict) else []
    if isinstance(value, dict):
        return [value[step]] if step in value else []
    child = descend(value, (step,))
    return [] if child is MISSING else [child]


def _currency_of(value: Json) -> str | None:
    if isinstance(value, dict):
        currency = value.get("currency")
        if isinstance(currency, str):
            return currency.lower()
    return None
