"""Conditions as data: what `where` says, before it is compiled for speed."""

from dataclasses import dataclass

from engine.model.event import Json
from engine.model.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operator and its operand, which for `not`, `changed`, `length` and money is itself structured.

    The operand is already checked and converted by the loader (a money literal is a `Money`, a `$name` a
    `Reference`, a nested test a tuple of `Operation`).
    """

    operator: str
    operand: Json
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTest:
    """A path and what must hold of (one of) its values: every operation of the same value."""

    path: str
    operations: tuple[Operation, ...]
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    """Every child holds; with no children it is true."""

    children: "tuple[Condition, ...]" = ()
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Any:
    """At least one child holds."""

    children: "tuple[Condition, ...]" = ()
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No child holds (`none:` in a rule)."""

    children: "tuple[Condition, ...]" = ()
    position: Position | None = None


Condition = PathTest | All | Any | Nothing

ALWAYS: Condition = All()
"""The condition of a rule without `where`."""
