"""Taking secrets out of what is about to be written somewhere."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

STAND_IN = "[redacted]"
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(whsec_|[srp]k_(?:live|test)_)[A-Za-z0-9+/=_-]+")
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/@'\"]+@")
_MIN_LENGTH = 6
"""Shorter values are left alone: taking out every 'abc' would make the log unreadable and hide nothing."""


class Redactor:
    """Knows the configured secrets by value, and tokens and credentials in URLs by their look."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {part for secret in secrets for part in _parts(secret) if len(part) >= _MIN_LENGTH}
        # The longest first, so that no tail of a secret stays when another secret is its beginning.
        alternatives = "|".join(re.escape(value) for value in sorted(values, key=lambda each: (-len(each), each)))
        self._known = re.compile(alternatives) if values else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(STAND_IN, text)
        if "_" in text:
            text = _TOKEN.sub(rf"\g<1>{STAND_IN}", text)
        return _USERINFO.sub(rf"\g<1>{STAND_IN}@", text) if "://" in text else text

    def value(self, value: Any) -> Any:
        """The value without secrets, through maps and lists; what is no plain value is taken by its `repr`."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        return self.text(str(value) if not isinstance(value, bytes) else value.decode(errors="replace"))


def _parts(secret: str) -> list[str]:
    """A secret, and of a URL also the pieces that its service may put into other URLs (`slack://T/B/X`)."""
    if "://" not in secret:
        return [secret]
    _, _, rest = secret.partition("://")
    pieces = re.split(r"[/:@?&=]+", rest)
    return [secret, *(piece for piece in pieces if len(piece) > 7 and "." not in piece)]
