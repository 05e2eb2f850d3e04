"""What events of some types carry, as far as is known, and where a path leads in it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from engine.match import Base, Path, compile_type_pattern, parse_path
from engine.match.steps import EACH, Segment
from engine.model.catalog import TypeInfo, catalog
from engine.model.rule import When
from engine.model.schema import Field, Kind, schema

UNKNOWN = Field(kind=Kind.ANY)
_ENVELOPES = ("event", "v2.core.event")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path may lead: a field, and whether an object around it may have a currency."""

    field: Field
    priced: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Where a path leaves what is known: the step that leads nowhere, its place in the path, and the spots before."""

    step: object
    place: int
    before: tuple[Spot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What the events of some patterns carry. `objects` are the names of the objects, in the order of likelihood;
    `whole` is whether that is all of them: else nothing can be said to be missing. `fetched` are paths to ids that have
    become their objects."""

    patterns: tuple[str, ...]
    types: tuple[str, ...]
    objects: tuple[str, ...]
    whole: bool
    fetched: frozenset[tuple[str, ...]] = frozenset()

    @property
    def spots(self) -> tuple[Spot, ...]:
        """Each of the objects."""
        return tuple(Spot(found) for name in self.objects if (found := schema(name)) is not None)


@lru_cache(maxsize=4_096)
def carried(patterns: tuple[str, ...]) -> Carried:
    """What events whose type fits one of the patterns carry."""
    found = [info for pattern in patterns for info in _types(pattern)]
    names = [_objects(info) for info in found]
    objects = tuple(dict.fromkeys(name for each in names for name in each))
    known = bool(objects) and all(names) and all(schema(name) is not None for name in objects)
    every = known and all(any(True for _ in _types(pattern)) for pattern in patterns)
    return Carried(patterns=patterns, types=tuple(info.type for info in found), objects=objects, whole=every)


def _types(pattern: str) -> Iterator[TypeInfo]:
    if pattern in catalog():
        yield catalog()[pattern]  # its thin twin is about the same object
        return
    takes = compile_type_pattern(pattern)
    yield from (info for name, info in catalog().items() if takes(name))


def _objects(info: TypeInfo) -> tuple[str, ...]:
    """A thin event of API v1 is about what its snapshot twin carries."""
    twin = catalog().get(info.base_type)
    return info.objects or (twin.objects if twin is not None else ())


def with_ids(about: Carried, whens: tuple[When, ...]) -> Carried:
    """The same with the objects in place of those ids that a rule has read."""
    ids = [path for when in whens if when.fetch is not None for path in when.fetch.ids]
    return replace(about, fetched=frozenset(tuple(path.split(".")) for path in ids)) if ids else about


def lead(path: Path, about: Carried, item: tuple[Spot, ...] | None) -> tuple[Spot, ...] | Lost:
    """Where a path leads: every spot it may mean. `item` is what an element is, for paths that begin at one.

    A spot of kind ANY stands for what is not known.
    """
    if path.base is Base.ITEM or (path.base is Base.OBJECT and item is not None):
        return follow(item or (Spot(UNKNOWN),), path.steps)
    return _lead(path.text, about.patterns, about.fetched)


@lru_cache(maxsize=16_384)
def _lead(text: str, patterns: tuple[str, ...], fetched: frozenset[tuple[str, ...]]) -> tuple[Spot, ...] | Lost:
    """The same for a path from the event, remembered: rules look at the same few."""
    path, about = parse_path(text), carried(patterns)
    steps, skipped = path.steps, 0
    if path.base is Base.EVENT:
        if steps[:2] not in (("data", "object"), ("data", "previous_attributes")):
            return follow(tuple(Spot(found) for name in _ENVELOPES if (found := schema(name))), steps)
        steps, skipped = steps[2:], 2
    elif path.base is Base.ACCOUNT and steps[0] not in ("id", "name"):
        return follow((Spot(schema("account") or UNKNOWN),), steps)
    elif path.base not in (Base.OBJECT, Base.PREVIOUS):
        return (Spot(UNKNOWN),)
    ends = follow(about.spots if about.whole else (Spot(UNKNOWN),), steps, fetched)
    return replace(ends, place=ends.place + skipped) if isinstance(ends, Lost) else ends


def follow(
    spots: tuple[Spot, ...], steps: tuple[object, ...], fetched: Collection[tuple[object, ...]] = ()
) -> tuple[Spot, ...] | Lost:
    """Where steps lead from any of these spots."""
    for place, step in enumerate(steps):
        after = tuple(found for spot in spots for found in _next(spot, step))
        if not after:
            return Lost(step, place, spots)
        spots = after
        if steps[: place + 1] in fetched:
            spots = tuple(found for spot in after for found in _fetched(spot))
    return spots


def _next(spot: Spot, step: object) -> Iterator[Spot]:
    field = spot.field
    if isinstance(step, str):
        if field.kind is Kind.OBJECT:
            yield from _below(spot, step)
        elif field.kind is Kind.MAP:
            yield Spot(field.item or UNKNOWN, priced=True)  # its keys may be currencies
        elif field.kind is Kind.ANY:
            yield Spot(UNKNOWN, priced=True)
    elif isinstance(step, int) or step is EACH:
        if field.kind is Kind.LIST or (field.kind is Kind.MAP and step is EACH):
            yield Spot(field.item or UNKNOWN, spot.priced)
        elif field.kind is Kind.ANY:
            yield Spot(UNKNOWN, priced=True)
        elif step is EACH and not any("data" in fields for fields in field.within):  # one of Stripe's lists is meant
            yield from (Spot(each, "currency" in fields) for fields in field.within for each in fields.values())
    elif isinstance(step, Segment) and not step.descendants:
        for selector in step.selectors:
            yield from _next(spot, selector if isinstance(selector, (str, int)) else EACH)
    else:
        yield Spot(UNKNOWN, priced=True)


def _fetched(spot: Spot) -> Iterator[Spot]:
    if spot.field.kind not in (Kind.ID, Kind.TEXT):  # a text, of metadata say, may well be an id
        yield spot
        return
    yield from (Spot(schema(name) or UNKNOWN) for name in spot.field.of or ("",))


def _below(spot: Spot, name: str) -> Iterator[Spot]:
    within: tuple[Mapping[str, Field], ...] = spot.field.within
    for fields in within:
        if name in fields:
            yield Spot(fields[name], priced=spot.priced or "currency" in fields)
    if not within:
        yield Spot(UNKNOWN, priced=True)


def elements(spots: tuple[Spot, ...]) -> tuple[Spot, ...]:
    """What the elements are of the lists among these spots; of what is not known, unknown."""
    lists = (Kind.LIST, Kind.ANY)
    return tuple(Spot(spot.field.item or UNKNOWN, spot.priced) for spot in spots if spot.field.kind in lists)
