"""What a path is made of, in RFC 9535's words, and the error of one that cannot be used."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from engine.match.scope import Scope
from engine.model.event import Json


class Each(Enum):
    """`[*]`: every element of a list, or every value of a map (RFC 9535 section 2.3.2)."""

    EACH = "[*]"


EACH: Final = Each.EACH


@dataclass(frozen=True, slots=True)
class Slice:
    """`[1:3]`, `[::2]`: some elements of a list (RFC 9535 section 2.3.4). None is what was not written."""

    start: int | None
    stop: int | None
    step: int | None


class Filter(Protocol):
    """`[?..]`: the elements or values for which something holds (RFC 9535 section 2.3.5)."""

    def holds(self, current: Json, scope: Scope) -> bool: ...


Selector = str | int | Each | Slice | Filter


@dataclass(frozen=True, slots=True)
class Segment:
    """`[.., ..]`, or with `descendants` `..[.., ..]`: what the selectors find one after the other.

    A segment that is only a name, an index or `[*]` is written as that alone, which is most of them.
    """

    selectors: tuple[Selector, ...]
    descendants: bool = False


Step = str | int | Each | Segment


class PathError(ValueError):
    """A path that cannot be used. `hint` what to write instead, where that is known.

    `at` is where in the path the mistake is (from 0), `length` how far it goes; None where it is the whole path.
    """

    def __init__(self, message: str, hint: str | None = None, at: int | None = None, length: int = 1) -> None:
        self.message, self.hint, self.at, self.length = message, hint, at, length
        super().__init__(message)
