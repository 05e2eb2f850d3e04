"""Words that other languages have for what ours says otherwise, by the place they stand in, and what to write.

What is nearest by its letters is often not what was meant: `ne` is near to nothing, `greater_than` to `newer_than`.
Each hint here is written out with what stands in the rule, so that it works as it is.
"""

import re
from collections.abc import Collection, Mapping

from engine.match import OPERATORS, Base, Path
from engine.model.catalog import catalog
from engine.model.rule import Verb
from engine.model.schema import field_at, objects
from engine.source import Entry, Node, Scalar, Sequence, nearest
from engine.source import Mapping as MappingNode

_TEMPLATE = re.compile(r"\{\{.*\}\}|\{%.*%\}", re.DOTALL)
_NAME_IN_TEMPLATE = re.compile(
    r"\{\{-?\s*(object|previous|event|account|vars|tables|steps)((?:\.\w+)+)\s*-?\}\}", re.ASCII
)
BLOCKS = ("any", "all", "none")
_LONGEST_SHOWN = 80


def _by_word(table: Mapping[str, str]) -> dict[str, str]:
    return {word: ours for ours, words in table.items() for word in words.split()}


_OPERATORS = _by_word(
    {
        "eq": "= == === equals equal equalto isequal isequalto is iseq in oneof anyof isin isoneof isanyof among any",
        "not": "ne neq != !== <> ! isnot isnt nin noneof none",
        "gt": "> greaterthan greater morethan more above over exceeds biggerthan bigger after",
        "gte": ">= => ge greaterorequal greaterorequalto greaterthanorequal greaterthanorequalto greaterequal "
        "atleast min minimum",
        "lt": "< lessthan less lowerthan lower below under smallerthan smaller before",
        "lte": "<= =< le lessorequal lessorequalto lessthanorequal lessthanorequalto lessequal atmost max maximum upto",
        "between": "range inrange",
        "exists": "exist present ispresent isset defined isdefined hasvalue notnull isnotnull",
        "missing": "isnull null missing ismissing absent isabsent undefined isundefined",
        "empty": "empty isempty blank isblank",
        "prefix": "startswith startwith beginswith beginwith starts begins start hasprefix",
        "suffix": "endswith endwith ends end hassuffix",
        "contains": "includes include has hasany contain containsany includesany substring",
        "contains_all": "containsall includesall hasall",
        "glob": "like ilike wildcard fnmatch",
        "matches": "regex regexp re match pattern ~ =~ rlike",
        "length": "len size count",
        "cidr": "ip network subnet innetwork",
        "ignore_case": "ignorecase caseinsensitive nocase",
        "any_item": "elemmatch some anyelement",
        "all_items": "every allelements",
    }
)
_CHANGES = {"from": "from", "to": "to", "changedfrom": "from", "changedto": "to", "old": "from", "new": "to"} | {
    "was": "from",
    "added": "added",
    "removed": "removed",
}
_IN_CHANGED = _CHANGES | {"before": "from", "after": "to", "previous": "from", "current": "to"}
_BLOCKS = _by_word(
    {
        "any": "or || anyof oneof either should some",
        "all": "and && allof must every",
        "none": "not nor ! noneof mustnot unless except exclude",
    }
)
_NOTIFIES = (
    "slack email mail sms teams msteams discord telegram pagerduty opsgenie channel channels message alert page send "
    "notification notifications"
)
_VERBS = _by_word({Verb.NOTIFY: _NOTIFIES, Verb.CALLBACK: "webhook webhooks http https url post request curl endpoint"})

_IN_WHEN = {
    **dict.fromkeys(("event", "events", "types", "event_type", "event_types"), "write type: payout.failed"),
    **dict.fromkeys(("conditions", "condition", "filter", "filters", "if", "match"), "write where: {path: test}"),
    **dict.fromkeys(("any", "all", "none", "or", "and", "not"), "conditions stand under where: {any: [..]}"),
}
_OF_WHEN = ("type", "scope", "livemode", "account", "where", "fetch", "unmatched")
_WHERE = "put it inside when: {type: payout.failed, where: ..}"
IN_RULE: dict[str, str] = {
    **{key: f"put it inside when: {{type: payout.failed, {key}: ..}}" for key in _OF_WHEN[1:]},
    "type": "write when: payout.failed, or when: {type: payout.failed, ..}",
    **dict.fromkeys(("conditions", "condition", "filter", "filters", "if", "match"), _WHERE),
    **dict.fromkeys(("on", "trigger", "triggers", "event", "events", "event_type"), "write when: payout.failed"),
    **dict.fromkeys(("do", "action", "actions", "step", "steps", "run"), "write then: {notify: <channel>}"),
    **{str(verb): f"put it inside then: {{{verb}: ..}}" for verb in Verb},
    **dict.fromkeys(("title", "text", "format"), "put it beside a step's verb: then: {notify: <channel>, text: ..}"),
    **dict.fromkeys(("enabled", "disabled", "active"), "write mode: live, or mode: off"),
    **dict.fromkeys(("priority", "level", "urgency"), "write severity: high"),
    **dict.fromkeys(("label", "labels"), "write tags: [..]"),
    **dict.fromkeys(("name", "rule"), "write id: payout-failed, and description: .. for more words"),
    **dict.fromkeys(("cooldown", "rate_limit", "dedupe", "debounce"), "write throttle: {max: 1, every: 6h}"),
}
"""What to write in a rule for a key of it, or stands elsewhere."""


