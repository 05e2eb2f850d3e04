"""The three verbs: what their targets may be and what options they have."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from engine.match import Base, PathError, parse_path
from engine.model.address import is_private_host
from engine.model.condition import Column
from engine.model.event import Json
from engine.model.rule import Verb
from engine.rulebook.fields import did_you_mean, expected, kind_of, listed, mapping, path_mistake, text, texts, word
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.rulebook.operands import table_column
from engine.source import Node, Scalar, Sequence, plain


class Format(StrEnum):
    """How a text is written."""

    MARKDOWN = "markdown"
    TEXT = "text"


class Method(StrEnum):
    """How a callback is made."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    GET = "GET"


class As(StrEnum):
    """Whom a Stripe operation is for."""

    ACCOUNT = "account"
    PLATFORM = "platform"


_STATUS = re.compile(r"([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?", re.ASCII)

Reader = Callable[[Findings, Node], Json]
"""Reads an option as the notifiers take it; None with a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbRules:
    """What the language knows of one verb. `target` reads what stands after it."""

    target: Callable[[Findings, Node, Known], tuple[str, ...] | None]
    options: Mapping[str, Reader]


def _channels(found: Findings, node: Node, known: Known) -> tuple[str, ...] | None:
    names = texts(found, node, "a channel")
    if names is None:
        return None
    errors = found.errors
    for place in node.items if isinstance(node, Sequence) else (node,):
        if not isinstance(place, Scalar):
            continue
        if place.text.startswith("$"):
            channel_column(found, place, known)
        elif "://" in place.text:
            hint = "put the URL under channels in config.yaml, and its name here"
            found.error("unknown-channel", place, "a channel is named here, never written as a URL", hint)
        elif known.channels is not None and place.text not in known.channels:
            message = f"no channel '{place.text}'; configured: {', '.join(known.channels) or 'none'}"
            near = did_you_mean(place.text, known.channels).removeprefix("; ")
            found.error("unknown-channel", place, message, near or None)
    return names if found.errors == errors else None


def channel_column(found: Findings, node: Scalar, known: Known) -> Column | None:
    """The column that `$tables.accounts.channel` names, each of whose cells must be a channel."""
    try:
        path = parse_path(node.text)
    except PathError as error:
        return path_mistake(found, node, error)
    if path.base is not Base.TABLES:
        hint = "write $tables.<table>.<column>, whose cells are channels"
        return found.error("unknown-channel", node, f"{node.text} names no channel", hint)
    column = table_column(found, node, path)
    if column is None or known.channels is None:
        return column
    wrong = {str(cell): account for account, cell in column.cells.items() if cell not in known.channels}
    for cell, account in list(wrong.items())[:5]:
        message = f"the {column.name} of {account} in {column.table} is '{cell}', and there is no such channel"
        near = did_you_mean(cell, known.channels).removeprefix("; ")
        found.error("unknown-channel", node, message, near or f"configured: {', '.join(known.channels) or 'none'}")
    return None if wrong else column


def _callback(found: Findings, node: Node, known: Known) -> tuple[str, ...] | None:
    name = text(found, node, "a callback's name or an https URL")
    if name is None:
        return None
    if "://" in name or "{" in name:
        return (name,) if _check_url(found, node, name, known) else None
    if known.callbacks is not None and name not in known.callbacks:
        message = f"no callback '{name}'; configured: {', '.join(known.callbacks) or 'none'}"
        near = did_you_mean(name, known.callbacks).removeprefix("; ")
        return found.error("unknown-callback", node, message, near or "configure it under callbacks in config.yaml")
    return (name,)


def _check_url(found: Findings, node: Node, url: str, known: Known) -> bool:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        host = ""
    problem = hint = None
    if "{" in url:
        problem = "a callback's address cannot be a template"
        hint = "write one rule for each address, or send it in the body"
    elif not host or re.search(r"[\x00-\x20\x7f\\]", url):
        problem = "this is not the URL of a callback, which is https://host/path"
    elif parts.scheme != "https":
        problem, hint = "a rule may call only https URLs", "configure a callback for anything else"
    elif parts.username is not None or parts.password is not None:
        problem, hint = "a name or password stands in the URL", "write an Authorization header in config.yaml"
    elif is_private_host(host):
        problem = f"{host} is not a public address, and a rule may call no other directly"
        hint = "configure a callback with allow_private: true, and write its name here"
    elif known.callback_hosts is not None and host not in {each.lower().rstrip(".") for each in known.callback_hosts}:
        problem = f"rules may not call {host}"
        hint = f"add to config.yaml: callback_hosts: [{host}]"
    if problem is not None:
        found.error("callback-host", node, problem, hint)
    return problem is None


def _operation(found: Findings, node: Node, known: Known) -> tuple[str, ...] | None:
    name = text(found, node, "an operation like payouts.retrieve, or GET and a path")
    if name is None:
        return None
    if known.stripe_operations is not None:
        problem = known.stripe_operations.problem(name)
        if problem is not None:
            return found.error("unknown-operation", node, problem)
        bare = name.removeprefix("v1.")
        allowed = known.allowed_writes
        if allowed is not None and known.stripe_operations.is_write(name) and not {name, bare} & set(allowed):
            hint = f"add to config.yaml: stripe: {{allow: [{{operation: {bare}, max: 20, every: 1h}}]}}"
            return found.error("write-not-allowed", node, f"rules may not use {bare}, which changes something", hint)
    return (name,)


def _template(found: Findings, node: Node) -> Json:
    return text(found, node)


def _value(found: Findings, node: Node) -> Json:
    if isinstance(node, Scalar) and (node.value is None or node.value == ""):
        return expected(found, node, "a value")
    return plain(node, exact=False)


def _headers(found: Findings, node: Node) -> Json:
    given = mapping(found, node, "a map of headers")
    if given is None:
        return None
    for entry in given.entries:
        if not isinstance(entry.value, Scalar) or entry.value.value is None:
            found.error("type", entry.value, f"the header {entry.name} is a text, got {kind_of(entry.value)}")
    return {entry.name: entry.value.text for entry in given.entries if isinstance(entry.value, Scalar)}


def _parameters(found: Findings, node: Node) -> Json:
    given = mapping(found, node, "a map of parameters")
    return None if given is None else plain(given, exact=False)


def _table(found: Findings, node: Node) -> Json:
    given = mapping(found, node, 'a map of columns, like {Reason: failure_code, Amount: "{{ object | money }}"}')
    columns = {entry.name: text(found, entry.value, "a path or a text") for entry in given.entries} if given else {}
    return columns if columns and None not in columns.values() else None


def _success(found: Findings, node: Node) -> Json:
    items = listed(found, node, "a list of statuses and ranges like [200-299, 409]")
    for item in items or ():
        matched = _STATUS.fullmatch(item.text) if isinstance(item, Scalar) else None
        if matched is None or (matched[2] is not None and matched[2] < matched[1]):
            found.error("type", item, f"expected statuses and ranges like [200-299, 409], got {kind_of(item)}")
    return None if items is None else [item.text for item in items if isinstance(item, Scalar)]


def _expand(found: Findings, node: Node) -> Json:
    names = texts(found, node, "a field to expand")
    return None if names is None else list(names)


VERBS: dict[Verb, VerbRules] = {
    Verb.NOTIFY: VerbRules(
        target=_channels,
        options={
            "title": _template,
            "text": _template,
            "format": lambda found, node: word(found, node, Format, "a format"),
            "table": _table,
        },
    ),
    Verb.CALLBACK: VerbRules(
        target=_callback,
        options={
            "method": lambda found, node: word(found, node, Method, "a method"),
            "headers": _headers,
            "body": _value,
            "success": _success,
        },
    ),
    Verb.STRIPE: VerbRules(
        target=_operation,
        options={
            "with": _parameters,
            "expand": _expand,
            "as": lambda found, node: word(found, node, As, "whom it is for"),
        },
    ),
}
