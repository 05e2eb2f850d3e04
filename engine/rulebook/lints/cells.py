"""Paths outside of `where`: what a rule counts by, and what stands in the cells of a table."""

from engine.match import PathError, parse_path
from engine.match.paths import TOLD, Base, Path
from engine.match.steps import Segment
from engine.model.rule import When
from engine.render import ACCOUNT_NAMES
from engine.rulebook.fields import path_mistake
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Carried, carried, with_ids
from engine.rulebook.lints.paths import Context, spots_of
from engine.source import Mapping, Node, Scalar


def about(whens: tuple[When, ...]) -> Carried:
    """What the events carry that a rule is about."""
    return with_ids(carried(tuple(dict.fromkeys(pattern for when in whens for pattern in when.types))), whens)


def check_cells(found: Findings, node: Node, whens: tuple[When, ...]) -> None:
    """Check the paths among the columns of a `table`, each of the event of its row; texts are checked as such."""
    for entry in node.entries if isinstance(node, Mapping) else ():
        if isinstance(entry.value, Scalar) and "{" not in entry.value.text and entry.value.text != "account":
            path = _path(found, entry.value)
            if path is not None:
                spots_of(found, path, Context(about=about(whens)), entry.value.position)


def _path(found: Findings, node: Scalar) -> Path | None:
    try:
        path = parse_path(node.text)
    except PathError as error:
        return path_mistake(found, node, error)
    if path.base in (Base.STEPS, Base.ITEM, Base.TABLES, *TOLD):
        hint = 'write a path of the event, like amount, or a text, like "{{ account.label }}"'
        return found.error("path", node, f"'{node.text}' is nothing of the event of a row", hint)
    if any(isinstance(step, Segment) for step in path.steps):
        return found.error(
            "path", node, "the path of a cell has names, places and [*] alone", "write a text for the rest"
        )
    if path.of_object is not None:
        found.reads_object = True
    if path.base is Base.ACCOUNT and path.steps[0] not in ACCOUNT_NAMES:
        found.reads_account = True
    return path
