"""What a path finds in an event: getters for compiled conditions, and `find` for the rest, with currencies."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.match.paths import Base, Path
from engine.match.scope import Scope
from engine.match.search import Found, children, currency_of, descend, follow, follow_segment
from engine.match.steps import EACH, Segment, Step
from engine.match.subjects import Element, Item
from engine.match.values import MISSING, Missing
from engine.model.event import Json

_ROOTS: dict[Base, Callable[[Any], Json]] = {
    Base.OBJECT: lambda subject: subject.object,
    Base.EVENT: lambda subject: subject.data,
    Base.PREVIOUS: lambda subject: subject.previous,
    Base.ACCOUNT: lambda subject: {**(subject.fetched or {}).get("account", {}), "id": subject.account},
    Base.ITEM: lambda subject: subject.value,
    Base.STEPS: lambda subject: getattr(subject, "steps", None),  # an event as such has none
    Base.WINDOW: lambda subject: (getattr(subject, "told", None) or {}).get("window"),
    Base.INCIDENT: lambda subject: (getattr(subject, "told", None) or {}).get("incident"),
    Base.DIGEST: lambda subject: (getattr(subject, "told", None) or {}).get("digest"),
}


def _root_of(path: Path) -> tuple[Callable[[Any], Json | Missing], tuple[Step, ...]]:
    """Where a path begins in a subject, and the steps from there."""
    if path.base is Base.TABLES:
        cells: Mapping[str, Json] = path.column.cells if path.column is not None else {}
        return lambda subject: cells.get(subject.account, MISSING), ()
    return _ROOTS[path.base], path.steps


def getter(path: Path) -> Callable[[Any], Json | Missing]:
    """A function of a subject giving the path's one value or MISSING; for paths that are not `several`."""
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
    plain = tuple(step for step in steps if not isinstance(step, Segment))
    if len(plain) < len(steps):
        return lambda subject: [value for value, _ in find(path, subject)]

    def values(subject: Any) -> list[Json]:
        found = [root(subject)]
        for step in plain:
            found = [child for value in found for child in children(value, step)]
        return found

    return values


def find(path: Path, subject: Any) -> list[Found]:
    """Every value of the path, each with the `currency` of the nearest enclosing object that has one, if any.

    An empty list means missing. What changed is in the currency of the object it belongs to, if it says no other.
    """
    root, steps = _root_of(path)
    found: list[Found] = [(root(subject), _currency_outside(path, subject))]
    scope: Scope | None = None
    for step in steps:
        if isinstance(step, Segment):
            scope = scope or Scope(subject.data)
            found = follow_segment(found, step, scope)
        else:
            found = follow(found, step)
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
    """The currency of the nearest enclosing object on the way along steps, as far as they lead to one value; None if
    none has."""
    currency: str | None = None
    value = root
    for step in steps:
        currency = currency_of(value) or currency
        inner = () if step is EACH or isinstance(step, Segment) else children(value, step)
        if not inner:
            break
        value = inner[0]
    return currency