def in_when(node: MappingNode, known: Collection[str]) -> dict[str, str]:
    """What to write for the keys of a `when` that are none of ours: most are fields, whose conditions stand deeper."""
    strange = [entry for entry in node.entries if entry.name not in known]
    return {
        each.name: _IN_WHEN.get(each.name) or f"put conditions inside where: {{{each.name}: {_flow(each.value)}}}"
        for each in strange
        if each.name in _IN_WHEN or nearest(each.name, known, 0.8) is None
    }


def told(test: str, under: str | None, node: Node) -> str:
    """How a test is to be written in the place of `node`, or of one entry of `node` with others beside it.

    `under` is what it stands under there: its path, or `not`, or `from` of `changed`; None for an item of a list, where
    a list of tests is written as its items.
    """
    if isinstance(node, MappingNode) and len(node.entries) > 1:
        if test.startswith("{"):
            return f"write {test[1:-1]}"
        return f"write not: {{not: {test}}}" if test.startswith("[") else f"write eq: {test}"
    if under is not None:
        return f"write {under}: {test}"
    replaced = _flow(node) if isinstance(node, MappingNode) else ".."
    items = test[1:-1] if test.startswith("[") else test
    return f"write {items}" + (f" in place of {replaced}" if replaced != ".." else "")


def operator_hint(path: Path, under: str | None, node: MappingNode, entry: Entry) -> str | None:
    """What to write for an operator that is none of ours; None where it is no word of another language."""
    word = _folded(entry.name)
    if is_field(path, entry.name) or (entry.name in BLOCKS and not _values(entry.value)):
        return None
    if _OPERATORS.get(word) == "ignore_case":
        return "write ignore_case: true"
    if _OPERATORS.get(word) == "contains_all" and isinstance(entry.value, Sequence):
        return _contains_all(path, under, node, entry.value)
    test = _test(word, entry.value)
    if test is None:
        return None
    fold = node.entry("ignore_case")
    if fold is not None and len(node.entries) == 2 and test.startswith("[") and isinstance(entry.value, Sequence):
        tests = ", ".join(f"{{eq: {_flow(item)}, ignore_case: true}}" for item in entry.value.items)
        return f"write {under}: [{tests}]" if under is not None else f"write {tests}"
    return told(test, under, node)


def _contains_all(path: Path, under: str | None, node: MappingNode, wanted: Sequence) -> str:
    if under == path.text and len(node.entries) == 1:
        tests = ", ".join(f"{{{path.text}: {{contains: {_flow(item)}}}}}" for item in wanted.items)
        return _short(f"write all: [{tests}]", "write all: [{..}, {..}], with a test for each")
    without = ", ".join(f"{{not: {{contains: {_flow(item)}}}}}" for item in wanted.items)
    shorter = told("{not: [{not: {contains: ..}}, {not: {contains: ..}}]}", under, node)
    return _short(told(f"{{not: [{without}]}}", under, node), shorter)


def change_hint(path: Path, under: str | None, node: MappingNode) -> str | None:
    """What to write for a map of `from` and `to`; None where it is none."""
    words = [_CHANGES.get(_folded(entry.name)) for entry in node.entries]
    if None in words or any(is_field(path, entry.name) for entry in node.entries):
        return None
    pairs = zip(words, node.entries, strict=True)
    test = f"{{changed: {{{', '.join(f'{word}: {_flow(each.value)}' for word, each in pairs)}}}}}"
    return f"write {under}: {test}" if under is not None else f"write {test}"


def in_changed(node: MappingNode) -> dict[str, str]:
    """What to write for the keys under `changed` that are none of ours."""
    words = {each.name: (_IN_CHANGED.get(_folded(each.name)), each.value) for each in node.entries}
    return {name: f"write {ours}: {_flow(value)}" for name, (ours, value) in words.items() if ours is not None}


