"""Makes engine/model/objects.txt: what the installed stripe-python says of the objects that events carry.

    python -m scripts.stripe_objects > engine/model/objects.txt

Only facts are taken: the name of each field, its type, the values of an enumeration, what an id is the id of. They
are read from the SDK's source as text, so nothing of it is imported; a test holds the file to the installed SDK.
The form is described in engine/model/schema.py, which reads it.
"""

import ast
import importlib.util
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from engine.model.catalog import catalog

ENVELOPES = ("event", "v2.core.event")
"""The objects around the objects."""

_DEPTH = 9  # deeper than any object nests by itself; what is deeper is a mistake of this script
_AMOUNT_NAMES = re.compile(r"(?:.*_)?(?:amount|total|subtotal|fee|net|cost)(?:_.*)?|tax|balance|.*_balance")
_AMOUNT_WORDS = re.compile(r"currency unit|minor unit|\bcents\b|\bamounts? (?:coming|of|in)\b|balance", re.IGNORECASE)
_TIME_NAMES = re.compile(r"created|(?:.*_)?(?:start|end|deadline)|.*(?:_at|_on|_by|_until|_date)")
_TIME_WORDS = re.compile(r"unix|epoch|timestamp|rfc ?3339|iso ?8601|date & time|time at which", re.IGNORECASE)
_WORD = r"`[a-z][a-z0-9_.]*`"
_WORDS = re.compile(rf"{_WORD}(?:(?:,| or| and|, or|, and) {_WORD})+")
_LONG = re.compile(r"(?<=[=~?])[^ ]{60,}")
_FEW = re.compile(r"(?:one of|can be|can take|either|values?(?: are)?|status of)\W[^`]*$", re.IGNORECASE)
_SIMPLE = {"str": "text", "int": "integer", "float": "number", "Decimal": "text", "bool": "boolean", "Any": "any"}
_MAPS = frozenset({"Dict", "dict", "Mapping", "UntypedStripeObject", "StripeObject"})
_LISTS = frozenset({"List", "list", "ListObject"})


@dataclass(frozen=True, slots=True)
class Module:
    """The source of one module of the SDK: its classes, and what the names it imports stand for."""

    name: str
    classes: Mapping[str, ast.ClassDef]
    imports: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Shape:
    """The type of a field: a word of the form, with the fields below it where it is a map of its own."""

    word: str
    fields: dict[str, "Shape"] = field(default_factory=dict)


def package() -> Path:
    """Where the installed SDK is."""
    found = importlib.util.find_spec("stripe")
    if found is None or found.origin is None:
        raise SystemExit("stripe is not installed")
    return Path(found.origin).parent


def version() -> str:
    """The version of the installed SDK and of the API that its types are of."""
    sdk = re.search(r'"(.+)"', (package() / "_version.py").read_text())
    api = re.search(r'CURRENT\s*=\s*"(.+)"', (package() / "_api_version.py").read_text())
    if sdk is None or api is None:
        raise SystemExit("the SDK does not say its version where it did")
    return f"stripe-python {sdk[1]} (API {api[1]})"


@cache
def module(name: str) -> Module:
    """A module of the SDK by its dotted name."""
    inside = package().joinpath(*name.split(".")[1:])
    path = inside / "__init__.py" if inside.is_dir() else inside.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    return Module(name, {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}, imports)


@cache
def object_classes() -> Mapping[str, tuple[str, str]]:
    """The class of every object that the SDK has, as module and name, by the object's own name."""
    tree = ast.parse((package() / "_object_classes.py").read_text(encoding="utf-8"))
    found: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            found |= {name: place for name, place in ast.literal_eval(node.value).items() if "list" not in name}
    return found


@cache
def names_of_classes() -> Mapping[tuple[str, str], str]:
    """The name of the object of a class."""
    return {place: name for name, place in reversed(list(object_classes().items()))}


