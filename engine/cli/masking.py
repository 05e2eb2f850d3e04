"""Requests as they were sent, without what must not be seen."""

import re
from collections.abc import Mapping

from engine.model.event import Json

MASK = "****"

_SECRET_NAME = re.compile(
    r"authori[sz]ation|secret|token|password|passwd|cookie|signature|credential|api[-_]?key|private[-_]?key", re.I
)
_CREDENTIALS = re.compile(r"\b(Bearer|Basic) \S+")


def masked(value: Json) -> Json:
    """`value` with secrets starred out: by the name they stand under, and by what keys and credentials look like."""
    from engine.source import redact

    if isinstance(value, Mapping):
        return {name: MASK if _is_secret(str(name), held) else masked(held) for name, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return _CREDENTIALS.sub(rf"\1 {MASK}", redact(value)) if isinstance(value, str) else value


def _is_secret(name: str, held: Json) -> bool:
    """Flags and numbers under such a name (`token_count: 3`) are no secrets, and maps are looked into."""
    return isinstance(held, str) and bool(held) and _SECRET_NAME.search(name) is not None
