"""The Jinja2 sandbox that texts run in: what a template may do, and how much of it.

Templates are written by operators and fed with data from Stripe. Neither may reach Python, run for long, or make a
large value: names resolve to JSON keys alone (so `object.items` is the field, never the method of a dict), operators
and loops are bounded, and only the listed filters, tests and tags exist. jinja2's own sandbox bounds none of `**`,
`~`, repetition, nested loops and `ljust(10**9)`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from jinja2 import StrictUndefined, nodes
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from engine.errors import TemplateError
from engine.model.event import Json
from engine.render.budget import MAX_TEXT, current, weigh
from engine.render.spelling import names, written
from engine.source.nearest import nearest

STRING_METHODS = names(
    "upper lower title capitalize strip lstrip rstrip startswith endswith split removeprefix removesuffix"
)
"""The methods of texts that a text may call."""

MAPPING_METHODS = frozenset({"items", "keys", "values", "get"})
"""Those of maps that have no key of that name."""

_LOOP_NAMES = names("index index0 revindex revindex0 first last length previtem nextitem depth depth0")
_LOOP_METHODS = frozenset({"cycle", "changed"})

_ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.Assign,
    nodes.With,
    nodes.Expr,
    nodes.Keyword,
    nodes.Pair,
    nodes.Operand,
)


_HARMLESS = frozenset({nodes.Output, nodes.TemplateData, nodes.Getattr, nodes.Filter, nodes.Const})
"""The most frequent ones, which need no second look."""


class Absent(dict[str, Json]):
    """An empty mapping that knows why it is empty: reading a name from it says so."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Missing(StrictUndefined):
    """A name that is not there. Using it raises TemplateError with its path; `default`, `is defined` may ask of it.

    Reading a name from it gives a Missing again, so that `{{ a.b.c | default('-') }}` works when `b` is missing; the
    message names the first name that was not there.
    """

    __slots__ = ()

    def _fail_with_undefined_error(self, *_: Any, **__: Any) -> NoReturn:
        raise TemplateError(self._explanation())

    def _explanation(self) -> str:
        key, name = self._undefined_name, str(self._undefined_name)
        if self._undefined_hint:
            return self._undefined_hint
        owner = self._undefined_obj
        if isinstance(owner, Absent):
            return f"'{_join(_path_of(owner), name)}' is undefined: {owner.reason}"
        if isinstance(owner, Mapping):
            return _suggest(_join(_path_of(owner), name), name, _path_of(owner), owner)
        if isinstance(owner, list | tuple):
            return f"'{_join(_path_of(owner), key)}' is undefined: the list has {len(owner)} elements"
        if owner is None:
            return _null_owner(name)
        if type(owner).__module__.startswith("jinja2"):
            return _suggest(name, name, "", _current_scene())
        return f"'{name}' is undefined: {_kind(owner)} has no such name"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The mapping methods people know, where the mapping has no key of that name."""
        owner = self._undefined_obj
        if isinstance(owner, Mapping) and self._undefined_name in MAPPING_METHODS:
            return getattr(owner, str(self._undefined_name))(*args, **kwargs)
        raise TemplateError(self._explanation())

    __iter__ = __str__ = __len__ = __eq__ = __ne__ = __bool__ = __hash__ = __contains__ = _fail_with_undefined_error
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __pos__ = _fail_with_undefined_error
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _fail_with_undefined_error
    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __pow__ = __rpow__ = _fail_with_undefined_error


class TextEnvironment(ImmutableSandboxedEnvironment):
    """jinja2's sandbox, narrowed to what a text needs."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, filters: Mapping[str, Callable[..., Any]], tests: Iterable[str]) -> None:
        super().__init__(undefined=Missing, finalize=_finalize, keep_trailing_newline=False, trim_blocks=True)
        self.lstrip_blocks = True
        known = {name: self.tests[name] for name in tests}
        self.filters = {**filters, "_concat": _concat, "_steps": _steps, "_made": _made}
        self.tests = known
        self.globals = {"range": _range}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        unbounded = False
        for node in nodes_of(tree):
            refuse(node)
            unbounded = unbounded or isinstance(node, _UNBOUNDED)
        if not unbounded:
            return tree
        bounded: nodes.Template = _Bound().visit(tree)
        bounded.set_environment(self)
        return bounded

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`a.b`: a key of a mapping, one of a few methods of texts and loops; anything else is Missing."""
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self._missing(obj, attribute)
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, str) and attribute in STRING_METHODS:
            return getattr(obj, attribute)
        if isinstance(obj, LoopContext) and attribute in _LOOP_NAMES | _LOOP_METHODS:
            return getattr(obj, attribute)
        return self._missing(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`a[b]`: a key of a mapping, an element or slice of a list or text; anything else is Missing."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(argument, Undefined):
            str(argument)
        if isinstance(obj, Mapping | list | tuple | str):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        return self._missing(obj, argument)

    def _missing(self, obj: Any, name: Any) -> Missing:
        return Missing(obj=obj, name=name)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+ * ** %` on numbers; of texts and lists only `+`, and not beyond what a text may hold."""
        if operator == "**":
            raise TemplateError("'**' is not available in texts")
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            str(left), str(right)
        sized = isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple)
        if sized and operator == "%":
            raise TemplateError("'%' formatting is not available in texts; join with '~' and use filters")
        if sized and operator == "*":
            raise TemplateError("repetition with '*' is not available in texts")
        if sized and not (isinstance(left, list | tuple | str) and isinstance(right, type(left))):
            raise TemplateError("'+' adds numbers; join texts with '~'")
        if sized and len(left) + len(right) > MAX_TEXT:
            raise TemplateError(f"a text or list grew beyond {MAX_TEXT:,}")
        if operator == "*" and max(abs(left), abs(right)) > 10**30:
            raise TemplateError("a number in the text is too large")
        return _made(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 (as jinja2's)
        """Call what `getattr` handed out; nothing else in a scene is callable."""
        if isinstance(__obj, Missing):
            return __obj(*args, **kwargs)
        if not callable(__obj):
            raise TemplateError(f"{_kind(__obj)} cannot be called: leave the parentheses out")
        return __context.call(__obj, *args, **kwargs)


class _Bound(NodeTransformer):
    """Rewrites what jinja2 gives no hook for: `~`, loops, lists and maps go through filters that keep to the budget."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 (jinja2's naming)
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "_concat", [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (jinja2's naming)
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_steps", [], [], None, None, lineno=node.lineno)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802 (jinja2's naming)
        return self._made(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802 (jinja2's naming)
        return self._made(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802 (jinja2's naming)
        return self._made(node) if node.ctx == "load" else node

    def _made(self, node: nodes.Expr) -> nodes.Node:
        self.generic_visit(node)
        if all(isinstance(each, nodes.Const) for each in node.iter_child_nodes()):
            return node  # no longer than the template
        return nodes.Filter(node, "_made", [], [], None, None, lineno=node.lineno)


_UNBOUNDED = (nodes.Concat, nodes.For, nodes.List, nodes.Dict, nodes.Tuple)


def nodes_of(tree: nodes.Node) -> list[nodes.Node]:
    """All nodes below one, each before what is in it: `find_all` of jinja2, in a fifth of the time."""
    found: list[nodes.Node] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        below: list[nodes.Node] = []
        for name in node.fields:
            value = getattr(node, name, None)
            if isinstance(value, nodes.Node):
                below.append(value)
            elif isinstance(value, list):
                below += [each for each in value if isinstance(each, nodes.Node)]
        waiting += reversed(below)
    return found[1:]


_TAGS = {
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.AssignBlock: "set ... endset",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from ... import",
    nodes.Extends: "extends",
    nodes.Block: "block",
}


def refuse(node: nodes.Node) -> None:
    """Raise TemplateError for a tag that texts do not have."""
    if type(node) in _HARMLESS:
        return
    if isinstance(node, nodes.For) and node.recursive:
        raise TemplateError("recursive loops are not available in texts")
    if isinstance(node, nodes.Name) and node.name == "self":
        raise TemplateError("'self' is undefined")
    if isinstance(node, _ALLOWED_NODES):
        return
    tag = next((tag for kind, tag in _TAGS.items() if isinstance(node, kind)), type(node).__name__.lower())
    raise TemplateError(f"the tag '{tag}' is not available in texts; there are if, for, set and with")


def _steps(items: Any) -> Iterator[Any]:
    """The elements of a loop, each counted."""
    budget = current()
    for item in items:
        if budget is not None:
            budget.spend()
        yield item


def _made(value: Any) -> Any:
    """A value that a template makes. It may have one list in it many times, and whoever writes or compares it goes
    through all of them."""
    weigh(value)
    return value


def _concat(parts: Sequence[Any]) -> str:
    texts = [written(part) for part in parts]
    if sum(map(len, texts)) > MAX_TEXT:
        raise TemplateError(f"a text grew beyond {MAX_TEXT:,} characters")
    return "".join(texts)


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > 1_000:
        raise TemplateError("range() gives at most 1,000 numbers")
    return numbers


def _finalize(value: Any) -> Any:
    return value if isinstance(value, str | Undefined) else written(value)


def _current_scene() -> Mapping[str, Any]:
    budget = current()
    return budget.scene if budget is not None else {}


def _null_owner(name: str) -> str:
    """Which path of the text ends at a null, as none can be found by identity."""
    budget = current()
    for path in sorted(budget.paths, key=str) if budget is not None else ():
        for length in range(1, len(path)):
            if str(path[length]) == name and _read(path[:length]) is None:
                owner = ".".join(str(part) for part in path[:length])
                return f"'{owner}.{name}' is undefined: '{owner}' is null"
    return f"'{name}' is undefined: what it is read from is null"


def _read(path: Sequence[str | int]) -> Any:
    value: Any = _current_scene()
    for part in path:
        try:
            value = value[part]
        except (TypeError, LookupError):
            return Ellipsis
    return value


def _suggest(path: str, name: str, parent: str, known: Mapping[str, Any]) -> str:
    near = nearest(name, [key for key in known if isinstance(key, str)])
    return f"'{path}' is undefined" + (f"; did you mean '{_join(parent, near)}'?" if near else "")


def _join(parent: str, name: object) -> str:
    if isinstance(name, int):
        return f"{parent}[{name}]"
    return f"{parent}.{name}" if parent else str(name)


def _path_of(owner: object) -> str:
    """Where a mapping or list stands in the scene, found by identity; only asked for when something is wrong."""
    level: list[tuple[str, Any]] = [("", _current_scene())]
    for _ in range(12):
        below: list[tuple[str, Any]] = []
        for path, value in level:
            if value is owner:
                return path
            if isinstance(value, Mapping):
                below += [(_join(path, key), child) for key, child in value.items()]
            elif isinstance(value, list):
                below += [(_join(path, index), child) for index, child in enumerate(value)]
        level = below[:20_000]
    return ""


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a number" if isinstance(value, int | float) else "this value"
