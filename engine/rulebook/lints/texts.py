"""Texts that read what the event's object does not have."""

import re
from functools import lru_cache

from engine.match import parse_path
from engine.model.rule import When
from engine.render import referenced_fields
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import carried, with_ids
from engine.rulebook.lints.paths import Context, spots_of
from engine.source import Scalar

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ROOTS = {"object": "", "previous": "$previous."}


def advise_text(found: Findings, text: Scalar, whens: tuple[When, ...]) -> None:
    """Warn of fields in a text that no object has of the events that its rule takes."""
    about = with_ids(carried(tuple(dict.fromkeys(pattern for when in whens for pattern in when.types))), whens)
    if about.whole:
        for path, root in _paths(text.text):
            spots_of(found, parse_path(path), Context(about=about, within=root), text.position)


@lru_cache(maxsize=4_096)
def _paths(template: str) -> tuple[tuple[str, str], ...]:
    """The paths that a text reads, as rules write them, and the name that stands before each in the text."""
    found: list[tuple[str, str]] = []
    for root, *steps in sorted(referenced_fields(template), key=str):
        path = ""
        for step in steps:
            if not isinstance(step, int) and not _NAME.fullmatch(step):
                break
            path += f"[{step}]" if isinstance(step, int) else f".{step}"
        if path.startswith("."):
            found.append((f"{_ROOTS[str(root)]}{path[1:]}", str(root)))
    return tuple(found)