class Reader:
    """Reads one object: its class, and the classes within it that its annotations name."""

    def __init__(self, place: Module) -> None:
        self._module = place
        self.referred: set[str] = set()

    def fields(self, node: ast.ClassDef, scopes: tuple[ast.ClassDef, ...] = ()) -> dict[str, Shape]:
        """The fields of a class by name, in the order of the source."""
        if len(scopes) > _DEPTH:
            raise SystemExit(f"{node.name} in {self._module.name} nests too deeply")
        inner = (*scopes, node)
        found: dict[str, Shape] = {}
        for at, each in enumerate(node.body):
            if not isinstance(each, ast.AnnAssign) or not isinstance(each.target, ast.Name):
                continue
            name = each.target.id
            if name.isupper() or name.startswith("_"):
                continue
            shape = self._shape(each.annotation, inner)
            found[name.removesuffix("_")] = _refined(shape, name, _doc_after(node.body, at))
        if "currency" in found and found.get("value") == Shape("integer"):
            found["value"] = Shape("amount")  # the amounts of API v2
        return found

    def _shape(self, node: ast.expr, scopes: tuple[ast.ClassDef, ...]) -> Shape:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._shape(ast.parse(node.value, mode="eval").body, scopes)
        if isinstance(node, ast.Name):
            return self._named(node.id, scopes)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            return self._generic(node.value.id, node.slice, scopes)
        raise SystemExit(f"cannot read the type {ast.unparse(node)} in {self._module.name}")

    def _generic(self, name: str, inside: ast.expr, scopes: tuple[ast.ClassDef, ...]) -> Shape:
        if name == "Optional":
            return self._shape(inside, scopes)
        if name == "ExpandableField":
            word = self._shape(inside, scopes).word
            return Shape(word.replace("object:", "id:") if ":" in word else "id")
        if name in _MAPS:
            item = self._shape(_items(inside)[-1], scopes)
            return Shape("{}" + item.word, item.fields)
        if name == "Literal":
            return _literal(inside)
        if name in _LISTS:
            item = self._shape(inside, scopes)
            if name == "ListObject":
                return _list_object(item)
            return Shape(f"[]{item.word}", item.fields)
        if name == "Union":
            return _union([self._shape(each, scopes) for each in _items(inside)])
        raise SystemExit(f"cannot read the type {name}[..] in {self._module.name}")

    def _named(self, name: str, scopes: tuple[ast.ClassDef, ...]) -> Shape:
        if name in _SIMPLE:
            return Shape(_SIMPLE[name])
        if name in _MAPS:
            return Shape("{}any")
        for scope in reversed(scopes):
            for each in scope.body:
                if isinstance(each, ast.ClassDef) and each.name == name:
                    return Shape("object", self.fields(each, scopes))
        if name in self._module.classes:
            return self._elsewhere(self._module.name, name, scopes)
        return self._elsewhere(*self._module.imports[name], scopes)

    def _elsewhere(self, where: str, name: str, scopes: tuple[ast.ClassDef, ...]) -> Shape:
        known = names_of_classes().get((where, name))
        if known is not None:
            self.referred.add(known)
            return Shape(f"object:{known}")
        other = Reader(module(where))
        shape = Shape("object", other.fields(other._module.classes[name]))
        self.referred |= other.referred
        return shape


