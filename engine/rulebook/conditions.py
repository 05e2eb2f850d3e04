"""`where`: maps of path and test, and the blocks `any`, `all` and `none`, read into conditions."""

from dataclasses import replace

from engine.match import OPERATORS, PathError, parse_path
from engine.match.operators import Operand
from engine.match.paths import TOLD, Base, Path
from engine.model.condition import ALWAYS, All, Any, Changed, Condition, Nothing, Operation, PathTest
from engine.rulebook.fields import check_keys, did_you_mean, expected, flag, kind_of, path_mistake
from engine.rulebook.findings import Findings
from engine.rulebook.foreign import (
    block_hint,
    change_hint,
    in_changed,
    is_field,
    operator_hint,
    star_hint,
    template_hint,
    thousands,
    told,
)
from engine.rulebook.money import looks_like_money
from engine.rulebook.operands import READERS, table_column, value
from engine.source import Entry, Mapping, Node, Scalar, Sequence

BLOCKS: dict[str, type[Any] | type[All] | type[Nothing]] = {"any": Any, "all": All, "none": Nothing}
CHANGES = ("from", "to", "added", "removed")


def read_where(found: Findings, node: Node, *, item: bool = False) -> Condition | None:
    """A `where` map; None with a mistake where it cannot be used. `item`: it is about an element of a list."""
    if isinstance(node, Sequence):
        hint = "for one of several write {any: [..]}"
        return found.error("type", node, "expected a map of paths and tests, got a list", hint)
    if not isinstance(node, Mapping):
        return expected(found, node, "a map of paths and tests")
    if not node.entries:
        return found.error("empty", node, "there is no condition here", "leave it out to take every event")
    children = [_entry(found, entry, item) for entry in node.entries]
    good = tuple(child for child in children if child is not None)
    if len(good) < len(children):
        return None
    return good[0] if len(good) == 1 else All(children=good, position=node.position)


def _entry(found: Findings, entry: Entry, item: bool) -> Condition | None:
    block = BLOCKS.get(entry.name)
    if block is not None:
        return _block(found, entry, block, item)
    instead = block_hint(entry)
    if instead is not None:
        known = ", ".join(BLOCKS)
        return found.error("unknown-key", entry.key, f"'{entry.name}' is no block of conditions: {known}", instead)
    path = read_path(found, entry.key, item=item)
    if path is None:
        return None
    if item and _asks_for_change(entry.value):
        message = "'changed' speaks of the whole list, and cannot look into one element"
        return found.error("changed", entry.key, message, "write {changed: {added: ..}} under the path of the list")
    return read_test(found, path, entry.value, entry.key, path.text)


def _asks_for_change(node: Node) -> bool:
    if isinstance(node, Sequence):
        return any(map(_asks_for_change, node.items))
    if isinstance(node, Mapping):
        return any(e.name == "changed" or (e.name == "not" and _asks_for_change(e.value)) for e in node.entries)
    return False


def _block(found: Findings, entry: Entry, block: type[Any] | type[All] | type[Nothing], item: bool) -> Condition | None:
    node = entry.value
    if not isinstance(node, Sequence):
        wanted = f"'{entry.name}' takes a list of maps of paths and tests"
        hint = f"write each alternative as an item: {entry.name}: [{{path: test}}, ..]"
        return found.error("type", node, f"{wanted}, got {kind_of(node)}", hint)
    if not node.items:
        return found.error("empty", node, f"'{entry.name}' has an empty list")
    children = [read_where(found, each, item=item) for each in node.items]
    good = tuple(child for child in children if child is not None)
    return block(children=good, position=entry.key.position) if len(good) == len(children) else None


def read_path(found: Findings, key: Scalar, *, item: bool = False) -> Path | None:
    """The path of a test; `.` is one only of an element of a list (`item`)."""
    if key.text == "." and not item:
        return found.error("path", key, "'.' is the element itself, and stands only in any_item, all_items and no_item")
    try:
        path = parse_path(key.text)
    except PathError as error:
        return path_mistake(found, key, error)
    if path.base is Base.STEPS and not found.reads_step(str(path.steps[0]), key):
        return None
    if path.base in TOLD and not found.knows(path.base, key):
        return None
    if path.base is not Base.TABLES:
        return path
    column = table_column(found, key, path)
    return None if column is None else replace(path, column=column)


