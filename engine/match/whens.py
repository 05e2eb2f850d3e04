"""A `when` as the index holds it: compiled only when an event first comes to it."""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Generic, TypeVar

from engine.match.compile import compile_condition, every
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
    """Everything of a `when` but its types, as one function of an event: only of what it asks for, since most ask for
    one or two of these."""
    scopes, livemode = when.scopes, when.livemode
    tests: list[Holds] = []
    if when.accounts is not None:
        tests.append(_accounts(when.accounts))
    if scopes is not None:
        tests.append(lambda event: event.scope in scopes)
    if when.where != ALWAYS:
        tests.append(compile_condition(when.where))
    rest = every(tuple(tests))
    if livemode is None:
        return rest
    if tests:
        return lambda event: event.livemode is livemode and rest(event)
    return LIVE if livemode else lambda event: not event.livemode


LIVE: Holds = attrgetter("livemode")
"""All that is left to ask of most rules that their index finds: whether the event is live."""


def _accounts(patterns: tuple[str, ...]) -> Holds:
    literal = frozenset(filter(is_literal, patterns))
    fits = [compile_pattern(pattern) for pattern in patterns if pattern not in literal]
    if not fits:
        return lambda event: event.account in literal
    return lambda event: (
        event.account is not None and (event.account in literal or any(fit(event.account) for fit in fits))
    )
