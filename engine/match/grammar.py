"""JSONPaths as authors write them, held to RFC 9535's grammar: what is not in it is refused with its place.

Names, indexes, slices and wildcards are checked here and handed to `jsonpath` in one plain spelling. Filters are read
by `filter_grammar`.

What a path costs is bounded, too, so that no event can make it run away: `..` stands in it once, and selectors that
take the same values again are few.
"""

import re
from collections import Counter

from engine.match.filter_grammar import read_filter
from engine.match.jsonpath import read_segments, read_selector, spell_name
from engine.match.path_reader import Reader
from engine.match.steps import Filter, PathError, Segment, Step

_MOST_AGAIN = 16
_MOST_INDEX = 2**53 - 1

_LETTER = "A-Za-z_\x80-\ud7ff\ue000-\U0010ffff"
_NAME = re.compile(f"[{_LETTER}][{_LETTER}0-9]*")
_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]*)(?![0-9])")
_OFTEN = "this path would look at the same values again and again"


def read_json_path(text: str) -> tuple[tuple[Step, ...], tuple[int, ...]]:
    """The steps of a JSONPath from `$`, and where in the text each ends. Raises PathError."""
    reader = Reader(text, read_steps, at=1)
    steps = read_steps(reader)
    if reader.at < len(text):
        raise _no_segment(reader)
    return steps, tuple(reader.ends)


def read_bracket(text: str, at: int) -> tuple[Step, int]:
    """The `[..]` that begins at a place of a path, and where it ends. Raises PathError."""
    reader = Reader(text, read_steps, at=at + 1)
    part = _bracketed(reader, descendants=False)
    return (read_segments(f"${part}")[0] if isinstance(part, str) else part), reader.at


def read_steps(reader: Reader) -> tuple[Step, ...]:
    """The segments that stand here, after `$` or `@`."""
    steps: list[Step] = []
    plain = "$"
    while (part := _segment(reader)) is not None:
        if reader.depth == 0:
            reader.ends.append(reader.at)
        if isinstance(part, str):
            plain += part
        else:
            steps += [*(read_segments(plain) if plain != "$" else ()), part]
            plain = "$"
    return (*steps, *(read_segments(plain) if plain != "$" else ()))


def _segment(reader: Reader) -> str | Segment | None:
    """One segment: as `jsonpath` reads it, or read if that cannot. None where none begins."""
    start = reader.at
    reader.blank()
    if reader.takes("["):
        return _bracketed(reader, descendants=False)
    if reader.takes(".."):
        reader.descents += 1
        if reader.descents > 1:
            raise reader.fail(f"{_OFTEN}: '..' stands twice in it", "write the names on the way", reader.at - 2, 2)
        return _bracketed(reader, descendants=True) if reader.takes("[") else _dotted(reader, "..")
    if reader.takes("."):
        return _dotted(reader, "")
    reader.at = start
    return None


def _dotted(reader: Reader, dots: str) -> str:
    if reader.takes("*"):
        return f"{dots}[*]"
    name = reader.match(_NAME)
    if name is None:
        raise _no_name(reader)
    if reader.sees("-"):
        written = re.compile(r"[\w-]+").match(reader.text, name.start())
        text = written.group() if written else name.group()
        hint = f"write {dots}['{text}']{'' if dots else ' without the dot'}"
        raise reader.fail(f"the name '{text}' needs brackets and quotes", hint, name.start(), len(text))
    return f"{dots}[{spell_name(name.group())}]"


def _no_name(reader: Reader) -> PathError:
    rest = reader.text[reader.at :]
    number = re.match(r"[0-9]+", rest)
    if number:
        digits = number.group()
        hint = f"without the dot, write [{digits}] for the place in a list, ['{digits}'] for the name"
        return reader.fail(f"a name cannot begin with '{digits[0]}' here", hint, length=len(digits))
    if rest.startswith("["):
        return reader.fail("a bracket stands without a dot before it", "leave the dot out", at=reader.at - 1)
    if rest.startswith("`"):
        return reader.fail("`..` is jsonpath-ng's own, and no JSONPath", "use the operators of rules", length=len(rest))
    return reader.unreadable("after a dot there is a name or *; write ['any name'] for names with other characters")


