"""Rendering texts: templates compiled when first used, checked without running, never trusted."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import Template, meta, nodes

from engine.errors import TemplateError
from engine.model.event import Json
from engine.render.filters import FILTERS, TESTS
from engine.render.sandbox import MAX_TEXT, TextEnvironment, budget_for
from engine.render.spelling import names, plain
from engine.source.nearest import nearest

NAMES = frozenset(
    {"event", "object", "previous", "changed", "account", "rule", "steps", "failed", "vars", "tables", "now"}
)
"""The names a text may use; the rest of the language's (`window`, `digest`, `incident`) come with their keys."""

EVENT_NAMES = names(
    "id type base_type payload scope account context livemode created api_version request request_id "
    "idempotency_key endpoint received url data object pending_webhooks related_object reason changes "
    "snapshot_event"
)
RULE_NAMES = frozenset({"id", "description", "severity", "owner", "tags", "runbook"})
ACCOUNT_NAMES = names("id name label url country email is_platform")
"""What a text may always read of the account; the rest has to be read from Stripe first."""

FAILED_NAMES = frozenset({"step", "verb", "destination", "reason", "attempts"})
_FIXED = {"event": EVENT_NAMES, "rule": RULE_NAMES}

TEST = "[TEST] "
MAX_TITLE = 200

_ENVIRONMENT = TextEnvironment(FILTERS, TESTS)
_MARK = "\n… (cut: the text is longer than it may be)"

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    template: Template
    is_expression: bool
    paths: frozenset[Path]


def render_text(template: str, scene: Mapping[str, Any], *, limit: int = MAX_TEXT) -> str:
    """The text of a template. Beyond `limit` characters it is cut, visibly: an alert cut short is better than none.

    Raises TemplateError, whose message names what is undefined or wrong and never shows a value.
    """
    compiled = _compile(template)
    pieces: list[str] = []
    length = 0
    with budget_for(scene, compiled.paths), _only_template_errors():
        for piece in compiled.template.generate(dict(scene)):
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                return "".join(pieces)[: max(0, limit - len(_MARK))] + _MARK
    return "".join(pieces)


def render_title(template: str, scene: Mapping[str, Any]) -> str:
    """The title of an alert: one line of at most 200 characters, starting with `[TEST] ` where the event is not live.

    Raises TemplateError.
    """
    line = " ".join(render_text(template, scene).split())
    event = scene.get("event")
    testing = isinstance(event, Mapping) and event.get("livemode") is False and not line.startswith(TEST)
    line = TEST + line if testing else line
    return line if len(line) <= MAX_TITLE else line[: MAX_TITLE - 1] + "…"


def render_value(value: Json, scene: Mapping[str, Any]) -> Json:
    """A value with every text in it rendered, keys left alone. A text that is one expression keeps its type:
    `"{{ object.amount }}"` is a number.

    Raises TemplateError, also for a text beyond the limit: half a parameter is a wrong one.
    """
    if isinstance(value, str):
        return _render_typed(value, scene) if "{" in value else value
    if isinstance(value, list):
        return [render_value(item, scene) for item in value]
    if isinstance(value, Mapping):
        return {key: render_value(item, scene) for key, item in value.items()}
    return value


def _render_typed(template: str, scene: Mapping[str, Any]) -> Json:
    compiled = _compile(template, typed=True)
    if not compiled.is_expression:
        text = render_text(template, scene)
        if text.endswith(_MARK):
            raise TemplateError(f"the value is longer than {MAX_TEXT:,} characters")
        return text
    with budget_for(scene, compiled.paths), _only_template_errors():
        context = compiled.template.new_context(dict(scene))
        for _ in compiled.template.root_render_func(context):
            pass
        return plain(context.vars["result"])


