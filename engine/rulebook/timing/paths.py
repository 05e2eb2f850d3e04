"""Paths that the keys of time and noise name: what is counted apart, and by what two events belong together."""

from dataclasses import dataclass

from engine.match.paths import Base
from engine.model.condition import Reference
from engine.model.timing import BY_ACCOUNT, Per
from engine.rulebook.conditions import read_path
from engine.rulebook.fields import expected, listed, text
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Carried, Lost, Spot, lead
from engine.rulebook.lints.paths import Context, spots_of
from engine.source import Mapping, Node, Scalar, nearest

ACCOUNT = "account"
"""The event's account, where a path may stand."""

_FORMS = "account, a path, or a list of them"


@dataclass(frozen=True, slots=True)
class Looked:
    """A path read, and what is known of where it leads; nothing where it leads nowhere."""

    reference: Reference
    spots: tuple[Spot, ...]


def read_looked(found: Findings, node: Node, about: Carried, *, several: bool = False) -> Looked | None:
    """A path in an event of what `about` says, which leads to one value unless it may lead to `several`; None with a
    mistake for anything else."""
    given = text(found, node, "account or a path")
    if given is None or not isinstance(node, Scalar):
        return None
    if given == ACCOUNT:
        return Looked(BY_ACCOUNT[0], ())
    path = read_path(found, node)
    if path is None:
        return None
    if path.several and not several:
        return found.error("path", node, f"{given} may be several values, and here stands the path of one")
    if path.of_object is not None:
        found.reads_object = True
    if path.base is Base.ACCOUNT and path.steps != ("id",):
        found.reads_account = True
    if isinstance(lead(path, about, None), Lost) and nearest(given, (ACCOUNT,), 0.85):
        found.warn(
            "unknown-field", node, f"{' or '.join(about.objects)} has no field '{given}'", "did you mean 'account'?"
        )
        return Looked(Reference(path=given), ())
    spots = spots_of(found, path, Context(about=about), node.position)
    return Looked(Reference(path=given, column=path.column), spots)


def read_per(found: Findings, node: Node, about: Carried) -> Per | None:
    """What is counted apart: `account`, a path, or a list of them, which count together."""
    if isinstance(node, Mapping):
        return expected(found, node, _FORMS)
    items = listed(found, node, _FORMS)
    read = [read_looked(found, item, about) for item in items or ()]
    good = [each.reference for each in read if each is not None]
    for place, reference in enumerate(good):
        if len(good) == len(read) and reference in good[:place] and items is not None:
            item = items[place]
            written = item.text if isinstance(item, Scalar) else reference.path
            found.warn("redundant", item, f"{written} stands in this list twice", "leave one of them out")
    return tuple(dict.fromkeys(good)) if read and len(good) == len(read) else None


Pairs = tuple[tuple[Reference, Reference], ...]


def read_same(found: Findings, node: Node, about: Carried, other: Carried) -> Pairs | None:
    """What two events have in common: `account`, a path, a list of them, or a map of a path of the rule's event and one
    of the other."""
    if isinstance(node, Mapping) and node.entries:
        sides: list[tuple[Node, Node]] = [(entry.key, entry.value) for entry in node.entries]
    elif isinstance(node, Mapping):
        return expected(found, node, f"{_FORMS}, or a map of paths like {{id: payout}}")
    else:
        sides = [(item, item) for item in listed(found, node, _FORMS) or ()]
    read = [(_side(found, mine, about), _side(found, its, other, of_rule=False)) for mine, its in sides]
    pairs = [(mine, its) for mine, its in read if mine is not None and its is not None]
    return tuple(pairs) if read and len(pairs) == len(read) else None


def _side(found: Findings, node: Node, about: Carried, *, of_rule: bool = True) -> Reference | None:
    """The path of one of the two events. What the other one needs is its own affair, not the rule's."""
    before = found.reads_account, found.reads_object
    found.reads_account = False
    looked = read_looked(found, node, about)
    asks = found.reads_account
    found.reads_account, found.reads_object = before[0], found.reads_object if of_rule else before[1]
    if asks:
        return found.error("path", node, "two events have the id of their account in common, or not", "write account")
    return None if looked is None else looked.reference
