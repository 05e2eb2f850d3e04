"""Texts of a step: checked without running, and the steps whose results they read."""

from collections.abc import Iterator
from dataclasses import dataclass

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
        problem = check_template(scalar.text)
        if problem is not None:
            found.error("template", scalar, problem)
            continue
        for step in sorted(referenced_steps(scalar.text)):
            needs.setdefault(step, Need(step, scalar))
    return tuple(needs.values())


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
