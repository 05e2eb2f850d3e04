"""Setting values inside a sample: `evidence_details.due_by`, `available[0].amount`, `metadata['order.id']`."""

import json
import re

from engine.model.event import Json

_BRACKET = r"""\[(?P<index>\d{1,4})\]|\[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]"""
_NAME = r"""(?P<name>[^.\[\]'"]+)"""
_FIRST = re.compile(f"{_NAME}|{_BRACKET}")
_NEXT = re.compile(rf"\.{_NAME}|{_BRACKET}")


def parse_path(path: str) -> tuple[str | int, ...]:
    """The parts of a dotted path; a part in brackets is a list index, or a quoted name that may hold dots.

    Raises ValueError, with a message for people, for what is not a path.
    """
    parts: list[str | int] = []
    place = 0
    while place < len(path) or not parts:
        match = (_NEXT if parts else _FIRST).match(path, place)
        if match is None:
            raise ValueError(f"'{path}' is not a path; write it like evidence_details.due_by or available[0].amount")
        index = match["index"]
        parts.append(int(index) if index is not None else match["name"] or match["quoted"])
        place = match.end()
    return tuple(parts)


def parse_setting(text: str) -> tuple[str, Json]:
    """`amount=75000` as a path and its value: JSON where it is JSON (`true`, `["a"]`, `"75000"`), else the text.

    Raises ValueError where there is no `=`.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ValueError(f"'{text}' sets nothing; write it like amount=75000")
    try:
        return path.strip(), json.loads(value)
    except ValueError:
        return path.strip(), value


def assign(root: dict[str, Json], path: str, value: Json) -> None:
    """Put a value at a path, in place. Maps and lists on the way are made where they are missing or null; a list grows
    by one element at most. Raises ValueError where the path does not fit what is there."""
    parts = parse_path(path)
    here: Json = root
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        _check(here, part, path)
        if following is None:
            _put(here, part, value)
            return
        there = _get(here, part)
        if there is None:
            there = [] if isinstance(following, int) else {}
            _put(here, part, there)
        here = there


def _check(here: Json, part: str | int, path: str) -> None:
    if isinstance(part, int):
        if not isinstance(here, list):
            raise ValueError(f"'{path}': there is no list where [{part}] is")
        if part > len(here):
            raise ValueError(f"'{path}': the list has {len(here)} elements, so the next one is [{len(here)}]")
    elif not isinstance(here, dict):
        raise ValueError(f"'{path}': '{part}' is read from something that has no names")


def _get(here: Json, part: str | int) -> Json:
    if isinstance(part, int):
        return here[part] if part < len(here) else None
    return here.get(part)


def _put(here: Json, part: str | int, value: Json) -> None:
    if isinstance(part, int) and part == len(here):
        here.append(value)
    else:
        here[part] = value