def read_test(found: Findings, path: Path, node: Node, at: Scalar, under: str | None) -> Condition | None:
    """What stands under a path: a value, a list of tests of which one must hold, or a map of operators.

    `under` is what stands before the test where it is written: its path, `not`, or `from` and the like of `changed`;
    None for an item of a list.
    """
    if isinstance(node, Scalar):
        return _equals(found, path, node, at, under)
    if isinstance(node, Sequence):
        return _one_of(found, path, node, at)
    return _operators(found, path, node, at, under)


def _test(path: Path, at: Scalar, *operations: Operation) -> PathTest:
    return PathTest(path=path.text, operations=operations, column=path.column, position=at.position)


def _equals(found: Findings, path: Path, node: Scalar, at: Scalar, under: str | None) -> Condition | None:
    if node.value is None:
        hint = told("{exists: false}", under, node)
        return found.error("null", node, f"{path.text} is never equal to null", hint)
    if _is_template(found, "eq", node):
        return None
    operand = value(found, node, "eq")
    if operand is None:
        return None
    _doubt_star(found, "eq", node, under, node)
    if isinstance(operand, str) and looks_like_money(operand):
        hint = told(f"{{between: [{operand}, {operand}]}}", under, node) + ", or gte, gt, lte, lt"
        found.warn("money", node, f"this is the text '{operand}', which no amount is equal to", hint)
    return _test(path, at, Operation(operator="eq", operand=operand, position=node.position))


def _one_of(found: Findings, path: Path, node: Sequence, at: Scalar) -> Condition | None:
    if not node.items:
        return found.error("empty", node, f"{path.text} is never equal to an empty list", "write {length: 0}")
    if all(isinstance(item, Scalar) for item in node.items):
        tests = [_equals(found, path, item, at, None) for item in node.items if isinstance(item, Scalar)]
        operands = tuple(test.operations[0].operand for test in tests if isinstance(test, PathTest))
        if len(operands) < len(tests):
            return None
        operand = operands[0] if len(operands) == 1 else operands
        return _test(path, at, Operation(operator="eq", operand=operand, position=node.position))
    children: list[Condition | None] = []
    for item in node.items:
        if isinstance(item, Sequence):
            children.append(found.error("type", item, "a list means any of its items; a list in it means nothing"))
        else:
            children.append(read_test(found, path, item, at, None))
    good = tuple(child for child in children if child is not None)
    return Any(children=good, position=node.position) if len(good) == len(children) else None


def _operators(found: Findings, path: Path, node: Mapping, at: Scalar, under: str | None) -> Condition | None:
    if not node.entries:
        return found.error("empty", node, f"there is no operator under {path.text}", f"known: {', '.join(OPERATORS)}")
    if _mistaken_for_keys(found, path, under, node):
        return None
    errors = found.errors
    operations: list[Operation] = []
    excluded: list[Condition] = []
    fold = _ignores_case(found, node)
    for entry in node.entries:
        if entry.name == "ignore_case":
            continue
        if entry.name == "not":
            inner = read_test(found, path, entry.value, at, "not")
            if inner is not None:
                excluded.append(Nothing(children=(inner,), position=entry.key.position))
        else:
            operand = _operand(found, path, under, node, entry)
            if operand is not None:
                position = entry.key.position
                operations.append(Operation(operator=entry.name, operand=operand, fold=fold, position=position))
    if found.errors > errors:
        return None
    parts = ([_test(path, at, *operations)] if operations else []) + excluded
    return parts[0] if len(parts) == 1 else All(children=tuple(parts), position=node.position)


def _mistaken_for_keys(found: Findings, path: Path, under: str | None, node: Mapping) -> bool:
    """Whether the keys of a map make sense only together, as what is written otherwise; the mistake is noted."""
    cut = thousands(node)
    if cut is not None:
        found.error("operand", cut[0].value, "in braces a comma ends the value, also one between digits", cut[1])
        return True
    instead = change_hint(path, under, node)
    if instead is not None:
        first = node.entries[0]
        message = f"unknown operator '{first.name}' under {path.text}"
        found.error("unknown-operator", first.key, message, instead)
    return instead is not None


def _is_template(found: Findings, operator: str, node: Node) -> bool:
    """Whether a value, or one in a list, is written as in a text, which a condition would take by the letter."""
    if isinstance(node, Sequence):
        mistaken = [_is_template(found, operator, item) for item in node.items]
        return any(mistaken)
    hint = template_hint(operator, node.text) if isinstance(node, Scalar) and isinstance(node.value, str) else None
    if hint is not None:
        found.error("template", node, "there are no templates in conditions", hint)
    return hint is not None


