"""Where a key of the settings stands: in the schema, and in the file."""

from collections.abc import Iterator
from collections.abc import Sequence as Items
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from engine.model.position import Position
from engine.settings.schema import FileSettings
from engine.source import Mapping, Node, Sequence

Loc = tuple[str | int, ...]
ANY = "*"
TWINS = (
    ("endpoints", ANY, "secrets"),
    ("stripe", "keys", ANY),
    ("channels", ANY, "url"),
    ("callbacks", ANY, "secret"),
    ("store", "url"),
    ("console", "token"),
    ("console", "secret"),
)
"""What can be read from a file instead, by the same key with `_file` behind it."""

SECRET = (*TWINS, ("channels", ANY), ("callbacks", ANY, "headers", ANY), ("callbacks", ANY, "url"))
"""What is never shown, wherever a file's lines are printed."""


def matches(loc: Loc, pattern: Items[str]) -> bool:
    """Whether a place is one that the pattern names; `*` stands for any name or number."""
    return len(loc) == len(pattern) and all(want in (ANY, part) for part, want in zip(loc, pattern, strict=True))


def is_twin(loc: Loc) -> bool:
    """Whether the key is the `_file` form of one that can be read from a file."""
    if not loc or not str(loc[-1]).endswith("_file"):
        return False
    return any(matches(untwinned(loc), pattern) for pattern in TWINS)


def untwinned(loc: Loc) -> Loc:
    """The place that the file's content is for."""
    return (*loc[:-1], str(loc[-1]).removesuffix("_file"))


def is_public(loc: Loc) -> bool:
    """Whether a value that stands there may be printed: one value of a key that the schema knows and is no secret."""
    while loc and isinstance(loc[-1], int):
        loc = loc[:-1]
    if not loc or any(matches(loc, pattern) for pattern in SECRET):
        return False
    kind = _annotation(loc)
    leaf = kind if get_origin(kind) is dict else _item(kind) or kind
    return is_twin(loc) or not (leaf in (None, SecretStr) or get_origin(leaf) is dict or _is_model(leaf))


def is_map(loc: Loc) -> bool:
    """Whether the schema has a map at that place; the keys of any other map are no keys that anyone meant."""
    kind = FileSettings if not loc else _annotation(loc)
    return _is_model(kind) or get_origin(kind) is dict


def known_keys(loc: Loc) -> tuple[str, ...]:
    """The keys that a map at that place may have, twins included; empty where any name may stand."""
    model = FileSettings if not loc else _annotation(loc)
    if not _is_model(model):
        return ()
    names = tuple(model.model_fields)
    return names + tuple(f"{name}_file" for name in names if is_twin((*loc, f"{name}_file")))


def find(root: Node | None, loc: Loc) -> Position | None:
    """The position of what stands there, or of the nearest map or list around it that the file has."""
    node, position = root, root.position if root else None
    for part in loc:
        node = _child(node, part)
        if node is None:
            return position
        position = node.position
    return position


def find_key(root: Node | None, loc: Loc) -> Position | None:
    """The position of the key itself, else what `find` gives."""
    node = root
    for part in loc[:-1]:
        node = _child(node, part)
    entry = node.entry(str(loc[-1])) if isinstance(node, Mapping) else None
    return entry.key.position if entry else find(root, loc)


def scalars() -> Iterator[tuple[Loc, FieldInfo]]:
    """Every key with one value, outside lists and maps of names: what a TOCSIN_ variable can set."""
    for loc, field in _fields((), FileSettings):
        if get_origin(_bare(field.annotation)) not in (tuple, list, dict):
            yield loc, field


def documented() -> Iterator[tuple[Loc, FieldInfo]]:
    """Every key, in the order of the schema; lists and maps of names stand as `[]` and `<name>` in the place."""
    yield from _fields((), FileSettings, inside=True)


def _fields(loc: Loc, model: type[BaseModel], *, inside: bool = False) -> Iterator[tuple[Loc, FieldInfo]]:
    for name, field in model.model_fields.items():
        kind = _bare(field.annotation)
        here = (*loc, name)
        if _is_model(kind):
            yield from _fields(here, kind, inside=inside)
            continue
        yield here, field
        item = _item(kind)
        if inside and _is_model(item):
            step = "<name>" if get_origin(kind) is dict else "[]"
            yield from _fields((*here, step), item, inside=inside)


def _annotation(loc: Loc) -> Any:
    """The type at a place of the schema, None where it knows none."""
    kind: Any = FileSettings
    for part in loc:
        if _is_model(kind):
            field = kind.model_fields.get(str(part))
            kind = _bare(field.annotation) if field else None
        else:
            kind = _item(kind)
        if kind is None:
            return None
    return kind


def _item(kind: Any) -> Any:
    """What a list or a map of names holds, None for anything else."""
    if get_origin(kind) is dict:
        return _bare(get_args(kind)[1])
    return _bare(get_args(kind)[0]) if get_origin(kind) in (tuple, list) else None


def _bare(annotation: Any) -> Any:
    """The type without Annotated and without `| None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    options = [option for option in get_args(annotation) if option is not type(None)]
    if type(None) in get_args(annotation) and len(options) == 1:
        return _bare(options[0])
    return annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _child(node: Node | None, part: str | int) -> Node | None:
    if isinstance(node, Mapping):
        return node.get(str(part))
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None


ALL_KEYS = frozenset(part for loc, _ in documented() for part in loc)
"""Every word that is a key somewhere."""
