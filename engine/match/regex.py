"""Regular expressions in linear time: RE2, so that no pattern and no text can hang the service. Sole importer of re2.

Syntax: https://github.com/google/re2/wiki/Syntax, which has neither look-around nor back-references.
"""

from collections.abc import Callable
from functools import lru_cache

_MEMORY = 1 << 20
"""Bytes that one pattern may take; beyond it RE2 refuses the pattern, or searches more slowly."""


class RegexError(ValueError):
    """A pattern that RE2 does not take; the message says what is wrong with it."""


@lru_cache(maxsize=16_384)
def compile_regex(pattern: str, fold: bool = False) -> Callable[[str], bool]:
    """A function that says whether the pattern is found anywhere in a text. Raises RegexError. `fold`: in any case."""
    import re2  # here: few rules have a pattern

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not fold
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise RegexError(_reason(error)) from None

    def found(text: str) -> bool:
        try:
            return compiled.search(text) is not None
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry and UTF-8 cannot
            return compiled.search(text.encode("utf-8", "replace").decode()) is not None

    return found


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
