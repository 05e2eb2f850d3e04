"""What both grammars of JSONPaths read with: a place in the text that moves on, and errors that know it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.match.steps import PathError, Step

DEEPEST = 20
"""How far filters, brackets and functions go into each other."""

_BLANK = re.compile(r"[ \t\n\r]*")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|u((?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})|(.))",
    re.DOTALL,
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
_CONTROL = re.compile("[\x00-\x1f\ud800-\udfff]")


@dataclass
class Reader:
    """A place in a path, and what has been used up of what may stand in one.

    `read_steps` reads the segments that stand at a place, also those of the paths in filters. `ends` is where those of
    the path itself end.
    """

    text: str
    read_steps: "Callable[[Reader], tuple[Step, ...]]"
    at: int = 0
    depth: int = 0
    descents: int = 0
    again: int = 1
    ends: list[int] = field(default_factory=list)

    def fail(self, message: str, hint: str | None = None, at: int | None = None, length: int = 1) -> PathError:
        """The error of what stands at that place, or at this one."""
        place = self.at if at is None else at
        return PathError(message, hint, at=min(place, max(0, len(self.text) - 1)), length=length)

    def unreadable(self, hint: str | None = None) -> PathError:
        """The error of what stands here and cannot."""
        rest = self.text[self.at :]
        if not rest:
            return self.fail("the path ends too early", hint)
        return self.fail(f"cannot read the path at '{rest[:20]}'", hint, length=len(rest))

    def blank(self) -> None:
        """Go beyond blanks."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def sees(self, sign: str) -> bool:
        """Whether that stands here."""
        return self.text.startswith(sign, self.at)

    def takes(self, sign: str) -> bool:
        """Whether that stands here; if so, go beyond it."""
        found = self.sees(sign)
        self.at += len(sign) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What of the pattern stands here; go beyond it."""
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def deeper(self) -> None:
        """Go one level down; `depth` goes up again by hand."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"more than {DEEPEST} levels of brackets within each other")

    def string(self) -> str:
        """A quoted text, which begins here."""
        start = self.at
        found = self.match(_QUOTED)
        if found is None:
            raise self.fail("this text has no end", f"close it with {self.text[start]}", length=len(self.text) - start)
        inside = found[1] if found[1] is not None else found[2]
        bad = _CONTROL.search(inside)
        if bad:
            raise self.fail("a control character in a text", "write \\n, \\t or \\u0000", at=start + 1 + bad.start())
        quote = self.text[start]

        def plain(escape: re.Match[str]) -> str:
            high, low, unit, sign = escape.groups()
            if high:
                return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
            if unit:
                return chr(int(unit, 16))
            if sign == quote or sign in _ESCAPED:
                return _ESCAPED.get(sign, sign)
            hint = "write \\\\ for a backslash" if sign != "u" else "write \\u and four digits, a surrogate pair in two"
            raise self.fail(f"no text has '{escape.group()}' in it", hint, start + 1 + escape.start(), 2)

        return _ESCAPE.sub(plain, inside)
