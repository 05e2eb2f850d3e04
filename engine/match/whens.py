"""A `when` as the index holds it: compiled only when an event first comes to it."""

from collections.abc import Callable
from typing import Generic, TypeVar

from engine.match.compile import compile_condition
from engine.match.patterns import compile_pattern, is_literal
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
    checks: list[Holds] = []
    scopes, livemode = when.scopes, when.livemode
    if scopes is not None:
        checks.append(lambda event: event.scope in scopes)
    if livemode is not None:
        checks.append(lambda event: event.livemode is livemode)
    if when.accounts is not None:
        checks.append(_accounts(when.accounts))
    where = compile_condition(when.where)
    if not checks:
        return where
    if len(checks) == 1:
        first = checks[0]
        return lambda event: first(event) and where(event)
    if len(checks) == 2:
        first, second = checks
        return lambda event: first(event) and second(event) and where(event)
    return lambda event: all(check(event) for check in checks) and where(event)


def _accounts(patterns: tuple[str, ...]) -> Holds:
    literal = frozenset(filter(is_literal, patterns))
    fits = [compile_pattern(pattern) for pattern in patterns if pattern not in literal]
    if not fits:
        return lambda event: event.account in literal
    return lambda event: (
        event.account is not None and (event.account in literal or any(fit(event.account) for fit in fits))
    )
