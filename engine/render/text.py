"""Rendering texts: templates compiled when first used, never trusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Template, nodes

from engine.errors import TemplateError
from engine.model.event import Json
from engine.render.budget import MAX_TEXT, Allowance, budget_for, together
from engine.render.sandbox import nodes_of
from engine.render.spelling import plain
from engine.render.syntax import ENVIRONMENT, OnlyTemplateErrors, Path, parse_text, path_of, unknown_filter

TEST = "[TEST] "
MAX_TITLE = 200

_MARK = "\n… (cut: the text is longer than it may be)"


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
    with budget_for(scene, compiled.paths), OnlyTemplateErrors():
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

    Raises TemplateError, also for a text beyond the limit: half a parameter is a wrong one. What all its texts write
    out, and how long they take, is bounded together.
    """
    with together() as allowance:
        return _render(value, scene, allowance)


def _render(value: Json, scene: Mapping[str, Any], allowance: Allowance) -> Json:
    if isinstance(value, str):
        return _render_typed(value, scene, allowance) if "{" in value else value
    if isinstance(value, list):
        return [_render(item, scene, allowance) for item in value]
    if isinstance(value, Mapping):
        return {key: _render(item, scene, allowance) for key, item in value.items()}
    return value


def _render_typed(template: str, scene: Mapping[str, Any], allowance: Allowance) -> Json:
    compiled = _compile(template, typed=True)
    if not compiled.is_expression:
        text = render_text(template, scene)
        if text.endswith(_MARK):
            raise TemplateError(f"the value is longer than {MAX_TEXT:,} characters")
        allowance.write(len(text))
        return text
    with budget_for(scene, compiled.paths), OnlyTemplateErrors():
        context = compiled.template.new_context(dict(scene))
        for _ in compiled.template.root_render_func(context):
            pass
        return plain(context.vars["result"])


@lru_cache(maxsize=2048)
def _compile(text: str, *, typed: bool = False) -> _Compiled:
    tree = parse_text(text)
    found = nodes_of(tree)
    problem = unknown_filter(found)
    if problem:
        raise TemplateError(problem)
    paths = _paths(found)
    expression = _sole_expression(tree) if typed else None
    if expression is not None:
        tree = nodes.Template([nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)], lineno=1)
        tree.set_environment(ENVIRONMENT)
    with OnlyTemplateErrors():
        return _Compiled(ENVIRONMENT.from_string(tree), expression is not None, paths)


def _sole_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = tree.body[0].nodes
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


def _paths(found: Iterable[nodes.Node]) -> frozenset[Path]:
    return frozenset(path for path in map(path_of, found) if path is not None)
