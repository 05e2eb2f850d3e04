"""What an index asks of one value: which of many things wait for it. It finds too much, never too little."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from engine.match.comparison import amount_of
from engine.match.keys import NUMBER, TIME, Slot
from engine.match.ranges import Bucket, Find, bands, thresholds
from engine.match.values import folded, identity, number, seconds
from engine.model.event import Json

Look = Callable[[Json, str | None, list[Any]], None]
"""Look at a value that is not null, in the currency around it, and add what waits for it to the list."""

Table = Mapping[Json, Bucket]
"""What a key leads to, for a facet that is found by hash."""

Found = Table | Sequence[tuple[Any, Any]]
"""The same for a slot of any facet: those that are found by order have a list of keys and things."""

_LONG = 32
"""Elements of a list beyond which what they find is counted once, lest a hostile list fills the memory."""


def looks_of(found: Iterable[tuple[Slot, Found]]) -> list[Look]:
    """What is asked of one value: of a list as a whole, and of its elements."""
    tables: dict[str, Any] = {}
    ordered: dict[str, dict[str, Any]] = {}
    for slot, things in found:
        if slot.ordered:
            ordered.setdefault(slot.unit, {})[slot.facet] = things
        else:
            tables[slot.facet] = things
    looks: list[Look] = []
    if "present" in tables:
        looks.append(_present(tables["present"][None]))
    if "element" in tables:
        looks.append(_contained(tables["element"]))
    looks += _strings(tables)
    looks += _numbers(tables.get("number"), ordered.pop(NUMBER, None))
    rare = [
        *([_truth(tables["truth"])] if "truth" in tables else []),
        *([_member(tables["member"])] if "member" in tables else []),
        *_times(ordered.pop(TIME, None)),
        *_amounts(ordered, tables.get("others", {})),
    ]
    if rare:
        looks.append(_elements(in_turn(rare)))
    return looks


def in_turn(looks: Sequence[Look]) -> Look:
    """All of them as one."""
    if len(looks) == 1:
        return looks[0]
    several = tuple(looks)

    def look(value: Json, currency: str | None, hits: list[Any]) -> None:
        for each in several:
            each(value, currency, hits)

    return look


def _elements(look: Look) -> Look:
    """A list counts for its elements. Looks that are common see to that themselves: a call less for each event."""

    def elements(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, list):
            _look_into(look, value, currency, hits)
        else:
            look(value, currency, hits)

    return elements


def _look_into(look: Look, elements: list[Json], currency: str | None, hits: list[Any]) -> None:
    """Lists in a list count for nothing, and are not gone into: an event may be nested deeply."""
    look_at_all(look, [element for element in elements if not isinstance(element, list)], currency, hits)


def look_at_all(look: Look, values: Collection[Json], currency: str | None, hits: list[Any]) -> None:
    if len(values) <= _LONG:
        for value in values:
            if value is not None:
                look(value, currency, hits)
        return
    once: dict[Any, None] = {}
    for value in values:
        if value is not None:
            found: list[Any] = []
            look(value, currency, found)
            once.update(dict.fromkeys(found))
    hits += once


def _present(bucket: Bucket) -> Look:
    def present(value: Json, currency: str | None, hits: list[Any]) -> None:
        hits += bucket

    return present


def _contained(table: Table) -> Look:
    """An element of a list by its value; of a text there may be any part in it."""
    texts = tuple(thing for part, bucket in table.items() if isinstance(part, str) for thing in bucket)

    def contained(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, str):
            hits += texts
        elif isinstance(value, list):
            keys = {each if isinstance(each, str) else number(each) for each in value}
            for key in keys:
                bucket = table.get(key)
                if bucket is not None:
                    hits += bucket

    return contained


def _strings(tables: Mapping[str, Table]) -> list[Look]:
    looks = []
    plain = [tables.get(facet, {}) for facet in ("text", "prefix", "suffix")]
    if any(plain):
        looks.append(_string(*plain))
    folded = [tables.get(facet, {}) for facet in ("folded", "folded prefix", "folded suffix")]
    if any(folded):
        looks.append(_elements(_in_one_case(_string(*folded))))
    return looks


def _in_one_case(look: Look) -> Look:
    def folded(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, str):
            look(value.casefold(), currency, hits)

    return folded


def _string(texts: Table, prefixes: Table, suffixes: Table) -> Look:
    """By the whole text, and by its beginnings and endings of every length that a rule asks for."""
    beginnings, endings = (tuple(sorted({len(part) for part in parts})) for parts in (prefixes, suffixes))

    def whole(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, str):
            bucket = texts.get(value)
            if bucket is not None:
                hits += bucket
        elif isinstance(value, list):
            _look_into(whole, value, currency, hits)

    def parts(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, str):
            if texts:
                hits += texts.get(value, ())
            size = len(value)
            for length in beginnings:
                if length > size:
                    break
                bucket = prefixes.get(value[:length])
                if bucket is not None:
                    hits += bucket
            for length in endings:
                if length > size:
                    break
                bucket = suffixes.get(value[size - length :])
                if bucket is not None:
                    hits += bucket
        elif isinstance(value, list):
            _look_into(parts, value, currency, hits)

    return parts if beginnings or endings else whole


def _truth(table: Table) -> Look:
    def truth(value: Json, currency: str | None, hits: list[Any]) -> None:
        if value is True or value is False:
            hits += table.get(value, ())

    return truth


def _member(table: Table) -> Look:
    """Each table is looked in once, however many rules name it."""
    tables = tuple(
        (members.folded if fold else members.keys, fold, bucket) for (members, fold), bucket in table.items()
    )

    def member(value: Json, currency: str | None, hits: list[Any]) -> None:
        for keys, fold, bucket in tables:
            if identity(folded(value) if fold else value) in keys:
                hits += bucket

    return member


def _ranges(facets: Mapping[str, Any]) -> tuple[Find, ...]:
    """Everything of one unit that is found by order."""
    found = [thresholds(facets[name], above=name == "above") for name in facets if name != "band"]
    return (*found, bands(facets["band"])) if "band" in facets else tuple(found)


def _numbers(table: Table | None, facets: Mapping[str, Any] | None) -> list[Look]:
    if table is None and facets is None:
        return []
    equal = {} if table is None else table
    finds = () if facets is None else _ranges(facets)

    def numbers(value: Json, currency: str | None, hits: list[Any]) -> None:
        exact = value if type(value) is int else number(value)
        if exact is not None:
            if equal:
                hits += equal.get(exact, ())
            for find in finds:
                find(exact, hits)
        elif isinstance(value, list):
            _look_into(numbers, value, currency, hits)

    return [numbers]


def _times(facets: Mapping[str, Any] | None) -> list[Look]:
    if facets is None:
        return []
    finds = _ranges(facets)

    def times(value: Json, currency: str | None, hits: list[Any]) -> None:
        exact = seconds(value)
        if exact is not None:
            for find in finds:
                find(exact, hits)

    return [times]


def _amounts(ordered: Mapping[str, Mapping[str, Any]], others: Table) -> list[Look]:
    if not ordered and not others:
        return []
    finds = {currency: _ranges(facets) for currency, facets in ordered.items()}
    rest = tuple(others.items())

    def amounts(value: Json, currency: str | None, hits: list[Any]) -> None:
        amount, own = (value, currency) if type(value) is int else amount_of(value, currency)
        if amount is None or own is None:
            return
        for find in finds.get(own, ()):
            find(amount, hits)
        for known, bucket in rest:
            if own not in known:
                hits += bucket

    return [amounts]