def in_length(node: MappingNode, known: Collection[str]) -> dict[str, str]:
    """What to write for the operators under `length` that are none of ours, and of those a length does not take."""
    words = {each.name: (_OPERATORS.get(_folded(each.name), each.name), each.value) for each in node.entries}
    hints = {name: f"write {ours}: {_flow(value)}" for name, (ours, value) in words.items() if ours in known}
    for name, (ours, value) in words.items():
        if ours == "not":
            hints[name] = f"write {{not: {{length: {_flow(value)}}}}}"
        elif ours == "eq" and isinstance(value, Sequence):
            hints[name] = f"write a list of tests: [{', '.join(f'{{length: {_flow(item)}}}' for item in value.items)}]"
    return hints


def block_hint(entry: Entry) -> str | None:
    """What to write for `or: [{..}, {..}]`; None where it is a path with a test."""
    block = _BLOCKS.get(_folded(entry.name))
    node = entry.value
    if block is None:
        return None
    if isinstance(node, Sequence):
        if not node.items or not all(isinstance(item, MappingNode) for item in node.items):
            return None
        parts = [_flow(item) for item in node.items]
    elif isinstance(node, MappingNode) and node.entries and not set(node.keys()) <= set(OPERATORS):
        parts = [_flow(node)]
        if block == "any":
            parts = [f"{{{each.name}: {_flow(each.value)}}}" for each in node.entries]
    else:
        return None
    return _short(f"write {block}: [{', '.join(parts)}]", f"write {block}: [{{path: test}}, {{path: test}}]")


def thousands(node: MappingNode) -> tuple[Entry, str] | None:
    """The entry of `{gte: 1,000 USD}`, where YAML begins a new key at the comma, and how to write it; else None."""
    for place, entry in enumerate(node.entries):
        if not isinstance(entry.value, Scalar) or not re.fullmatch(r"-?\d{1,3}", entry.value.text, re.ASCII):
            continue
        digits, rest = entry.value.text, node.entries[place + 1 :]
        for each in rest:
            if not isinstance(each.value, Scalar) or each.value.value is not None:
                break
            if not re.fullmatch(r"\d{3}(\.\d+)?( [A-Za-z]{3,4})?", each.name, re.ASCII):
                break
            digits += each.name
        if digits != entry.value.text:
            return entry, f"write {entry.name}: {digits}"
    return None


def step_hint(entry: Entry, channels: Collection[str] | None, callbacks: Collection[str] | None) -> str | None:
    """What to write for `slack: payments` as a step; None where it is no word of another language."""
    verb = _VERBS.get(_folded(entry.name))
    if verb is None:
        return None
    node = entry.value
    known = channels if verb == Verb.NOTIFY else callbacks
    given = node.items if isinstance(node, Sequence) else (node,)
    named = all(isinstance(each, Scalar) and each.text in (known or ()) for each in given)
    if named or (verb == Verb.CALLBACK and isinstance(node, Scalar) and node.text.startswith("https://")):
        return f"write {verb}: {_flow(node)}"
    what = "a channel" if verb == Verb.NOTIFY else "a callback, or an https URL"
    return f"write {verb}: <{what}>" + (f"; configured: {', '.join(known)}" if known else "")


def path_hint(path: Path) -> str | None:
    """What to write for a path that begins as in the event, or in a text, or that is a key of `when`; else None."""
    if path.base is not Base.OBJECT or not path.steps:
        return None
    first, text = path.steps[0], path.text
    if len(path.steps) == 1:
        if first in ("type", "scope", "livemode", "account"):
            return f"write it beside where, under when: {first}: .."
        return "write $event.context" if first == "context" else None
    for start in ("data.object.", "object."):
        if text.startswith(start):
            return f"write {text.removeprefix(start)}: paths begin at the event's object"
    for start in ("data.previous_attributes.", "previous_attributes.", "previous."):
        if text.startswith(start):
            rest = text.removeprefix(start)
            return f"write $previous.{rest}, or {rest}: {{changed: {{from: ..}}}}"
    return f"write ${text}" if first in ("event", "account", "vars", "tables") else None


def template_hint(operator: str, text: str) -> str | None:
    """What to write for `{{ vars.big }}` where a condition has a value; None where it is no template.

    Where a part of a text is looked for, it may be a template that was left as it is: a pattern finds its braces.
    """
    if not _TEMPLATE.search(text):
        return None
    found = _NAME_IN_TEMPLATE.fullmatch(text.strip())
    if found is not None:
        return f"write $.data.object{found[2]}" if found[1] == "object" else f"write ${found[1]}{found[2]}"
    if operator not in ("contains", "prefix", "suffix", "glob", "matches"):
        return "write a value, or a name like $vars.big or $account.id"
    pattern = text if operator == "matches" else _plain(text)
    pattern = re.sub(r"\{\{|\}\}|\{%|%\}", lambda braces: re.sub(r"[{}]", r"\\\g<0>", braces[0]), pattern)
    pattern = {"prefix": f"^{pattern}", "suffix": f"{pattern}$"}.get(operator, pattern)
    shown = "'" + pattern.replace("'", "''") + "'"
    if operator == "glob" or not pattern.isprintable() or len(shown) > _LONGEST_SHOWN:
        shown = r"'\{\{'"
    return f"write a name like $vars.big, or {{matches: {shown}}} for the braces themselves"


