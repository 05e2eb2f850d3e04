"""What a text asks for, and what is wrong with it, as far as can be known without an event."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import meta, nodes

from engine.errors import TemplateError
from engine.model.event import Json
from engine.model.timing import TOLD
from engine.render.budget import MAX_TEXT
from engine.render.sandbox import MAPPING_METHODS, STRING_METHODS, nodes_of
from engine.render.spelling import names
from engine.render.syntax import ENVIRONMENT, OnlyTemplateErrors, Path, hint, parse_text, path_of, unknown_filter

NAMES = frozenset(
    {"event", "object", "previous", "changed", "account", "rule", "steps", "failed", "vars", "tables", "now"}
)
"""The names that every text may use; `window`, `digest` and `incident` come with keys of a rule."""

EVENT_NAMES = names(
    "id type base_type payload scope account context livemode created api_version request request_id "
    "idempotency_key endpoint received url data object pending_webhooks related_object reason changes "
    "snapshot_event"
)
RULE_NAMES = frozenset({"id", "description", "severity", "owner", "tags", "runbook"})
ACCOUNT_NAMES = names("id name label url country email is_platform")
"""What a text may always read of the account; the rest has to be read from Stripe first."""

FAILED_NAMES = frozenset({"step", "verb", "destination", "reason", "attempts"})
_FIXED = {"event": EVENT_NAMES, "rule": RULE_NAMES, **{name: known for name, known in TOLD.items() if known}}
_ALL_NAMES = NAMES | TOLD.keys()
_LONGEST = {"event": 2, "vars": 2, "tables": 3, "failed": 2, "account": 2, **dict.fromkeys(TOLD, 2)}
_SETTABLE = frozenset({"event", *TOLD})
"""Names that a text may set itself and then mean something else by."""
_FIELDS = frozenset({"object", "previous"})
_METHODS = STRING_METHODS | MAPPING_METHODS
_ADDED_UP = frozenset({"total", "totals", "groups"})
"""What a digest has of the objects of its events taken together."""
_PATHS = (nodes.Getattr, nodes.Getitem, nodes.Name)
_EXPRESSION = re.compile(r"\{\{[^{}]*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a text asks for; nothing at all where it has a `problem`, said for the author with the nearest known name.

    `steps`: the ids of the steps whose results it reads. `shared`: what it reads of names that are not everywhere, or
    not whole, like `("vars", "big")`, `("tables", "accounts", "csm")`, `("failed", "reason")`, `("event", "id")`; a
    name whose parts are not written out stands alone, `("vars",)` for `vars[event.type]`. `fields`: what it reads of
    the event's object and of what that was before, `("object", "evidence_details", "due_by")`, as far as the parts are
    written out. `called`: those of which it calls a method, each with its name, `("object", "status", "upper")`.
    `filtered`: the fields of the object, or the object itself, that it sends through a filter, each with the filter's
    name and whether that is told more; a `default` in between does not matter. `names`: those that it reads and that it
    does not set itself. `reads_object`: whether it asks for the object of the event, or of those that it is told of
    besides: the first of an incident, what a digest has gathered.
    """

    problem: str | None = None
    steps: frozenset[str] = frozenset()
    shared: frozenset[tuple[str, ...]] = frozenset()
    fields: frozenset[Path] = frozenset()
    called: frozenset[Path] = frozenset()
    filtered: frozenset[tuple[Path, str, bool]] = frozenset()
    names: frozenset[str] = frozenset()
    reads_object: bool = False


def check_template(text: str) -> str | None:
    """What is wrong with a template: syntax, tags, filters, names. None when nothing is."""
    return survey(text).problem


@lru_cache(maxsize=4_096)
def survey(text: str) -> Survey:
    """What a text asks for. Remembered: to look at texts is most of what a reload of a large file costs, and nearly all
    of them are as they were."""
    return _in_parts(text) or _survey(text)


def _in_parts(text: str) -> Survey | None:
    """A text that is plain but for expressions asks for what each of those does. Rules written by the hundred say the
    same of other things: their texts differ, and their expressions hardly.

    None where the text has tags, comments or braces in braces, or a mistake, which has to be named by its line.
    """
    if len(text) > MAX_TEXT or any("{" in plain for plain in _EXPRESSION.split(text)):
        return None
    parts = [_part(expression) for expression in dict.fromkeys(_EXPRESSION.findall(text))]
    if any(part.problem is not None for part in parts):
        return None
    return Survey(
        steps=frozenset().union(*(part.steps for part in parts)),
        shared=frozenset().union(*(part.shared for part in parts)),
        fields=frozenset().union(*(part.fields for part in parts)),
        called=frozenset().union(*(part.called for part in parts)),
        filtered=frozenset().union(*(part.filtered for part in parts)),
        names=frozenset().union(*(part.names for part in parts)),
        reads_object=any(part.reads_object for part in parts),
    )