def check_template(text: str) -> str | None:
    """What is wrong with a template as far as can be known without an event: syntax, tags, filters, names.

    None when nothing is. The message is for the author, with the nearest known name.
    """
    try:
        tree = _tree(text)
    except TemplateError as error:
        return str(error)
    return _unknown_filter(tree) or _unknown_name(tree)


def referenced_steps(value: Json) -> frozenset[str]:
    """The ids of the steps whose results the texts of a value read (`steps.charge`, `steps['charge']`).

    Texts that do not parse name none: `check_template` reports them.
    """
    if isinstance(value, str):
        if "steps" not in value:
            return frozenset()
        try:
            tree = _tree(value)
        except TemplateError:
            return frozenset()
        return frozenset(str(path[1]) for path in _paths(tree) if path[0] == "steps" and len(path) > 1)
    if isinstance(value, Mapping):
        return frozenset().union(*(referenced_steps(item) for item in value.values()))
    if isinstance(value, list):
        return frozenset().union(*(referenced_steps(item) for item in value))
    return frozenset()


def reads_object(template: str) -> bool:
    """Whether a text asks for the event's object. One that does not parse asks for nothing."""
    if "object" not in template:
        return False
    try:
        tree = _tree(template)
    except TemplateError:
        return False
    return any(node.name == "object" and node.ctx == "load" for node in tree.find_all(nodes.Name))


def referenced_shared(template: str) -> frozenset[tuple[str, ...]]:
    """What a text reads of names that are not everywhere: `("vars", "big")`, `("tables", "accounts", "csm")`,
    `("failed", "reason")`, `("account", "metadata")`.

    A name whose parts are not written out stands alone: `("vars",)` for `vars[event.type]`, `("tables", "accounts")`
    for a row as a whole. Texts that do not parse name none.
    """
    if not any(name in template for name in ("vars", "tables", "failed", "account")):
        return frozenset()
    try:
        tree = _tree(template)
    except TemplateError:
        return frozenset()
    longest = {"vars": 2, "tables": 3, "failed": 2, "account": 2}
    return frozenset(tuple(map(str, path[: longest[str(path[0])]])) for path in _whole_paths(tree, longest))


def referenced_fields(template: str) -> frozenset[Path]:
    """What a text reads of the event's object and of what it was before: `("object", "evidence_details", "due_by")`,
    as far as the parts are written out. Texts that do not parse read nothing."""
    if "object" not in template and "previous" not in template:
        return frozenset()
    try:
        tree = _tree(template)
        free = _free(tree)
    except TemplateError:
        return frozenset()
    return frozenset(path for path in _whole_paths(tree, free & {"object", "previous"}) if len(path) > 1)


@lru_cache(maxsize=2048)
def _compile(text: str, *, typed: bool = False) -> _Compiled:
    tree = _parse(text)
    problem = _unknown_filter(tree)
    if problem:
        raise TemplateError(problem)
    paths = _paths(tree)
    expression = _sole_expression(tree) if typed else None
    if expression is not None:
        tree = nodes.Template([nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)], lineno=1)
        tree.set_environment(_ENVIRONMENT)
    with _only_template_errors():
        return _Compiled(_ENVIRONMENT.from_string(tree), expression is not None, paths)


def _parse(text: str) -> nodes.Template:
    if len(text) > MAX_TEXT:
        raise TemplateError(f"the template is longer than {MAX_TEXT:,} characters")
    with _only_template_errors():
        return _ENVIRONMENT.parse(text)


@lru_cache(maxsize=64)
def _tree(text: str) -> nodes.Template:
    """A text parsed, to be looked at several times and not to be compiled, which changes it."""
    return _parse(text)


def _free(tree: nodes.Template) -> set[str]:
    """The names that a text reads and does not set itself."""
    found = list(tree.find_all(nodes.Name))
    if all(name.ctx == "load" for name in found):  # nearly always, and a tenth of the time
        return {name.name for name in found}
    with _only_template_errors():
        return meta.find_undeclared_variables(tree)


def _sole_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = tree.body[0].nodes
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


