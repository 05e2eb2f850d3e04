"""`defaults`: what the rules of a file have in common, laid under each of them before it is read.

The rule wins key by key; maps (a short `when` is a map first) merge one level, lists replace, and `key: none` takes
a default away. Where `when` is a list of alternatives, each of them gets the default.
"""

from engine.rulebook.fields import check_keys
from engine.rulebook.findings import Findings
from engine.source import Entry, Mapping, Node, Scalar, Sequence

NOWHERE = frozenset({"id", "then", "tests", "where"})
"""Keys of a rule (and `where` of its `when`) that defaults cannot have."""

_NONE = "none"


def read_defaults(found: Findings, node: Node, known: tuple[str, ...]) -> Mapping | None:
    """The defaults of a file; None with a mistake where they cannot be used. Their values are read with each rule."""
    if not isinstance(node, Mapping):
        return found.error("type", node, "expected a map of a rule's keys under defaults")
    errors = found.errors
    for entry in _forbidden(node):
        found.error("defaults", entry.key, f"'{entry.name}' cannot stand in defaults: it belongs to one rule")
    check_keys(found, node, "defaults", [*known, *NOWHERE])
    return node if found.errors == errors else None


def _forbidden(node: Mapping) -> list[Entry]:
    when = node.get("when")
    inner = when.entries if isinstance(when, Mapping) else ()
    return [entry for entry in (*node.entries, *inner) if entry.name in NOWHERE]


def with_defaults(rule: Mapping, defaults: Mapping | None) -> Mapping:
    """The rule with the defaults laid under it, and without the keys that say `none`."""
    merged = _merged(rule, defaults) if defaults is not None else rule
    return _without_none(merged)


def _merged(rule: Mapping, defaults: Mapping) -> Mapping:
    entries: list[Entry] = []
    for entry in rule.entries:
        default = defaults.get(entry.name)
        value = entry.value if default is None else _under(entry.name, entry.value, default)
        entries.append(entry if value is entry.value else Entry(entry.key, value))
    own = set(rule.keys())
    entries += [entry for entry in defaults.entries if entry.name not in own]
    return _with(rule, entries)


def _under(key: str, value: Node, default: Node) -> Node:
    if key == "when":
        default = _as_map(default)
        if isinstance(value, Sequence) and isinstance(default, Mapping):
            items = tuple(_under(key, item, default) for item in value.items)
            return Sequence(items, value.file, value.line, value.column, value.length)
        if not _is_none(value):
            value = _as_map(value)
    if not isinstance(value, Mapping) or not isinstance(default, Mapping):
        return value
    own = set(value.keys())
    extra = [entry for entry in default.entries if entry.name not in own]
    return _with(value, [*value.entries, *extra])


def _as_map(when: Node) -> Node:
    """A short `when` as the map that it stands for."""
    if not isinstance(when, Scalar):
        return when
    key = Scalar("type", "type", False, when.file, when.line, when.column, when.length)
    return Mapping((Entry(key, when),), when.file, when.line, when.column, when.length)


def _without_none(rule: Mapping) -> Mapping:
    if not any(_is_none(entry.value) or isinstance(entry.value, Mapping) for entry in rule.entries):
        return rule
    entries: list[Entry] = []
    for entry in rule.entries:
        value = entry.value
        if _is_none(value):
            continue
        if isinstance(value, Mapping) and any(_is_none(inner.value) for inner in value.entries):
            entries.append(Entry(entry.key, _with(value, [e for e in value.entries if not _is_none(e.value)])))
        else:
            entries.append(entry)
    return _with(rule, entries)


def _is_none(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.quoted and node.text == _NONE


def _with(node: Mapping, entries: list[Entry]) -> Mapping:
    return Mapping(tuple(entries), node.file, node.line, node.column, node.length)
