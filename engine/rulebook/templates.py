"""Texts of a step: checked without running, and the steps whose results they read."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.model.rule import When
from engine.model.schema import schema
from engine.model.timing import TOLD, TOLD_BY
from engine.render import ACCOUNT_NAMES, FAILED_NAMES, Survey, survey
from engine.rulebook.findings import Findings
from engine.rulebook.lints.texts import advise_text
from engine.rulebook.names import UnknownName
from engine.source import Mapping, Node, Scalar, Sequence, nearest


@dataclass(frozen=True, slots=True)
class Need:
    """A step whose result a text reads, and the text."""

    step: str
    place: Node


def check_texts(
    found: Findings, node: Node, whens: tuple[When, ...] = (), *, gathered: bool = False
) -> tuple[Need, ...]:
    """Check every text in a value; what steps they need, each with the first text that does. `whens` are those of the
    rule, which say what the event's object is. `gathered`: the text is about all events of a digest."""
    needs: dict[str, Need] = {}
    for scalar in _texts(node):
        asks = survey(scalar.text)
        if asks.problem is not None:
            found.error("template", scalar, asks.problem)
            continue
        if gathered and _of_one(found, scalar, asks):
            continue
        advise_text(found, scalar, asks, whens)
        found.reads_object = found.reads_object or asks.reads_object
        for path in sorted(asks.shared):
            _check_shared(found, scalar, path)
        for step in sorted(asks.steps):
            needs.setdefault(step, Need(step, scalar))
    return tuple(needs.values())


def steps_read(node: Node) -> set[str]:
    """The ids of the steps whose results texts in a value read."""
    return {step for scalar in _texts(node) for step in survey(scalar.text).steps}


def _of_one(found: Findings, place: Scalar, asks: Survey) -> bool:
    """Whether the text of a digest asks for what only one event has; a mistake then."""
    name: str | None = next((each for each in ("object", "previous", "changed") if each in asks.names), None)
    if name is None and any(path[0] == "event" and path != ("event", "livemode") for path in asks.shared):
        name = "event"
    if name is not None:
        message = f"a digest is about several events, and '{name}' is of none of them"
        field = f"{name}.id" if name == "event" else "object.id"
        hint = f"write {{% for item in digest.items %}}{{{{ item.{field} }}}}{{% endfor %}}"
        found.error("template", place, message, hint)
        return True
    told = next((each for each in sorted(TOLD_BY) if each != "digest" and each in asks.names), None)
    if told is not None and told in found.told:
        found.error("template", place, f"a digest is about several alerts, and '{told}' is of one of them")
        return True
    return False


def _check_shared(found: Findings, place: Scalar, path: tuple[str, ...]) -> None:
    if path[0] == "event":
        return
    if path[0] == "failed":
        _check_failed(found, place, path)
        return
    if path[0] == "account":
        _check_account(found, place, path)
        return
    if path[0] in TOLD:
        if path[0] not in found.told:
            found.error("template", place, found.not_told(path[0], path[0]))
        return
    if len(path) == 1:
        example = "vars.big" if path[0] == "vars" else "tables.accounts.csm"
        found.error("template", place, f"'{path[0]}' by itself is not known before it runs", f"write {example}")
        return
    try:
        found.names.in_text(path)
    except UnknownName as error:
        found.unknown(place, error)


def _check_account(found: Findings, place: Scalar, path: tuple[str, ...]) -> None:
    """What is not known of every account is read from Stripe first."""
    if len(path) == 1 or path[1] in ACCOUNT_NAMES:
        return
    found.reads_account = True
    known = schema("account")
    fields = {*ACCOUNT_NAMES, *(known.fields if known is not None else ())}
    if path[1] not in fields:
        near = nearest(path[1], fields)
        hint = f"did you mean 'account.{near}'?" if near else None
        found.warn("unknown-field", place, f"account has no field '{path[1]}'", hint)


def _check_failed(found: Findings, place: Scalar, path: tuple[str, ...]) -> None:
    if not found.on_failure:
        found.error("template", place, "'failed' is known only in the steps of on_failure")
    elif len(path) > 1 and path[1] not in FAILED_NAMES:
        near = nearest(path[1], FAILED_NAMES)
        hint = f"did you mean 'failed.{near}'?" if near else f"it has {', '.join(sorted(FAILED_NAMES))}"
        found.error("template", place, f"'failed.{path[1]}' is undefined", hint)


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
