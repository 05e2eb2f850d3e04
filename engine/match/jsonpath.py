"""The segments of a JSONPath, as jsonpath-ng reads them. Its only importer.

It is given no text as an author wrote it: it accepts most of the invalid paths of the public compliance suite, and
reads `\\u0041` in a name as u0041. `grammar` holds the text to RFC 9535, reads the filters, and has names, indexes,
slices and wildcards read here, in the one spelling that jsonpath-ng is right about.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from engine.match.steps import EACH, PathError, Segment, Selector, Slice, Step


def spell_name(name: str) -> str:
    """A name as it stands between brackets: quoted, and escaped only where it must be."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def read_segments(text: str) -> tuple[Step, ...]:
    """The steps of a JSONPath from `$` without filters, its names spelled as `spell_name` does."""
    return tuple(simplest(segment) for segment in _segments(_parser().parse(text)))


def read_selector(text: str) -> Selector:
    """The one selector that is spelled between brackets."""
    return _segments(_parser().parse(f"$[{text}]"))[0].selectors[0]


def simplest(segment: Segment) -> Step:
    """The segment, or the name, index or `[*]` that is all of it."""
    only = segment.selectors[0]
    if segment.descendants or len(segment.selectors) > 1 or not (only is EACH or isinstance(only, (str, int))):
        return segment
    return only


@cache
def _parser() -> Any:
    from jsonpath_ng.ext.parser import ExtendedJsonPathParser  # here: it takes 50 ms, and few rules have a JSONPath

    return ExtendedJsonPathParser()


def _segments(tree: Any) -> list[Segment]:
    import jsonpath_ng as ng

    match tree:
        case ng.Root():
            return []
        case ng.Child():
            return _segments(tree.left) + _segments(tree.right)
        case ng.Descendants():
            first, *rest = _segments(tree.right)
            return [*_segments(tree.left), replace(first, descendants=True), *rest]
        case ng.Fields():
            return [Segment(tuple(tree.fields))]
        case ng.Index():
            return [Segment(tuple(tree.indices))]
        case ng.Slice():
            return [Segment((Slice(tree.start, tree.end, tree.step),))]
        case ng.Wildcard():
            return [Segment((EACH,))]
    raise PathError(f"jsonpath-ng has read a {type(tree).__name__} where there is none")
