"""`changed` on events that say nothing of what changed."""

from functools import lru_cache

from engine.match import compile_type_pattern
from engine.model.catalog import catalog
from engine.model.condition import Operation
from engine.model.rule import When
from engine.rulebook.findings import Findings


def check_change(found: Findings, when: When, operation: Operation) -> None:
    """Only *.updated events (and a few that are updates by another name) carry previous_attributes."""
    if operation.position is None:
        return
    if all(not _speaks(pattern) for pattern in when.types):
        message = "'changed' reads previous_attributes, which only *.updated events carry"
        found.warn("changed-needs-updated", operation.position, message)


@lru_cache(maxsize=1024)
def _speaks(pattern: str) -> bool:
    """Whether events of such types may carry previous_attributes, as far as is known: updates, and all of API v2."""
    takes = compile_type_pattern(pattern)
    taken = [name for name in catalog() if takes(name)]
    return not taken or any("update" in name or name.startswith("v2.") for name in taken)
