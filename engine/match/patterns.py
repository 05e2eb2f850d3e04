"""Patterns in which only `*` is special: any characters, dots too. Linear time whatever pattern and text."""

from collections.abc import Callable


def is_literal(pattern: str) -> bool:
    """Whether the pattern takes exactly one text."""
    return "*" not in pattern


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a whole text fits the pattern. Upper and lower case differ."""
    if is_literal(pattern):
        return lambda text: text == pattern
    first, *middle, last = pattern.split("*")
    parts = tuple(part for part in middle if part)
    if not parts:
        shortest = len(first) + len(last)
        return lambda text: len(text) >= shortest and text.startswith(first) and text.endswith(last)

    def fits(text: str) -> bool:
        if not text.startswith(first):
            return False
        at = len(first)
        for part in parts:  # the first place for each part leaves the most room for the next
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return len(text) - len(last) >= at and text.endswith(last)

    return fits


def compile_type_pattern(pattern: str) -> Callable[[str], bool]:
    """The same for event types: a v1 name also takes its thin twin `v1.<name>`, and a `*` never takes a `*.ping`."""
    fits = compile_pattern(pattern)

    def takes(event_type: str) -> bool:
        return fits(event_type) or (event_type.startswith("v1.") and fits(event_type[3:]))

    if is_literal(pattern):
        return takes
    return lambda event_type: not event_type.endswith(".ping") and takes(event_type)