def _no_segment(reader: Reader) -> PathError:
    rest = reader.text[reader.at :]
    if not rest.strip(" \t\n\r"):
        return reader.fail("a JSONPath ends without blanks", "leave them out", length=len(rest))
    reader.blank()
    if rest[0] in "|&":
        return reader.fail("a path is one path", "write a second test under 'any' or 'all'", length=len(rest))
    if rest[0] == "]":
        return reader.fail("this bracket closes none", "leave it out")
    return reader.unreadable("go on with .name, [0], [*], ['any name'] or [?@.name == 'text']")


_Part = tuple[str, str | Filter]
"""A selector: its kind, and its plain spelling or the filter."""


def _bracketed(reader: Reader, *, descendants: bool) -> str | Segment:
    """What stands after `[`, and the bracket that closes it."""
    opening = reader.at - 1
    reader.deeper()
    parts = [_selector(reader)]
    reader.blank()
    while reader.takes(","):
        parts.append(_selector(reader))
        reader.blank()
    if not reader.takes("]"):
        raise _not_closed(reader, opening)
    reader.depth -= 1
    reader.again *= _again(parts)
    if reader.again > _MOST_AGAIN:
        raise reader.fail(_OFTEN, "name each of them once", opening, reader.at - opening)
    kinds = {kind for kind, _ in parts}
    if kinds in ({"name"}, {"index"}) or (len(parts) == 1 and "filter" not in kinds):
        return f"{'..' if descendants else ''}[{','.join(str(part) for _, part in parts)}]"
    return Segment(tuple(read_selector(part) if isinstance(part, str) else part for _, part in parts), descendants)


def _again(parts: list[_Part]) -> int:
    """How often the selectors of one bracket may take one value: names and indexes take only their own."""
    written = Counter(str(part) for kind, part in parts if kind in ("name", "index"))
    names = max((count for part, count in written.items() if part[0] == "'"), default=0)
    places = max((count for part, count in written.items() if part[0].isdigit()), default=0)
    backwards = max((count for part, count in written.items() if part[0] == "-"), default=0)
    loose = sum(1 for kind, _ in parts if kind not in ("name", "index"))
    return loose + max(names, places + backwards)


def _selector(reader: Reader) -> _Part:
    reader.blank()
    start = reader.at
    if reader.takes("*"):
        return "wildcard", "*"
    if reader.takes("?"):
        return "filter", read_filter(reader)
    if reader.sees("'") or reader.sees('"'):
        return "name", spell_name(reader.string())
    first = _integer(reader)
    reader.blank()
    if not reader.takes(":"):
        if first is None:
            raise _no_selector(reader, start)
        return "index", str(first)
    ends = [first]
    for _ in range(2):
        reader.blank()
        ends.append(_integer(reader))
        reader.blank()
        if len(ends) == 3 or not reader.takes(":"):
            break
    return "slice", ":".join("" if end is None else str(end) for end in ends)


def _integer(reader: Reader) -> int | None:
    start = reader.at
    found = reader.match(_INTEGER)
    if found is None:
        if reader.text[start : start + 1].isdigit() or reader.sees("-"):
            raise reader.fail("this is no index", "write it like 0, 12 or -1")
        return None
    number = int(found.group())
    if abs(number) > _MOST_INDEX:
        raise reader.fail(f"an index is at most {_MOST_INDEX}", None, start, reader.at - start)
    return number


def _no_selector(reader: Reader, start: int) -> PathError:
    reader.at = start
    word = re.compile(r"[A-Za-z_][\w.-]*").match(reader.text, start)
    if word:
        hint = f"write ['{word.group()}'] for the name"
        return reader.fail(f"'{word.group()}' has no quotes", hint, length=len(word.group()))
    if reader.sees("("):
        hint = "write [-1] for the last element, [?@.name == 'text'] for a filter"
        return reader.fail("a bracket takes no computed index", hint)
    if reader.sees("]"):
        return reader.fail("there is nothing between the brackets", "write [*] for every element", start - 1, 2)
    if reader.sees("/") or reader.sees("\\"):
        return reader.fail("sorting is jsonpath-ng's own, and no JSONPath", "leave it out")
    return reader.unreadable("between brackets stand 0, -1, 1:3, *, 'a name' or ?@.name == 'text'")


def _not_closed(reader: Reader, opening: int) -> PathError:
    if reader.at >= len(reader.text):
        return reader.fail("this bracket is not closed", "close it with ]", opening, len(reader.text) - opening)
    return reader.unreadable("close the bracket with ], or go on after a comma")
