"""Looking an event up in an index: walk to the places that rules look at, and ask there.

A walk is shared by all that look the same way, and goes only where both the rules and the event go.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.match.facets import Found, Look, Table, in_turn, look_at_all, looks_of
from engine.match.keys import NUMBER, TIME, Slot
from engine.match.steps import EACH, Step
from engine.model.event import Event, Json

Probe = Callable[[Event, list[Any]], None]
"""Look at an event, and add what waits for it to the list."""

_FEW = 8
"""Names that are each looked up in an object; more of them are held against the names that it has."""


def probes_of(found: Mapping[Slot, Found]) -> list[Probe]:
    """Everything there is to ask of an event."""
    roots: dict[str, _Branch] = {}
    probes: list[Probe] = []
    for slot, things in found.items():
        if slot.facet in _FRAME and isinstance(things, Mapping):
            probes.append(_FRAME[slot.facet](things))
            continue
        branch = roots.setdefault(slot.spot.base, _Branch())
        for step in slot.spot.steps:
            branch = branch.children.setdefault(step, _Branch())
        branch.found.append((slot, things))
    accounts = roots["account"].texts() if "account" in roots else None
    if accounts is not None:
        del roots["account"]
        probes.insert(0, _account(accounts))
    return [*(_ROOTS[base](_walk(branch)) for base, branch in roots.items()), *probes]


def _on_object(look: Look) -> Probe:
    def probe(event: Event, hits: list[Any]) -> None:
        found = event.object
        if found is not None:
            look(found, None, hits)

    return probe


def _on_previous(look: Look) -> Probe:
    def probe(event: Event, hits: list[Any]) -> None:
        found = event.previous
        if found is not None:
            look(found, None, hits)

    return probe


def _on_account(look: Look) -> Probe:
    def probe(event: Event, hits: list[Any]) -> None:
        account = event.account
        if account is not None:
            look(account, None, hits)

    return probe


_ROOTS: dict[str, Callable[[Look], Probe]] = {
    "object": _on_object,
    "event": lambda look: lambda event, hits: look(event.data, None, hits),
    "previous": _on_previous,
    "account": _on_account,
}


def _account(table: Table) -> Probe:
    """By the account's id alone, as nearly always."""

    def probe(event: Event, hits: list[Any]) -> None:
        bucket = table.get(event.account)
        if bucket is not None:
            hits += bucket

    return probe


def _changed(table: Table) -> Probe:
    def probe(event: Event, hits: list[Any]) -> None:
        previous = event.previous
        if previous:
            for name in previous.keys() & table.keys():
                hits += table[name]

    return probe


def _scope(table: Table) -> Probe:
    return lambda event, hits: hits.extend(table.get(event.scope, ()))


def _livemode(table: Table) -> Probe:
    live, test = table.get(True, ()), table.get(False, ())
    return lambda event, hits: hits.extend(live if event.livemode else test)


_FRAME: dict[str, Callable[[Table], Probe]] = {"changed": _changed, "scope": _scope, "livemode": _livemode}


class _Branch:
    """A place on the way: what is asked there, and where it goes on."""

    __slots__ = ("children", "found")

    def __init__(self) -> None:
        self.found: list[tuple[Slot, Found]] = []
        self.children: dict[Step, _Branch] = {}

    def texts(self) -> Table | None:
        """What texts lead to, where nothing else is asked here, nor below."""
        if self.children or len(self.found) != 1:
            return None
        slot, things = self.found[0]
        return things if slot.facet == "text" and isinstance(things, Mapping) else None

    def counts_money(self) -> bool:
        """Whether anything here or below asks for an amount in a currency."""
        own = any(_is_money(slot) for slot, _ in self.found)
        return own or any(child.counts_money() for child in self.children.values())


def _is_money(slot: Slot) -> bool:
    return slot.facet == "others" or slot.unit not in (NUMBER, TIME)


def _walk(branch: _Branch) -> Look:
    looks = looks_of(branch.found)
    named = {step: child for step, child in branch.children.items() if isinstance(step, str)}
    if named:
        money = any(child.counts_money() for child in branch.children.values())
        names = {name: _walk(child) for name, child in named.items()}
        looks.append(_many(names, money=money) if len(names) > _FEW else _few(named, names, money=money))
    for step, child in branch.children.items():
        if step is EACH:
            looks.append(_each(_walk(child), money=child.counts_money()))
        elif isinstance(step, int):
            looks.append(_place(step, _walk(child)))
    return in_turn(looks)


def _few(named: Mapping[str, _Branch], looks: Mapping[str, Look], *, money: bool) -> Look:
    """Each name is looked up. Those of which only the text counts, as it mostly does, are looked at right here."""
    texts = tuple((name, table, looks[name]) for name, child in named.items() if (table := child.texts()) is not None)
    others = tuple((name, looks[name]) for name, child in named.items() if child.texts() is None)

    def few(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, dict):
            if money:
                own = value.get("currency")
                if isinstance(own, str):
                    currency = own.lower()
            for name, table, look in texts:
                child = value.get(name)
                if type(child) is str:
                    bucket = table.get(child)
                    if bucket is not None:
                        hits += bucket
                elif child is not None:
                    look(child, currency, hits)
            for name, look in others:
                child = value.get(name)
                if child is not None:
                    look(child, currency, hits)

    return few


def _many(table: Mapping[str, Look], *, money: bool) -> Look:
    """The names that the object has are held against them."""

    def many(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, dict):
            if money:
                own = value.get("currency")
                if isinstance(own, str):
                    currency = own.lower()
            for name in value.keys() & table.keys():
                child = value[name]
                if child is not None:
                    table[name](child, currency, hits)

    return many


def _place(place: int, look: Look) -> Look:
    def at(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, list) and -len(value) <= place < len(value):
            child = value[place]
            if child is not None:
                look(child, currency, hits)

    return at


def _each(look: Look, *, money: bool) -> Look:
    def each(value: Json, currency: str | None, hits: list[Any]) -> None:
        if isinstance(value, dict):
            own = value.get("currency") if money else None
            look_at_all(look, value.values(), own.lower() if isinstance(own, str) else currency, hits)
        elif isinstance(value, list):
            look_at_all(look, value, currency, hits)

    return each
