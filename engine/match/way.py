"""How far a path leads that finds nothing: what `explain` says of a missing value."""

from dataclasses import replace
from typing import Any

from engine.match.lookup import find
from engine.match.paths import Base, Path
from engine.match.search import Found, children
from engine.match.steps import EACH, Each, Segment, Slice
from engine.match.wording import show


def where_it_ends(path: Path, subject: Any) -> str | None:
    """`nothing of the 3 in lines.data passes [?@.amount > 100]`, `evidence is null`, `there is no lines`.

    None where that says nothing new: there is all but the last name.
    """
    count = len(path.steps)
    found: list[Found] = []
    while count and not found:
        count -= 1
        found = find(replace(path, steps=path.steps[:count]), subject)
    if not found:
        return None
    if count == 0 and found[0][0] is None:
        return {Base.OBJECT: "the event carries no object", Base.PREVIOUS: "no previous_attributes"}.get(path.base)
    begin, end = path.ends[count - 1] if count else 0, path.ends[count]
    step, so_far = path.steps[count], path.text[:begin] or "it"
    inner = sum(len(children(value, EACH)) for value, _ in found)
    if inner and isinstance(step, Segment) and not step.descendants and _chooses(step):
        what = f"nothing of the {inner}" if inner > 1 else "the one value"
        return f"{what} in {so_far} {'passes' if inner > 1 else 'does not pass'} {path.text[begin:end]}"
    if inner and len(found) == 1 and isinstance(found[0][0], list) and isinstance(step, str):
        return f"{so_far} is a list: [*] looks at its elements"
    if count and inner == 0:
        return (
            f"{so_far} is {show(found[0][0])}"
            if len(found) == 1
            else f"none of the {len(found)} at {so_far} leads further"
        )
    return f"there is no {path.text[:end]}" if count < len(path.steps) - 1 else None


def _chooses(segment: Segment) -> bool:
    """Whether it is a filter."""
    return all(not isinstance(selector, (str, int, Each, Slice)) for selector in segment.selectors)
