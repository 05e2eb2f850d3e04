"""Listings that ask for some of many things: their SQL has what is asked for and no more.

`$1 is null or column = $1` for all that could be asked would be one statement, and one that no index can answer.
"""

import re


class Asked:
    """The conditions of one listing. What is asked for goes to the database as parameters, in `arguments`."""

    def __init__(self) -> None:
        self.arguments: list[object] = []
        self._conditions: list[str] = []

    def given(self, value: object) -> str:
        """A parameter of that value, as it is written in SQL."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def that(self, condition: str) -> None:
        """A condition that holds no value of anybody."""
        self._conditions.append(condition)

    def compare(self, column: str, operator: str, value: object) -> None:
        """`column operator value`; nothing where the value is None."""
        if value is not None:
            self._conditions.append(f"{column} {operator} {self.given(value)}")

    def alike(self, column: str, pattern: str | None) -> None:
        """The column is like the pattern, in which `*` stands for anything; what stands before it is a range."""
        if pattern is None:
            return
        if "*" not in pattern:
            self.compare(column, "=", pattern)
            return
        self.compare(column, "like", like(pattern))
        start = pattern.partition("*")[0]
        if start.isascii() and start[-1:].isprintable() and start:
            self.compare(column, "~>=~", start)
            self.compare(column, "~<~", start[:-1] + chr(ord(start[-1]) + 1))

    @property
    def where(self) -> str:
        """The conditions as SQL, with `where` where there are any."""
        return f"where {' and '.join(self._conditions)}" if self._conditions else ""


def is_like(text: str, pattern: str) -> bool:
    """What LIKE would say of the text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def like(pattern: str | None) -> str | None:
    """A pattern in which only `*` is special, as LIKE wants it; None for None."""
    if pattern is None:
        return None
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
