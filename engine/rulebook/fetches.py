"""`fetch`: what a rule wants read from Stripe before it is judged."""

import re

from engine.model.catalog import catalog
from engine.model.fetch import Fetch
from engine.model.rule import When
from engine.model.schema import Field, Kind, field_at
from engine.rulebook.fields import check_keys, expected, texts
from engine.rulebook.findings import Findings
from engine.rulebook.known import Known
from engine.source import Mapping, Node, Scalar, Sequence

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_INCLUDE = re.compile(r"[a-z][a-z0-9_.]{0,99}", re.ASCII)
_NO_KEY = "add to config.yaml: stripe: {keys: {live: .., test: ..}}"
_FORMS = "'object', a list of paths to ids like [charge], or {object: {include: [requirements]}}"


def read_fetch(found: Findings, node: Node, types: tuple[str, ...] | None, known: Known) -> Fetch | None:
    """What stands under `fetch`, for events of these types; None with a mistake where it cannot be used."""
    if known.stripe_keys is not None and not known.stripe_keys:
        return found.error("fetch", node, "nothing can be read from Stripe: no key is configured", _NO_KEY)
    if isinstance(node, Scalar) and node.text == "object":
        return Fetch(object=True)
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return expected(found, node, _FORMS, f"write [{node.text}]" if _PATH.fullmatch(node.text) else None)
    if isinstance(node, Sequence):
        return _ids(found, node, types or ())
    if not isinstance(node, Mapping) or not node.entries:
        return expected(found, node, _FORMS)
    check_keys(found, node, "fetch", ("object",))
    inner = node.get("object")
    if not isinstance(inner, Mapping):
        return None if inner is None else expected(found, inner, "a map: {include: [requirements]}")
    check_keys(found, inner, "fetch", ("include",))
    given = inner.get("include")
    names = None if given is None else texts(found, given, "what is to be included")
    if names is None:
        return None if given is not None else expected(found, inner, "{include: [requirements]}")
    for name in names:
        if not _INCLUDE.fullmatch(name) and given is not None:
            return found.error("fetch", given, f"'{name}' cannot be included", "its name is like requirements")
    if types and given is not None and not any(name.startswith("v2.") or "*" in name for name in types):
        return found.error("fetch", given, "include is known to API v2 alone", "write fetch: object")
    return Fetch(object=True, include=names)


def check_account_fields(found: Findings, node: Node, known: Known) -> None:
    """Whether fields of the account beyond its id can be read at all."""
    if known.stripe_keys is not None and not known.stripe_keys:
        what = "fields of the account but its id are read from Stripe, and no key is configured"
        found.error("fetch", node, what, _NO_KEY)


def check_object(found: Findings, node: Node, when: When, known: Known, *, asked: bool) -> None:
    """Warn of a rule on thin events that asks for their object, which nothing can read. `asked`: by a text.

    A snapshot's type takes its thin twin too, but seldom gets it: that is no reason to warn.
    """
    keyless = known.stripe_keys is not None and not known.stripe_keys
    thin = [pattern for pattern in when.types if is_thin(pattern)]
    if keyless and (asked or when.reads_object) and thin:
        which = "these events carry" if len(thin) == len(when.types) else f"{', '.join(thin)} carries"
        what = f"{which} no object, and no key is configured to read it: the rule can never be judged"
        found.warn("fetch", node, what, _NO_KEY)


def is_thin(pattern: str) -> bool:
    """Whether a pattern takes thin events alone, which carry no object."""
    return pattern.startswith(("v1.", "v2."))


def _ids(found: Findings, node: Sequence, types: tuple[str, ...]) -> Fetch | None:
    paths = texts(found, node, "a path to an id, like charge")
    if paths is None:
        return None
    errors = found.errors
    for place in node.items:
        if not isinstance(place, Scalar):
            continue
        if not _PATH.fullmatch(place.text):
            found.error("fetch", place, "a path to an id is a few names with dots between, like charge")
        elif all(field is not None and field.kind is not Kind.ID for field in _fields(place.text, types)):
            found.warn("fetch", place, f"{place.text} is no id of an object in events of this type, as far as is known")
    return Fetch(ids=paths) if found.errors == errors else None


def _fields(path: str, types: tuple[str, ...]) -> list[Field | None]:
    """What is known of the path, for the object of each type; None where nothing is."""
    objects = [name for type_ in types if (info := catalog().get(type_)) for name in (info.object or "").split("|")]
    return [field_at(name, path) for name in objects] or [None]
