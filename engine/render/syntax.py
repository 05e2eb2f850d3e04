"""Texts parsed: the trees of templates, without running them."""

from collections.abc import Iterable

import jinja2
from jinja2 import nodes

from engine.errors import TemplateError
from engine.render.budget import MAX_TEXT
from engine.render.filters import FILTERS, TESTS
from engine.render.sandbox import TextEnvironment
from engine.source.nearest import nearest

ENVIRONMENT = TextEnvironment(FILTERS, TESTS)

Path = tuple[str | int, ...]
"""`object.lines['data'][0]` is `("object", "lines", "data", 0)`."""


def parse_text(text: str) -> nodes.Template:
    """The tree of a template. Raises TemplateError."""
    if len(text) > MAX_TEXT:
        raise TemplateError(f"the template is longer than {MAX_TEXT:,} characters")
    with OnlyTemplateErrors():
        return ENVIRONMENT.parse(text)


def path_of(node: nodes.Node | None) -> Path | None:
    """The path that an expression is, None where it is none or a part of it is not written out."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        parent = path_of(node.node)
        return None if parent is None else (*parent, node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        parent, step = path_of(node.node), node.arg.value
        # true is no place in a list, though Python takes it for 1
        return None if parent is None or type(step) not in (str, int) else (*parent, step)
    return None


def unknown_filter(found: Iterable[nodes.Node]) -> str | None:
    """What is wrong with the first filter, or else the first test, that there is none of."""
    tests: list[nodes.Test] = []
    for node in found:
        if isinstance(node, nodes.Filter) and node.name not in ENVIRONMENT.filters:
            return f"there is no filter '{node.name}'" + hint(node.name, FILTERS)
        if isinstance(node, nodes.Test):
            tests.append(node)
    for test in tests:
        if test.name not in ENVIRONMENT.tests:
            return f"there is no test 'is {test.name}'" + hint(test.name, TESTS)
    return None


def hint(word: str, known: Iterable[str], prefix: str = "") -> str:
    """`; did you mean '…'?`, or nothing."""
    near = nearest(word, known)
    return f"; did you mean '{prefix}{near}'?" if near else ""


class OnlyTemplateErrors:
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
