"""A `when` as the index holds it: compiled only when an event first comes to it."""

from collections.abc import Callable
from typing import Generic, TypeVar

from engine.match.compile import compile_condition
from engine.match.patterns import compile_pattern, is_literal
from engine.model.condition import ALWAYS
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
