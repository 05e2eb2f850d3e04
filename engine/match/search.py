"""What the steps of a path find in a value, in the order of RFC 9535. Never raises, and never recurses into a value."""

from collections.abc import Iterator, Sequence

from engine.match.scope import Scope
from engine.match.steps import EACH, Each, Segment, Selector, Slice, Step
from engine.match.values import MISSING, Missing
from engine.model.event import Json

Found = tuple[Json, str | None]
"""A value, and the `currency` of the nearest enclosing object that has one, if any."""


def follow(found: list[Found], step: str | int | Each) -> list[Found]:
    """What a name, an index or `[*]` leads to from each of the values found so far."""
    return [(child, currency_of(value) or currency) for value, currency in found for child in children(value, step)]


def follow_segment(found: list[Found], segment: Segment, scope: Scope) -> list[Found]:
    """What the selectors of a segment lead to from each of the values found so far."""
    places = _around(found) if not segment.descendants else (each for start in found for each in _inside(start))
    selectors = segment.selectors
    return [(child, own) for value, own in places for each in selectors for child in _select(value, each, scope)]


def find_values(start: Json, steps: tuple[Step, ...], scope: Scope) -> list[Json]:
    """Every value at the end of the steps."""
    found: list[Found] = [(start, None)]
    for step in steps:
        found = follow_segment(found, step, scope) if isinstance(step, Segment) else follow(found, step)
    return [value for value, _ in found]


def descend(root: Json, steps: tuple[Step, ...]) -> Json | Missing:
    """The one value at the end of names and indexes; MISSING where the path breaks off. Never raises."""
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


def children(value: Json, step: str | int | Each) -> Sequence[Json]:
    """What a name, an index or `[*]` leads to."""
    if step is EACH:
        if isinstance(value, list):
            return value
        return list(value.values()) if isinstance(value, dict) else []
    if isinstance(value, dict):
        return [value[step]] if step in value else []
    child = descend(value, (step,))
    return [] if child is MISSING else [child]


def currency_of(value: Json) -> str | None:
    """The currency that a map names, in lower case."""
    if isinstance(value, dict):
        currency = value.get("currency")
        if isinstance(currency, str):
            return currency.lower()
    return None


def _select(value: Json, selector: Selector, scope: Scope) -> Sequence[Json]:
    if isinstance(selector, (str, int)) or selector is EACH:
        return children(value, selector)
    if isinstance(selector, Slice):
        # Python's slices are RFC 9535's, but for a step of 0, which finds nothing.
        sliced = isinstance(value, list) and selector.step != 0
        return value[selector.start : selector.stop : selector.step] if sliced else []
    return [each for each in children(value, EACH) if selector.holds(each, scope)]


def _around(found: list[Found]) -> Iterator[Found]:
    """Each value with the currency that is around what is in it."""
    for value, currency in found:
        yield value, currency_of(value) or currency


def _inside(start: Found) -> Iterator[Found]:
    """A list or map and all within it, each before what is in it, and with the currency around that."""
    pending = [start]
    while pending:
        value, currency = pending.pop()
        if isinstance(value, dict):
            currency = currency_of(value) or currency
            inner: Iterator[Json] = reversed(value.values())
        elif isinstance(value, list):
            inner = reversed(value)
        else:
            continue
        yield value, currency
        pending += [(each, currency) for each in inner if isinstance(each, (dict, list))]