def _items(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _literal(inside: ast.expr) -> Shape:
    values = [each.value for each in _items(inside) if isinstance(each, ast.Constant)]
    if all(isinstance(value, bool) for value in values):
        return Shape("boolean")
    if all(isinstance(value, int) for value in values):
        return Shape("integer")
    return Shape("=" + "|".join(map(str, values)))


def _list_object(item: Shape) -> Shape:
    data = Shape(f"[]{item.word}", item.fields)
    rest = {"has_more": Shape("boolean"), "object": Shape("=list"), "url": Shape("text")}
    return Shape("object", {"data": data, **rest, "total_count": Shape("integer")})


def _union(shapes: list[Shape]) -> Shape:
    words = [shape.word for shape in shapes]
    enums = [word for word in words if word.startswith("=")]
    if len(enums) == 1 and set(words) == {"text", *enums}:
        return Shape("~" + enums[0][1:])
    if all(word.startswith("object:") for word in words):
        return Shape("object:" + "|".join(word.removeprefix("object:") for word in words))
    return Shape("any") if len(set(words)) > 1 else shapes[0]


def _refined(shape: Shape, name: str, doc: str) -> Shape:
    """What the words around a number tell of it: a time, or an amount of money."""
    if shape.word == "integer":
        if _TIME_WORDS.search(doc) or (_TIME_NAMES.fullmatch(name) and name != "divide_by"):
            return Shape("time")
        if _AMOUNT_NAMES.fullmatch(name) or _AMOUNT_WORDS.search(doc):
            return Shape("amount")
    if shape.word == "text" and (re.search(r"rfc ?3339|date & time", doc, re.IGNORECASE) or name == "created"):
        return Shape("timestamp")
    if shape.word == "text" and (values := _values_in(doc)):
        return Shape("?" + "|".join(values))
    return shape


def _values_in(doc: str) -> list[str]:
    """The values that the words about a text list: three or more in a row, or two that are said to be all."""
    for found in _WORDS.finditer(doc):
        values = re.findall(r"[a-z][a-z0-9_.]*", re.sub(r"` (?:or|and) `|`, (?:or|and) `", "`,`", found[0]))
        if len(values) > 2 or _FEW.search(doc[: found.start()]):
            return values
    return []


def _doc_after(body: list[ast.stmt], at: int) -> str:
    after = body[at + 1] if at + 1 < len(body) else None
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
        return after.value.value
    return ""


def read_object(name: str) -> tuple[dict[str, Shape], set[str]]:
    """The fields of an object, and the names of the objects that they refer to."""
    where, class_name = object_classes()[name]
    reader = Reader(module(where))
    return reader.fields(reader._module.classes[class_name]), reader.referred


def every_object() -> dict[str, dict[str, Shape]]:
    """Every object that an event carries, and every one that those refer to, by name in order."""
    wanted = {name for info in catalog().values() for name in info.objects} | set(ENVELOPES)
    found: dict[str, dict[str, Shape]] = {}
    while missing := sorted((wanted & object_classes().keys()) - found.keys()):
        for name in missing:
            found[name], referred = read_object(name)
            wanted |= referred
    found["v2.core.event"] |= _of_thin_events()
    return dict(sorted(found.items()))


def _of_thin_events() -> dict[str, Shape]:
    """What the class of each type adds to the event: the object it points at, and data of its own."""
    events = module("stripe.v2.core._event")
    related = Reader(events).fields(events.classes["RelatedObject"])
    return {"data": Shape("{}any"), "related_object": Shape("object", related)}


def lines(fields: Mapping[str, Shape], depth: int = 1) -> Iterator[str]:
    """The fields as they stand in the file, a line each, in order of name."""
    for name, shape in sorted(fields.items()):
        yield f"{' ' * depth}{name} {shape.word}"
        yield from lines(shape.fields, depth + 1)


def text() -> str:
    """The whole file."""
    body = [line for name, fields in every_object().items() for line in (name, *lines(fields))]
    lists = Counter(found[0] for line in body for found in _LONG.finditer(line))
    numbers = {values: f"#{place}" for place, values in enumerate(sorted(v for v, n in lists.items() if n > 1), 1)}
    head = f"# The objects of {version()}, made by scripts.stripe_objects; engine/model/schema.py tells how to read it."
    shared = [f"{number} {values}" for values, number in numbers.items()]
    shortened = [_LONG.sub(lambda found: numbers.get(found[0], found[0]), line) for line in body]
    return "\n".join([head, *shared, *shortened]) + "\n"


if __name__ == "__main__":
    print(text(), end="")
