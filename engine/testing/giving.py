"""`given` of a test: the event, as its author writes it."""

import contextlib
from pathlib import Path

from engine.match import PathError, parse_path
from engine.model.catalog import catalog
from engine.model.event import Json, Payload, Scope
from engine.model.rule import Rule
from engine.rulebook.fields import check_keys, flag, mapping, read, text, word
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import carried
from engine.rulebook.lints.paths import Context, spots_of
from engine.samples.paths import parse_path as parse_setting_path
from engine.source import Entry, Node, Scalar, did_you_mean, plain
from engine.testing.expecting import check_step_id
from engine.testing.trial import Given

KEYS = ("event", "set", "fetched", "previous", "account", "scope", "livemode", "file", "results")
_OF_CAPTURED = frozenset({"file", "set", "fetched", "scope", "results"})


def read_given(found: Findings, node: Node, folder: Path, rule: Rule | None) -> Given | None:
    """The event that a test gives; None with a mistake where it cannot be used. A `file` is looked for in `folder`;
    `rule` is the one that is tested, None where it is not known."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.text in catalog():
        return found.error("type", node, "'given' is a map", f"write {{event: {node.text}}}")
    given = mapping(found, node, "a map with the event's type, like {event: payout.failed}")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "given", KEYS)
    type_ = read(given, "event", lambda value: _type(found, value))
    file = read(given, "file", lambda value: _file(found, value, folder))
    if given.get("file") is not None:
        for entry in given.entries:
            if entry.name in KEYS and entry.name not in _OF_CAPTURED:
                message = f"'{entry.name}' cannot stand beside 'file': the file has the whole event"
                found.error(
                    "given", entry.key, message, "change it with set: a path of its object, or $. and one of its root"
                )
    elif given.get("event") is None:
        found.error("missing-key", given, "this event has no type", "write event: payout.failed, or file: event.json")
    made = Given(
        event=type_,
        file=file,
        set=read(given, "set", lambda value: _set(found, value, type_)) or {},
        fetched=read(given, "fetched", lambda value: _set(found, value, None)) or {},
        previous=read(given, "previous", lambda value: _previous(found, value)),
        account=read(given, "account", lambda value: _account(found, value)),
        scope=read(given, "scope", lambda value: word(found, value, Scope, "a scope")),
        livemode=read(given, "livemode", lambda value: flag(found, value)),
        results=read(given, "results", lambda value: _results(found, value, rule)) or {},
    )
    return made if found.errors == errors else None


def _type(found: Findings, node: Node) -> str | None:
    type_ = text(found, node, "an event type")
    if type_ is None:
        return None
    if "*" in type_ or any(character.isspace() for character in type_):
        return found.error("type", node, "an event has one type, and no pattern", "write it out: payout.failed")
    if type_ not in catalog():
        message = f"Stripe is not known to send '{type_}'"
        found.warn("unknown-type", node, message, did_you_mean(type_, catalog()))
    return type_


def _file(found: Findings, node: Node, folder: Path) -> Path | None:
    name = text(found, node, "the name of a file")
    if name is None:
        return None
    file = folder / name
    if not file.is_file():
        return found.error("given", node, f"there is no file {name} in {folder}", "names are relative to this file")
    return file


def _set(found: Findings, node: Node, type_: str | None) -> dict[str, Json] | None:
    given = mapping(found, node, "a map of paths and values")
    if given is None:
        return None
    for entry in given.entries:
        try:
            parse_setting_path(entry.name.removeprefix("$."))
        except ValueError as error:
            found.error("path", entry.key, str(error))
            continue
        if type_ is not None and not entry.name.startswith("$"):
            _check_field(found, entry, type_)
    return {entry.name: plain(entry.value, exact=False) for entry in given.entries}


def _check_field(found: Findings, entry: Entry, type_: str) -> None:
    """Warn of a field that the object does not have. Of a thin event the root is meant, which is not described."""
    known = catalog().get(type_)
    if known is not None and known.payload is Payload.SNAPSHOT:
        with contextlib.suppress(PathError):
            spots_of(found, parse_path(entry.name), Context(about=carried((type_,))), entry.key.position)


def _previous(found: Findings, node: Node) -> dict[str, Json] | None:
    given = mapping(found, node, "a map like Stripe's previous_attributes", may_be_empty=True)
    if given is None:
        return None
    dotted = next((entry for entry in given.entries if "." in entry.name), None)
    if dotted is not None:
        message = "previous_attributes is nested, and has no dotted names"
        outer, _, inner = dotted.name.partition(".")
        return found.error("given", dotted.key, message, f"write {outer}: {{{inner}: ..}}")
    made: dict[str, Json] = plain(given, exact=False)
    return made


def _results(found: Findings, node: Node, rule: Rule | None) -> dict[str, Json] | None:
    given = mapping(found, node, "a map of steps, by their ids, and what they come back with")
    if given is None:
        return None
    for entry in given.entries:
        check_step_id(found, entry.key, rule)
    return {entry.name: plain(entry.value, exact=False) for entry in given.entries}


def _account(found: Findings, node: Node) -> str | None:
    account = text(found, node, "the id of an account")
    if account is not None and not account.startswith("acct_"):
        found.warn("account", node, f"'{account}' is no account: their ids begin with acct_")
    return account