def _plain(text: str) -> str:
    """A regular expression for a text; its braces are left as they are."""
    return re.sub(r"[\\.^$|?*+()\[\]]", r"\\\g<0>", text)


def star_hint(operator: str, text: str) -> str | None:
    """The test for a text that begins or ends with `*` where that stands for nothing else; None for others."""
    if operator not in ("eq", "prefix", "suffix", "contains") or not (text.startswith("*") or text.endswith("*")):
        return None
    return f'{{glob: "{text}"}}' if text.strip("*") else "{exists: true}"


def type_hint(pattern: str) -> str | None:
    """What to write for `payout.failed|payout.canceled`; None where it is not several types in one text."""
    parts = [part for part in re.split(r"\s*\|\|?\s*|\s*,\s*|\s+or\s+|\s+", pattern.strip()) if part]
    if len(parts) < 2 or not all(part in catalog() or "*" in part for part in parts):
        return None
    quoted = [f'"{part}"' if part.startswith("*") else part for part in parts]
    return f"write a list: [{', '.join(quoted)}]"


def _test(word: str, node: Node) -> str | None:
    """The test in our words, as it stands under the path."""
    ours = _OPERATORS.get(word)
    if ours is None:
        return _negated(word, node)
    bare = isinstance(node, Scalar) and node.value is None
    if ours == "eq":
        return "{exists: false}" if bare else _flow(node)
    if ours == "not":
        return "{exists: true}" if bare else f"{{not: {_flow(node)}}}"
    if ours in ("exists", "missing", "empty"):
        said = not (isinstance(node, Scalar) and node.value is False)
        if ours == "empty":
            return "[{exists: false}, {length: 0}]" if said else "{length: {gt: 0}}"
        return f"{{exists: {str(said == (ours == 'exists')).lower()}}}"
    if ours == "glob":
        return _like(word, node)
    if ours in ("prefix", "suffix", "contains", "matches") and isinstance(node, Sequence):
        return f"[{', '.join(f'{{{ours}: {_flow(item)}}}' for item in node.items)}]"
    return f"{{{ours}: {_flow(node)}}}"


def _negated(word: str, node: Node) -> str | None:
    """`not_in`, `!~`, `does_not_contain`: what is without the negation, under `not`."""
    for start in ("isnot", "doesnot", "not", "no", "!"):
        rest = word.removeprefix(start)
        if rest == word or not rest:
            continue
        inner = _test(rest, node) or (f"{{{rest}: {_flow(node)}}}" if rest in OPERATORS else None)
        if inner is not None:
            swapped = {"{exists: false}": "{exists: true}", "{exists: true}": "{exists: false}"}
            return swapped.get(inner, f"{{not: {inner}}}")
    return None


def _like(word: str, node: Node) -> str:
    """SQL has `%` for what is `*` in ours; without either it is a part that is looked for."""
    text = node.text.replace("%", "*") if isinstance(node, Scalar) else ".."
    operator = "glob" if "*" in text else "contains"
    fold = ", ignore_case: true" if word == "ilike" else ""
    return f'{{{operator}: "{text}"{fold}}}'


def is_field(path: Path, name: str) -> bool:
    """Whether a name under a path is a field there, of some object that Stripe has."""
    if path.base is not Base.OBJECT or not path.steps:
        return False
    if path.steps[-1] == "metadata":
        return True
    names = [step for step in path.steps if isinstance(step, str)]
    return any(field_at(each, ".".join([*names, name])) is not None for each in objects())


def _values(node: Node) -> bool:
    """Whether it is a value or a list of values, and nothing deeper."""
    return isinstance(node, Scalar) or (
        isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node.items)
    )


def _folded(word: str) -> str:
    return re.sub(r"[\s_\-$]", "", word.casefold())


def _short(text: str, otherwise: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN + len("write ") else otherwise


def _flow(node: Node) -> str:
    """A value as it can be written in braces; `..` where it is too long to be repeated."""
    text = _written(node)
    return text if len(text) <= _LONGEST_SHOWN else ".."


def _written(node: Node) -> str:
    if isinstance(node, Sequence):
        return f"[{', '.join(map(_written, node.items))}]"
    if isinstance(node, MappingNode):
        return f"{{{', '.join(f'{each.name}: {_written(each.value)}' for each in node.entries)}}}"
    if node.quoted or (isinstance(node.value, str) and re.search(r"[,\[\]{}\"'#:]|^[*&!|>%@`]", node.text)):
        escaped = node.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return node.text or "null"