def _doubt_star(found: Findings, operator: str, operand: Node, under: str | None, node: Node) -> None:
    text = operand.value if isinstance(operand, Scalar) else None
    test = star_hint(operator, text) if isinstance(text, str) else None
    if test is not None:
        hint = told(test, under, node)
        found.warn("wildcard", operand, f"'{operator}' takes * for the character itself", hint)


def _ignores_case(found: Findings, node: Mapping) -> bool:
    entry = node.entry("ignore_case")
    if entry is None:
        return False
    others = [each for each in node.entries if each is not entry and each.name in OPERATORS]
    names = ", ".join(operator.name for operator in OPERATORS.values() if operator.folds)
    for each in others:
        if not OPERATORS[each.name].folds:
            message = f"'ignore_case' means nothing to '{each.name}'"
            found.error("operand", each.key, message, f"it can stand beside {names}; write a second test for the rest")
    if len(node.entries) == 1:
        found.error("operand", entry.key, "'ignore_case' has no operator beside it", f"write one of {names}")
    return bool(flag(found, entry.value))


def _operand(found: Findings, path: Path, under: str | None, node: Mapping, entry: Entry) -> object:
    name = entry.name
    if OPERATORS.get(name) is not None and OPERATORS[name].operand is Operand.CONDITIONS:
        return read_where(found, entry.value, item=True)
    if name == "changed":
        return _changed(found, path, entry)
    if name in READERS:
        if _is_template(found, name, entry.value):
            return None
        _doubt_star(found, name, entry.value, under, node)
        return READERS[name](found, entry.value, name)
    return found.error("unknown-operator", entry.key, *_unknown_operator(path, under, node, entry))


def _unknown_operator(path: Path, under: str | None, node: Mapping, entry: Entry) -> tuple[str, str | None]:
    message = f"unknown operator '{entry.name}' under {path.text}"
    instead = operator_hint(path, under, node, entry)
    if instead is not None:
        return message, instead
    near = "" if is_field(path, entry.name) else did_you_mean(entry.name, OPERATORS)
    if near:
        return message + near, None
    if entry.name in BLOCKS:
        return message, f"'{entry.name}' stands beside paths, not under one"
    return message, f"a map under a path is operators; for a deeper field write '{path.text}.{entry.name}' as the path"


def _changed(found: Findings, path: Path, entry: Entry) -> Changed | None:
    node = entry.value
    if path.several:
        hint = "write the path of the list, and {changed: {added: ..}} or {removed: ..}"
        return found.error("changed", entry.key, f"'changed' looks at one field, and {path.text} may be several", hint)
    if path.of_object is None:
        message = f"'changed' speaks of fields of the event's object, and {path.text} is none"
        return found.error("changed", entry.key, message)
    if isinstance(node, Scalar) and node.value is True:
        return Changed()
    if isinstance(node, Scalar) and node.value is False:
        hint = "write {not: {changed: true}}"
        return found.error("operand", node, "'changed' is true, or says what changed", hint)
    if not isinstance(node, Mapping) or not node.entries:
        wanted = "'changed' takes true, {from: .., to: ..}, {added: ..} or {removed: ..}"
        return found.error("operand", node, f"{wanted}; got {kind_of(node)}")
    errors = found.errors
    check_keys(found, node, "changed", CHANGES, in_changed(node))
    tests = {e.name: _inner_test(found, e) for e in node.entries if e.name in CHANGES}
    if found.errors > errors:
        return None
    return Changed(old=tests.get("from"), new=tests.get("to"), added=tests.get("added"), removed=tests.get("removed"))


def _inner_test(found: Findings, entry: Entry) -> Condition | None:
    """A test of the old or new value, or of an element."""
    node = entry.value
    if entry.name in ("added", "removed"):
        if isinstance(node, Scalar) and node.value is True:
            return ALWAYS
        if isinstance(node, Scalar) and node.value is False:
            return found.error("operand", node, f"'{entry.name}' is true, or a test of the elements")
    if isinstance(node, Scalar) and node.value is None:
        hint = f"write {entry.name}: {{exists: false}}"
        return found.error("null", node, f"'{entry.name}' is never equal to null", hint)
    return read_test(found, parse_path("."), node, entry.key, entry.name)
