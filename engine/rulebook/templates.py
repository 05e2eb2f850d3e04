"""Texts of a step: checked without running, and the steps whose results they read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from engine.render import check_template, referenced_steps
from engine.rulebook.findings import Findings
from engine.source import Mapping, Node, Scalar, Sequence


@dataclass(frozen=True, slots=True)
class Need:
    """A step whose result a text reads, and the text."""

    step: str
    place: Scalar


def check_texts(found: Findings, node: Node) -> tuple[Need, ...]:
    """Check every text in a value; what steps they need, each with the first text that does."""
    needs: dict[str, Need] = {}
    for scalar in _texts(node):
        problem, steps = _checked(scalar.text)
        if problem is not None:
            found.error("template", scalar, problem)
            continue
        for step in steps:
            needs.setdefault(step, Need(step, scalar))
    return tuple(needs.values())


@lru_cache(maxsize=4_096)
def _checked(template: str) -> tuple[str | None, tuple[str, ...]]:
    """What is wrong with a text, and the steps it reads. Remembered: to check texts is most of what a reload of a
    large file costs, and nearly all of them are as they were."""
    problem = check_template(template)
    return problem, () if problem is not None else tuple(sorted(referenced_steps(template)))


def _texts(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and "{" in node.text:
            yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _texts(item)
    elif isinstance(node, Mapping):
        for entry in node.entries:
            yield from _texts(entry.value)
