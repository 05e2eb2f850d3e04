"""JSONPaths (RFC 9535). The only importer of jsonpath-ng.

jsonpath-ng reads a JSONPath but does not run it: on the plain ones, names, indexes and `[*]`, a getter of our own is
exact where the library is lenient, and thirty times as fast.
"""

import warnings
from collections.abc import Iterator
from typing import Any

from engine.match.steps import EACH, PathError, Step


def parse_json_path(text: str) -> tuple[Step, ...]:
    """The steps of a JSONPath from the root. Raises PathError."""
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse  # here: the import takes 50 ms, and few rules have a JSONPath

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of operators that are refused below anyway
        try:
            tree = parse(text)
        except (JSONPathError, ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = str(error).splitlines()[0].rstrip() if str(error) else "it cannot be read"
            raise PathError(f"'{text}' is not a JSONPath: {reason}") from None
    return tuple(_steps_of(tree, text))


_REFUSED = {
    "Descendants": "descendants (..)",
    "Filter": "filters ([?..])",
    "Slice": "slices ([1:3])",
    "Union": "unions",
    "Fields": "several names at once",
    "Index": "several indexes at once",
}


def _steps_of(tree: Any, text: str) -> Iterator[Step]:
    kind = type(tree).__name__
    if kind == "Root":
        return
    if kind == "Child":
        yield from _steps_of(tree.left, text)
        yield from _steps_of(tree.right, text)
    elif kind == "Fields" and len(tree.fields) == 1:
        yield EACH if tree.fields == ("*",) and "'*'" not in text and '"*"' not in text else str(tree.fields[0])
    elif kind == "Index" and len(tree.indices) == 1:
        yield int(tree.indices[0])
    elif kind == "Wildcard" or (kind == "Slice" and (tree.start, tree.end, tree.step) == (None, None, None)):
        yield EACH
    else:
        what = _REFUSED.get(kind, "this")
        raise PathError(f"{what} in a JSONPath: not there yet", "a JSONPath has names, indexes and [*]", code="not-yet")