def _paths(tree: nodes.Template) -> frozenset[Path]:
    found = (_path(node) for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)))
    return frozenset(path for path in found if path is not None)


def filtered_fields(template: str) -> frozenset[tuple[Path, str, bool]]:
    """The fields of the event's object that a text sends through a filter, `("object", "amount")` or the object itself,
    each with the filter's name and whether it is told more. A `default` in between does not matter. Texts that do not
    parse send nothing."""
    if "object" not in template or "|" not in template:
        return frozenset()
    try:
        tree = _tree(template)
        free = _free(tree)
    except TemplateError:
        return frozenset()
    if "object" not in free:
        return frozenset()
    found: set[tuple[Path, str, bool]] = set()
    for filter_ in tree.find_all(nodes.Filter):
        value = filter_.node
        while isinstance(value, nodes.Filter) and value.name == "default":
            value = value.node
        path = None if value is None else _path(value)
        if path is not None and path[0] == "object":
            found.add((path, filter_.name, bool(filter_.args or filter_.kwargs)))
    return frozenset(found)


def _whole_paths(tree: nodes.Template, roots: Container[str]) -> Iterator[Path]:
    """The paths that begin with these names, each only as long as it is."""
    taken: set[int] = set()
    for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):  # a whole path before its beginning
        path = _path(node)
        if path is None or path[0] not in roots or id(node) in taken:
            continue
        inner: nodes.Node = node
        while isinstance(inner, nodes.Getattr | nodes.Getitem):
            inner = inner.node
            taken.add(id(inner))
        yield path


def _path(node: nodes.Node) -> Path | None:
    """`object.lines['data'][0]` as a tuple, None where a part is not written out."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        parent = _path(node.node)
        return None if parent is None else (*parent, node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        parent = _path(node.node)
        return None if parent is None or not isinstance(node.arg.value, str | int) else (*parent, node.arg.value)
    return None


def _unknown_filter(tree: nodes.Template) -> str | None:
    for filter_ in tree.find_all(nodes.Filter):
        if filter_.name not in _ENVIRONMENT.filters:
            return f"there is no filter '{filter_.name}'" + _hint(filter_.name, FILTERS)
    for test in tree.find_all(nodes.Test):
        if test.name not in _ENVIRONMENT.tests:
            return f"there is no test 'is {test.name}'" + _hint(test.name, TESTS)
    return None


def _unknown_name(tree: nodes.Template) -> str | None:
    undeclared = _free(tree)
    for name in sorted(undeclared - NAMES - set(_ENVIRONMENT.globals)):
        return f"'{name}' is undefined" + (_hint(name, NAMES) or f"; a text has {', '.join(sorted(NAMES))}")
    for path in sorted(_paths(tree), key=str):
        known = _FIXED.get(str(path[0])) if path[0] in undeclared and len(path) > 1 else None
        if known is not None and path[1] not in known:
            return f"'{path[0]}.{path[1]}' is undefined" + _hint(str(path[1]), known, f"{path[0]}.")
    return None


def _hint(word: str, known: Iterable[str], prefix: str = "") -> str:
    near = nearest(word, known)
    return f"; did you mean '{prefix}{near}'?" if near else ""


class _only_template_errors:  # noqa: N801 (a context manager, cheaper than a generator on a warm path)
    """Whatever goes wrong inside comes out as a TemplateError that shows no value."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, TemplateError) or not isinstance(error, Exception):
            return
        if isinstance(error, jinja2.TemplateSyntaxError):
            raise TemplateError(f"line {error.lineno}: {error.message}") from None
        if isinstance(error, TypeError | jinja2.TemplateError):
            raise TemplateError(f"the text cannot be written: {error}") from None
        if isinstance(error, RecursionError):
            raise TemplateError("the template is nested too deeply") from None
        raise TemplateError(f"the text cannot be written: {type(error).__name__}") from None
