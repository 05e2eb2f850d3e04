"""A body to a JSON value: orjson first, and the standard library for what it refuses or rounds."""

import json
import re
from typing import Any

import orjson

from engine.model.event import Json

DEEPEST = 200
"""Levels of nesting that `data` may have; what lies deeper is given as null (the body keeps it).

orjson reads 1,024 levels and writes 254: without this bound an event could be stored and never be sent on.
"""

_ALIKE = bytes.maketrans(b"123456789[", b"000000000{")
_REST = bytes(set(range(256)) - set(b'0123456789[{:,"'))
_LONG_NUMBER = b"0" * 19
_BEFORE_NUMBER = b"-:,{ \t\r\n"  # { stands for [ here
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_OPENING = "[{"


def parse(body: bytes) -> Json:
    """The value of a JSON text; raises ValueError for what is not one.

    Accepts more than RFC 8259: a byte order mark, UTF-16 and UTF-32, NaN and Infinity, lone surrogates. Integers
    are exact at any size. Nothing is nested deeper than DEEPEST levels.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_leniently(body)
    # Both checks on a digest of the body a tenth its size: all digits are 0, all openings {, most else is gone.
    digest = body.translate(_ALIKE, _REST)
    if digest.count(b"{") > DEEPEST and _is_deep(value):
        return _parse_leniently(body)
    # orjson turns integers beyond 64 bits into floats; a run of 19 digits is where they can begin.
    if _LONG_NUMBER in digest and _has_long_number(body.translate(_ALIKE)):
        return _parse_leniently(body)
    return value


def _has_long_number(alike: bytes) -> bool:
    """Whether a long run of digits stands where a number does, and not within an id or other text."""
    at = alike.find(_LONG_NUMBER)
    while at >= 0:
        if at == 0 or alike[at - 1] in _BEFORE_NUMBER:
            return True
        while alike[at : at + 1] == b"0":
            at += 1
        at = alike.find(_LONG_NUMBER, at)
    return False


def _parse_leniently(body: bytes) -> Json:
    text = body.decode(json.detect_encoding(body), "surrogatepass").removeprefix("\ufeff")
    if text.count("[") + text.count("{") > DEEPEST:
        text = _cut(text)
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:  # beyond the interpreter's limit of 4,300 digits, which exists to bound the time
        return float(digits)


def _is_deep(value: Json) -> bool:
    """Whether `value` has more than DEEPEST levels. A list at a time, because recursion is what is being avoided."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner += [child for child in item.values() if isinstance(child, (dict, list))]
            elif isinstance(item, list):
                inner += [child for child in item if isinstance(child, (dict, list))]
        if not inner:
            return False
        level = inner
    return True


def _cut(text: str) -> str:
    """`text` with every array and object below DEEPEST levels replaced by null."""
    parts: list[str] = []
    depth = kept = 0
    for token in _TOKEN.finditer(text):
        sign = token.group()
        if sign[0] == '"':
            continue
        if sign in _OPENING:
            depth += 1
            if depth == DEEPEST + 1:
                parts += [text[kept : token.start()], "null"]
        else:
            depth -= 1
            if depth == DEEPEST:
                kept = token.end()
    if depth > DEEPEST:
        raise ValueError("brackets without an end")
    return "".join([*parts, text[kept:]])
