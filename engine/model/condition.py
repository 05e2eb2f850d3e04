"""Conditions as data: what `where` says, before it is compiled for speed.

Two forms of the language are not here, because they are others in disguise: `p: {not: T}` is `none: [{p: T}]`, and a
list of tests is `any` of them. The loader writes them so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from engine.model.event import Json
from engine.model.position import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`500 USD` of a rule. `amount` is in major units as written, `minor` what Stripe's integers are compared with;
    `currency` is lower case, as Stripe sends it."""

    amount: Decimal
    currency: str
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A list of money, one a currency. `others`: every currency that has none passes; else it does not."""

    bounds: tuple[Money, ...]
    others: bool = False

    def of(self, currency: str) -> Money | None:
        """The bound for that (lower case) currency, None if there is none."""
        return next((bound for bound in self.bounds if bound.currency == currency), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A moment of a rule, aware and in UTC; `text` as it was written."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A column of a table with a key, `$tables.accounts.limit`: its cells by account id, the empty ones left out.

    A loaded table has one object for each of its columns, which is equal to itself only.
    """

    table: str
    name: str
    cells: Mapping[str, Json] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """The values of a table, or of one of its columns, that `in_table` looks in; equal to itself only.

    `keys` and `folded` are their identities (`engine.match.values.identity`), as they are and ignoring case.
    """

    name: str
    keys: frozenset[Json] = field(repr=False)
    folded: frozenset[Json] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A value that stands elsewhere: `$account.id`, `$previous.amount`, `$event.created`, under `same_as` any path.

    `column` is set where the path begins with `$tables`.
    """

    path: str
    column: Column | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What `changed` asks for, each None when it does not: tests of the old and of the new value, and of (one of)
    the elements that a list gained or lost. The tests are conditions on the path `.`, the value itself."""

    old: "Condition | None" = None
    new: "Condition | None" = None
    added: "Condition | None" = None
    removed: "Condition | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operator and its operand, already checked and converted by the loader.

    An operand is a scalar, a tuple of scalars (any of them), a Money, Bounds, Time or Reference, a pair of those
    (`between`), a tuple of operations (`length`), a timedelta (`older_than`), Members (`in_table`), a Condition on the
    element (`any_item`), or a Changed. `fold`: upper and lower case are the same (`ignore_case` stood beside it).
    """

    operator: str
    operand: Json
    fold: bool = False
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTest:
    """A path and what must hold of (one of) its values: every operation of the same value.

    `column` is set where the path begins with `$tables`.
    """

    path: str
    operations: tuple[Operation, ...]
    column: Column | None = None
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
