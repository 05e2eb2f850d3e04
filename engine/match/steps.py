"""What a path is made of, and the error of one that cannot be used."""

from enum import Enum
from typing import Final


class Each(Enum):
    """`[*]`: every element of a list, or every value of a map (RFC 9535 section 2.3.2)."""

    EACH = "[*]"


EACH: Final = Each.EACH
Step = str | int | Each


class PathError(ValueError):
    """A path that cannot be used. `code` is `path` or `not-yet`, `hint` what to write instead, where that is known."""

    def __init__(self, message: str, hint: str | None = None, code: str = "path") -> None:
        self.code, self.message, self.hint = code, message, hint
        super().__init__(message)
