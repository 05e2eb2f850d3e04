"""A `when` as the index holds it: compiled only when an event first comes to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from engine.match.compile import compile_condition
from engine.match.covers import Part, side_by_side
from engine.match.patterns import compile_pattern, is_literal
from engine.model.condition import ALWAYS, All
from engine.model.event import Event
from engine.model.rule import When

T = TypeVar("T")

Holds = Callable[[Event], bool]


class Entry(Generic[T]):
    """One `when` and the thing that it is for. `holds` says whether an event of its types meets the rest of it; it is
    None until `compiled` was asked for it."""

    __slots__ = ("holds", "thing", "when")

    def __init__(self, when: When, thing: T) -> None:
        self.when = when
        self.thing = thing
        self.holds: Holds | None = None

    def compiled(self) -> Holds:
        """What `holds` is from now on."""
        holds = self.holds = compile_when(self.when)
        return holds


class Remainder(Entry[T]):
    """An entry that was found by a part of its `when` which is thereby decided: only the rest is left to be judged."""

    __slots__ = ("decided", "whole")

    def __init__(self, whole: Entry[T], decided: Part) -> None:
        super().__init__(whole.when, whole.thing)
        self.whole = whole
        self.decided = decided

    def compiled(self) -> Holds:
        """What `holds` is from now on."""
        if self.decided == "account":
            left = replace(self.when, accounts=None)
        else:
            others = (each for each in side_by_side(self.when.where) if each is not self.decided)
            left = replace(self.when, where=All(children=tuple(others)))
        holds = self.holds = compile_when(left)
        return holds


def compile_when(when: When) -> Holds:
    """Everything of a `when` but its types, as one function of an event."""
    scopes, livemode = when.scopes, when.livemode
    account = None if when.accounts is None else _accounts(when.accounts)
    where = None if when.where == ALWAYS else compile_condition(when.where)

    def holds(event: Event) -> bool:
        return (
            (livemode is None or event.livemode is livemode)
            and (account is None or account(event))
            and (scopes is None or event.scope in scopes)
            and (where is None or where(event))
        )

    return holds


def _accounts(patterns: tuple[str, ...]) -> Holds:
    literal = frozenset(filter(is_literal, patterns))
    fits = [compile_pattern(pattern) for pattern in patterns if pattern not in literal]
    if not fits:
        return lambda event: event.account in literal
    return lambda event: (
        event.account is not None and (event.account in literal or any(fit(event.account) for fit in fits))
    )
