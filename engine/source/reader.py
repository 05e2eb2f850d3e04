"""YAML 1.2 with positions: libyaml's events under a constructor of our own.

Nothing in here raises for bad input. A value that only wants quotes is masked by as many characters that mean
nothing to YAML, and the file is read again: positions stay right, and one run finds what else is wrong.
"""

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.model.mistake import Mistake, MistakeLevel
from engine.source.builder import Builder
from engine.source.nodes import Document
from engine.source.trouble import MASK, Quote, Trouble, place_at, quote_mistake

MAX_CHARACTERS = 32_000_000
"""Files beyond this are refused unread."""

_LARGE = 100_000
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffc]")
_LINE = re.compile(r"\r\n|\n|\r")


def parse(text: str, file: str) -> Document:
    """Read a file's text. Everything wrong with it is in `mistakes`; it never raises.

    `file` is the name that positions carry. Sizes are bounded by the constants of this module.
    """
    body = text.removeprefix("\ufeff")
    early = _too_large(body, file) or _unreadable(body, file)
    if early:
        return Document(file=file, text=text, root=None, mistakes=(early,))
    lines = split_lines(body)
    with collector_paused(len(body)):
        return _read(text, body, file, lines)


Parse = Callable[[str, str], Document]
"""`parse`, or what stands in for it."""


class ParseOnce:
    """`parse`, for those who read the same files twice in a row: the second time gives the same document."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], Document] = {}

    def __call__(self, text: str, file: str) -> Document:
        """The document of a text and a name."""
        if (file, text) not in self._documents:
            self._documents[file, text] = parse(text, file)
        return self._documents[file, text]


def _read(text: str, body: str, file: str, lines: list[str]) -> Document:
    quotes: list[Quote] = []
    root, rest = None, []
    for _ in range(_repairs(len(body))):
        shown = _masked(lines, quotes) if quotes else lines
        builder = Builder("\n".join(shown) if quotes else body, file, shown, quotes)
        problem = builder.build()
        rest = builder.mistakes
        if isinstance(problem, Quote) and not _overlaps(problem, quotes):
            quotes.append(problem)
            continue
        if isinstance(problem, Trouble):
            rest.append(_trouble_mistake(file, problem))
        root = builder.root if problem is None else None
        break
    mistakes = [*(quote_mistake(file, quote) for quote in quotes), *rest]
    return Document(file=file, text=text, root=root, mistakes=_sorted(mistakes))


@contextmanager
def collector_paused(size: int = _LARGE) -> Iterator[None]:
    """Half a million new nodes make the garbage collector look through all of them again and again: twice the time."""
    if size < _LARGE or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def split_lines(text: str) -> list[str]:
    """The lines of a file as YAML 1.2 counts them (fewer characters end a line than for `str.splitlines`)."""
    return _LINE.split(text)


def _too_large(text: str, file: str) -> Mistake | None:
    if len(text) <= MAX_CHARACTERS:
        return None
    message = f"the file has more than {MAX_CHARACTERS} characters; split it"
    return Mistake(level=MistakeLevel.ERROR, code="too-large", message=message, position=place_at(file, 0, 0))


def _unreadable(text: str, file: str) -> Mistake | None:
    found = _UNREADABLE.search(text)
    if found is None:
        return None
    before = split_lines(text[: found.start()])
    name = f"U+{ord(found[0]):04X}"
    return Mistake(
        level=MistakeLevel.ERROR,
        code="syntax",
        message=f"the character {name} cannot stand in YAML",
        position=place_at(file, len(before) - 1, len(before[-1])),
        hint="delete it" if ord(found[0]) > 0x2029 else f'delete it, or write "\\u{ord(found[0]):04x}"',
    )


def _trouble_mistake(file: str, trouble: Trouble) -> Mistake:
    return Mistake(
        level=MistakeLevel.ERROR,
        code="syntax",
        message=trouble.message,
        position=place_at(file, trouble.line, trouble.column),
        hint=trouble.hint,
    )


def _sorted(mistakes: list[Mistake]) -> tuple[Mistake, ...]:
    def place(mistake: Mistake) -> tuple[int, int]:
        return (mistake.position.line, mistake.position.column) if mistake.position else (0, 0)

    return tuple(sorted(mistakes, key=place))


def _masked(lines: list[str], quotes: list[Quote]) -> list[str]:
    out = list(lines)
    for quote in quotes:
        line = out[quote.line]
        out[quote.line] = line[: quote.start] + MASK * (quote.end - quote.start) + line[quote.end :]
    return out


def _overlaps(quote: Quote, quotes: list[Quote]) -> bool:
    return any(quote.line == q.line and quote.start < q.end and q.start < quote.end for q in quotes)


def _repairs(size: int) -> int:
    """How often a file may be read: each repair reads it again, so large files get fewer."""
    return max(4, min(60, 4_000_000 // max(1, size)))