def _survey(text: str) -> Survey:
    try:
        tree = parse_text(text)
        found = nodes_of(tree)
        free = _free(tree, found)
    except TemplateError as error:
        return Survey(problem=str(error))
    calls = {id(node.node) for node in found if isinstance(node, nodes.Call)}
    whole = tuple(_whole_paths(found))
    paths = tuple(path[:-1] if id(node) in calls and path[-1] in _METHODS else path for node, path in whole)
    problem = unknown_filter(found) or _unknown_name(free, paths)
    if problem is not None:
        return Survey(problem=problem)
    return Survey(
        steps=frozenset(str(path[1]) for path in paths if path[0] == "steps" and len(path) > 1),
        shared=frozenset(
            tuple(map(str, path[: _LONGEST[path[0]]]))
            for path in paths
            if path[0] in _LONGEST and (path[0] in free or path[0] not in _SETTABLE)
        ),
        fields=frozenset(path for path in paths if len(path) > 1 and path[0] in _FIELDS and path[0] in free),
        called=frozenset(
            path for node, path in whole if id(node) in calls and path[0] in _FIELDS & free and path[-1] in _METHODS
        ),
        filtered=frozenset(_filtered(found)) if "object" in free else frozenset(),
        names=frozenset(free),
        reads_object="object" in free or any(map(_asks_object, found)),
    )


_part = lru_cache(maxsize=1_024)(_survey)


def _free(tree: nodes.Template, found: Iterable[nodes.Node]) -> set[str]:
    """The names that a text reads and does not set itself."""
    read = [node for node in found if isinstance(node, nodes.Name)]
    if all(name.ctx == "load" for name in read):  # nearly always, and a tenth of the time
        return {name.name for name in read}
    with OnlyTemplateErrors():
        return meta.find_undeclared_variables(tree)


def _asks_object(node: nodes.Node) -> bool:
    """Whether it reads the object of some event: `item.object`, `map(attribute="object.id")`, or what a digest adds up
    of them. `event.object` is the kind of the event itself."""
    if isinstance(node, nodes.Filter):
        values = [*node.args, *(each.value for each in node.kwargs)]
        return any(isinstance(each, nodes.Const) and str(each.value).split(".")[0] == "object" for each in values)
    path = path_of(node) or ()
    if path[:1] == ("digest",):
        return len(path) > 1 and path[1] in _ADDED_UP
    return _last(node) == "object" and path != ("event", "object")


def _last(node: nodes.Node) -> Json:
    """The name at the end of a path, or of what is one but for its beginning."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) else None


def _whole_paths(found: Iterable[nodes.Node]) -> Iterator[tuple[nodes.Node, Path]]:
    """The paths that are read, each only as long as it is, and the nodes that they are."""
    taken: set[int] = set()
    for node in found:  # a whole path comes before its beginning
        if not isinstance(node, _PATHS) or id(node) in taken:
            continue
        path = path_of(node)
        if path is None:
            continue
        inner: nodes.Node = node
        while isinstance(inner, nodes.Getattr | nodes.Getitem):
            inner = inner.node
            taken.add(id(inner))
        yield node, path


def _filtered(found: Iterable[nodes.Node]) -> Iterator[tuple[Path, str, bool]]:
    for node in found:
        if isinstance(node, nodes.Filter):
            value = node.node
            while isinstance(value, nodes.Filter) and value.name == "default":
                value = value.node
            path = path_of(value)
            if path is not None and path[0] == "object":
                yield path, node.name, bool(node.args or node.kwargs)


def _unknown_name(free: set[str], paths: Iterable[Path]) -> str | None:
    for name in sorted(free - _ALL_NAMES - set(ENVIRONMENT.globals)):
        return f"'{name}' is undefined" + (hint(name, _ALL_NAMES) or f"; a text has {', '.join(sorted(NAMES))}")
    for path in sorted({path[:2] for path in paths if len(path) > 1}, key=str):
        root, name = map(str, path)
        if root in free and root in _FIXED and path[1] not in _FIXED[root]:
            return f"'{root}.{name}' is undefined" + hint(name, _FIXED[root], f"{root}.")
    return None
