"""The regular expressions of JSONPath's match() and search(): I-Regexp (RFC 9485), for RE2."""

import re

from engine.match.regex import RegexError, compile_regex

_CATEGORIES = "L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|C[cfo]"
_ESCAPE = rf"\\(?:[()*+\-.?\[\\\]^nrt{{|}}]|[pP]\{{(?:{_CATEGORIES})\}})"
_IN_CLASS = rf"(?:[^\[\]\\\-]|{_ESCAPE})"
_CLASS = rf"\[\^?(?:-|{_IN_CLASS}(?:-{_IN_CLASS})?)(?:{_IN_CLASS}(?:-{_IN_CLASS})?)*-?\]"
_TOKEN = re.compile(
    rf"(?P<dot>\.)|(?P<class>{_CLASS})|(?P<escape>{_ESCAPE})|(?P<quantifier>[*+?]|\{{[0-9]+(?:,[0-9]*)?\}})"
    r"|(?P<open>\()|(?P<close>\))|(?P<bar>\|)|(?P<anchor>[\^$])|(?P<char>[^\\\[\]{}])",
    re.DOTALL,
)
_DEEPEST = 20


class IRegexpError(RegexError):
    """A pattern that cannot be used; `at` is where in it the mistake is."""

    def __init__(self, message: str, at: int = 0) -> None:
        self.at = at
        super().__init__(message)


def translate(pattern: str) -> str:
    """The pattern as RE2 has it. Raises IRegexpError, also for what RE2 does not take.

    `^` and `$` are plain characters by RFC 9485's grammar and anchors to most who write them, so they are refused.
    """
    parts: list[str] = []
    at = depth = 0
    repeatable = False
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        kind = found.lastgroup if found else None
        if found is None or (kind == "quantifier" and not repeatable) or (kind == "close" and not depth):
            raise IRegexpError(f"'{pattern[at : at + 10]}' cannot stand here", at)
        if kind == "anchor":
            raise IRegexpError(f"{found.group()} is no anchor in JSONPath; write \\^ or [$] for the character", at)
        depth += (kind == "open") - (kind == "close")
        if depth > _DEEPEST:
            raise IRegexpError("too many brackets within each other", at)
        parts.append({"dot": r"[^\n\r]", "open": "(?:"}.get(str(kind), found.group()))
        repeatable = kind not in ("quantifier", "open", "bar")
        at = found.end()
    if depth:
        raise IRegexpError("a bracket is not closed", len(pattern) - 1)
    translated = "".join(parts)
    try:
        compile_regex(translated)
    except RegexError as error:
        raise IRegexpError(str(error)) from None
    return translated
