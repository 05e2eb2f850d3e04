"""The filters of JSONPaths: what stands after `?`, as RFC 9535 section 2.3.5 means it.

Comparisons go by type. A query that finds nothing is MISSING ("Nothing" there), equal only to another such.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.match.regex import compile_regex
from engine.match.scope import Scope
from engine.match.search import descend, find_values
from engine.match.steps import Step
from engine.match.values import MISSING, Missing, equal, number
from engine.model.event import Json


class Expression(Protocol):
    """Something that holds for an element, `@`, or does not: itself a `Filter`."""

    def holds(self, current: Json, scope: Scope) -> bool: ...


class Operand(Protocol):
    """Something that has one value or none."""

    def value(self, current: Json, scope: Scope) -> Json | Missing: ...


@dataclass(frozen=True, slots=True)
class Or:
    """`a || b`."""

    parts: tuple[Expression, ...]

    def holds(self, current: Json, scope: Scope) -> bool:
        """Whether one part holds."""
        return any(part.holds(current, scope) for part in self.parts)


@dataclass(frozen=True, slots=True)
class And:
    """`a && b`."""

    parts: tuple[Expression, ...]

    def holds(self, current: Json, scope: Scope) -> bool:
        """Whether all parts hold."""
        return all(part.holds(current, scope) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """`!a`."""

    part: Expression

    def holds(self, current: Json, scope: Scope) -> bool:
        """Whether the part does not hold."""
        return not self.part.holds(current, scope)


@dataclass(frozen=True, slots=True)
class Query:
    """`@.a[*]` or, from the root, `$.a[*]`: as an expression it holds if it finds anything, be it null.

    `singular`: it can find no more than one value, having only names and indexes.
    """

    absolute: bool
    steps: tuple[Step, ...]
    singular: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "singular", all(isinstance(step, (str, int)) for step in self.steps))

    def values(self, current: Json, scope: Scope) -> list[Json]:
        """All it finds. What a query from the root finds is looked for once."""
        if not self.absolute:
            return find_values(current, self.steps, scope)
        found = scope.absolute.get(id(self))
        if found is None:
            found = scope.absolute[id(self)] = find_values(scope.root, self.steps, scope)
        return found

    def value(self, current: Json, scope: Scope) -> Json | Missing:
        """What a singular query finds."""
        return descend(scope.root if self.absolute else current, self.steps)

    def holds(self, current: Json, scope: Scope) -> bool:
        """Whether it finds anything."""
        if self.singular:
            return self.value(current, scope) is not MISSING
        return bool(self.values(current, scope))


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, true, false or null."""

    given: Json

    def value(self, current: Json, scope: Scope) -> Json:
        """What was written."""
        return self.given


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a == b` and its kind; `compares` is one of COMPARISONS."""

    left: Operand
    compares: Callable[[Json | Missing, Json | Missing, Scope], bool]
    right: Operand

    def holds(self, current: Json, scope: Scope) -> bool:
        """Whether the two values compare so."""
        return self.compares(self.left.value(current, scope), self.right.value(current, scope), scope)


@dataclass(frozen=True, slots=True)
class Length:
    """`length(a)`: characters of a text, elements of a list, members of a map."""

    of: Operand

    def value(self, current: Json, scope: Scope) -> int | Missing:
        """The length; MISSING of what has none."""
        found = self.of.value(current, scope)
        return len(found) if isinstance(found, (str, list, dict)) else MISSING


@dataclass(frozen=True, slots=True)
class Count:
    """`count(@.a[*])`: how many values a query finds."""

    of: Query

    def value(self, current: Json, scope: Scope) -> int:
        """The number."""
        return len(self.of.values(current, scope))


@dataclass(frozen=True, slots=True)
class Value:
    """`value(@..a)`: what a query finds if that is one value."""

    of: Query

    def value(self, current: Json, scope: Scope) -> Json | Missing:
        """The value; MISSING where there is none or several."""
        found = self.of.values(current, scope)
        return found[0] if len(found) == 1 else MISSING


@dataclass(frozen=True, slots=True)
class Matches:
    """`match(a, 'pattern')` and `search(..)`. `pattern` is RE2's, anchored or not."""

    of: Operand
    pattern: str

    def holds(self, current: Json, scope: Scope) -> bool:
        """Whether it is a text in which the pattern is found."""
        found = self.of.value(current, scope)
        return isinstance(found, str) and compile_regex(self.pattern)(found)


def _same(one: Json | Missing, other: Json | Missing, scope: Scope) -> bool:
    if type(one) is type(other) and isinstance(one, (str, int)):
        return bool(one == other)
    if one is MISSING or other is MISSING:
        return one is other
    if isinstance(one, (list, dict)):
        return scope.same(one, other)
    return not isinstance(other, (list, dict)) and equal(one, other)


def _less(one: Json | Missing, other: Json | Missing) -> bool:
    if isinstance(one, str):
        return isinstance(other, str) and one < other  # by code points, which are Unicode scalar values
    first, second = number(one), number(other)
    return first is not None and second is not None and first < second


COMPARISONS: dict[str, Callable[[Json | Missing, Json | Missing, Scope], bool]] = {
    "==": _same,
    "!=": lambda one, other, scope: not _same(one, other, scope),
    "<": lambda one, other, scope: _less(one, other),
    ">": lambda one, other, scope: _less(other, one),
    "<=": lambda one, other, scope: _less(one, other) or _same(one, other, scope),
    ">=": lambda one, other, scope: _less(other, one) or _same(one, other, scope),
}
