"""What an unquoted word means: the core schema of YAML 1.2 (specification section 10.3.2)."""

import re
from decimal import Decimal

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_STARTS = frozenset("+-.0123456789")
MAYBE_NO_TEXT = _STARTS | {word[:1] for word in _WORDS}
"""How every plain scalar that is not text begins; of the rest nothing has to be asked."""
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)
MAX_DIGITS = 400
"""Longer numbers, and exponents beyond it, are refused: they are never meant, and cost more than they are worth."""


class UnfitNumber(ValueError):
    """Something YAML takes for a number and that is surely not meant as one; the message says why.

    `number` is how to write the number it would be, None where it cannot be one.
    """

    def __init__(self, message: str, number: str | None = None) -> None:
        self.number = number
        super().__init__(message)


def resolve(text: str) -> bool | int | Decimal | str | None:
    """The value of a plain scalar. Raises UnfitNumber."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _DECIMAL.fullmatch(text):
        return _decimal(text)
    if _OTHER_BASE.fullmatch(text):
        return int(_short(text), 0)
    if _NO_NUMBER.fullmatch(text):
        raise UnfitNumber("infinity and not-a-number are no values that anything can be compared with")
    return text


def _integer(text: str) -> int:
    if _LEADING_ZERO.fullmatch(text):
        raise UnfitNumber("a number loses its leading zeros", number=str(int(_short(text))))
    return int(_short(text))


def _decimal(text: str) -> Decimal:
    mantissa, _, exponent = _short(text).lower().partition("e")
    if exponent and abs(int(exponent)) > MAX_DIGITS:
        raise UnfitNumber("this number is too large or too small")
    return Decimal(f"{mantissa}e{exponent}" if exponent else mantissa)


def _short(text: str) -> str:
    if len(text) > MAX_DIGITS:
        raise UnfitNumber(f"a number may have at most {MAX_DIGITS} digits")
    return text
