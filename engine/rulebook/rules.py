"""A file of rules: its top level, and the keys of each rule."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.match.reads import reads_account, reads_object
from engine.model.delivery import OWN_RULE
from engine.model.fetch import Fetch
from engine.model.mistake import Mistake
from engine.model.position import Position
from engine.model.rule import Rule, RuleMode, Severity, Step, When
from engine.rulebook import definitions, timing
from engine.rulebook.defaults import read_defaults, with_defaults
from engine.rulebook.fetches import check_account_fields, check_object
from engine.rulebook.fields import check_keys, expected, identifier, listed, mapping, read, text, texts, with_vars, word
from engine.rulebook.findings import Findings
from engine.rulebook.foreign import IN_RULE
from engine.rulebook.known import Known
from engine.rulebook.lints import advise, advise_step
from engine.rulebook.lints.ignored import apply as apply_ignored
from engine.rulebook.lints.ignored import read_lint
from engine.rulebook.names import Names
from engine.rulebook.steps import Setting, after_failure, read_steps
from engine.rulebook.whens import read_whens
from engine.source import Document, Entry, Node, Scalar, Sequence, parse
from engine.source import Mapping as MappingNode

FILE_KEYS = ("rules", "defaults", *definitions.KEYS)
RULE_KEYS = (
    *("id", "description", "severity", "owner", "tags", "runbook"),
    *("mode", "when", "supersedes", "then", "on_failure", "tests", "lint"),
    *timing.KEYS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One file, read. `rules` may be used only if it has no errors.

    `uses`: the global names that stand in it (`vars.big`), each with what it was (`Names.digest`).
    """

    file: str
    text: str
    rules: tuple[Rule, ...]
    mistakes: tuple[Mistake, ...]
    usable: bool
    uses: Mapping[str, str]


def read_rule_file(
    file: str, source: str, known: Known, *, document: Document | None = None, names: Names | None = None
) -> RuleFile:
    """Read the rules of a file with the names of all files. `document` is its text parsed, where that is at hand.

    Never raises; everything wrong is in `mistakes`, in the order of the file, but what is wrong in its definitions.
    """
    document = document or parse(source, file)
    names = names or Names()
    found = Findings(names)
    rules = _read_root(found, document, known)
    mistakes = (*document.mistakes, *found.mistakes)
    return RuleFile(
        file=file,
        text=source,
        rules=tuple(rules),
        mistakes=in_order(mistakes),
        usable=document.usable and not found.errors,
        uses={name: names.digest(name) for name in sorted(found.names.used)},
    )


def in_order(mistakes: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
    """Mistakes by file, line and column, each once: defaults are read with every rule they apply to."""

    def place(mistake: Mistake) -> tuple[str, int, int]:
        position = mistake.position
        return (position.file, position.line, position.column) if position else ("", 0, 0)

    return tuple(sorted(dict.fromkeys(mistakes), key=place))


def _read_root(found: Findings, document: Document, known: Known) -> list[Rule]:
    root = document.root
    if root is None:
        return []
    if isinstance(root, Sequence):
        hint = "put 'rules:' above it, and indent the list"
        return found.error("type", root, "a file of rules is a map, and this is a list", hint) or []
    if not isinstance(root, MappingNode):
        return expected(found, root, "a map with 'rules'") or []
    _check_file_keys(found, root)
    defaults_node, rules_node = root.get("defaults"), root.get("rules")
    defaults = None
    if defaults_node is not None:
        defaults = read_defaults(found, defaults_node, RULE_KEYS)
        defaults = None if defaults is None else _with_when(found, defaults)[0]
    if rules_node is None:
        return []
    if not isinstance(rules_node, Sequence):
        if isinstance(rules_node, Scalar) and rules_node.value is None:
            return []
        return expected(found, rules_node, "a list of rules", "begin each rule with '- id:'") or []
    rules = [read_rule(found, item, defaults, known) for item in rules_node.items]
    return [rule for rule in rules if rule is not None]


def _check_file_keys(found: Findings, root: MappingNode) -> None:
    if root.get("rules") is None and root.get("when") is not None:
        found.error("unknown-key", root, "this is a rule by itself", "put 'rules:' above it, and '- ' before its id")
        return
    check_keys(found, root, "a file of rules", FILE_KEYS)


def read_rule(found: Findings, node: Node, defaults: MappingNode | None, known: Known) -> Rule | None:
    """One rule; None with a mistake where it cannot be used."""
    given = mapping(found, node, "a rule: a map with id, when and then")
    if given is None:
        return None
    errors, before = found.errors, len(found.mistakes)
    found.names.take_shared()  # of a rule that had a mistake
    found.reads_object = found.reads_account = False
    check_keys(found, given, "a rule", RULE_KEYS, IN_RULE)
    given, broken = _with_when(found, given)
    rule = with_defaults(given, defaults)
    rule_id = _required(found, given, "id")
    when_node = None if broken else _required(found, rule, "when")
    id_ = None if rule_id is None else identifier(found, rule_id, "a rule")
    if rule_id is not None and id_ == OWN_RULE:
        found.error("id", rule_id, f"'{OWN_RULE}' is what Tocsin's own reports stand under", "give the rule another id")
    whens = None if when_node is None else read_whens(found, when_node, known)
    told = timing.told_by(rule)
    steps, failure = _read_steps(found, rule, known, whens, told)
    timed = timing.read_timing(found, rule, whens, known, (*(steps or ()), *failure))
    supersedes = _read_supersedes(found, rule.get("supersedes"), id_)
    advise(found, whens or ())
    acting = (*(steps or ()), *failure, *timed.steps)
    ignored = read_lint(found, rule.get("lint"), given.get("lint"))
    description = read(rule, "description", lambda value: text(found, value))
    owner = read(rule, "owner", lambda value: text(found, value))
    runbook = read(rule, "runbook", lambda value: text(found, value))
    severity = read(rule, "severity", lambda value: word(found, value, Severity, "a severity"))
    mode = read(rule, "mode", lambda value: word(found, value, RuleMode, "a mode"))
    tags = read(rule, "tags", lambda value: texts(found, value, "a tag"))
    if steps is not None:
        timing.check_effect(found, rule, timed, acting, severity or Severity.MEDIUM)
    asks_object = found.reads_object or any(reads_object(step.condition) for step in acting)
    asks_account = found.reads_account or any(reads_account(step.condition) for step in acting)
    _check_wants(found, rule, whens or (), known, asks_object=asks_object, asks_account=asks_account)
    if found.errors > errors or id_ is None or whens is None or steps is None:
        found.silence(before, ignored)
        return None
    apply_ignored(found, before, ignored)
    if asks_account:
        whens = tuple(replace(when, fetch=replace(when.fetch or Fetch(), account=True)) for when in whens)
    return Rule(
        id=id_,
        when=whens,
        steps=steps,
        on_failure=failure,
        description=description,
        owner=owner,
        runbook=runbook,
        supersedes=supersedes,
        severity=severity or Severity.MEDIUM,
        mode=mode or RuleMode.LIVE,
        tags=tags or (),
        reads_object=asks_object,
        timing=timed,
        shared=found.names.take_shared(),
        ignored=ignored,
        position=rule_id.position if rule_id is not None else node.position,
    )


def _read_steps(
    found: Findings, rule: MappingNode, known: Known, whens: tuple[When, ...] | None, told: frozenset[str]
) -> tuple[tuple[Step, ...] | None, tuple[Step, ...]]:
    """The steps of `then`, None where they have a mistake, and those of `on_failure`."""
    then, failing = _required(found, rule, "then"), rule.get("on_failure")
    steps = None if then is None else read_steps(found, then, known, whens, Setting(told=told))
    failure = None
    if failing is not None and steps:
        failure = read_steps(found, failing, known, whens, after_failure(steps, told))
    for step in (*(steps or ()), *(failure or ())):
        advise_step(found, whens or (), step)
    return steps, failure or ()


def _check_wants(
    found: Findings,
    rule: MappingNode,
    whens: tuple[When, ...],
    known: Known,
    *,
    asks_object: bool,
    asks_account: bool,
) -> None:
    """Whether what the steps ask for can be read; `when` has looked after itself."""
    for when in whens:
        check_object(found, rule.get("when") or rule, when, known, asked=asks_object)
    if not asks_account:
        return
    place = rule.get("then") or rule
    check_account_fields(found, place, known)
    if any(when.unmatched for when in whens):
        found.error("fetch", place, "'unmatched' is known only when everything was read, the account too")


def _read_supersedes(found: Findings, node: Node | None, own: str | None) -> dict[str, Position]:
    """The ids of rules, each with where it stands. Whether there are such rules is known when all files are read."""
    named: dict[str, Position] = {}
    for place in (listed(found, node, "the id of a rule") or ()) if node is not None else ():
        given = text(found, place, "the id of a rule")
        if given is not None and given == own:
            found.error("supersedes", place, "a rule cannot supersede itself")
        elif given is not None:
            named[given] = place.position
    return named


def _with_when(found: Findings, node: MappingNode) -> tuple[MappingNode, bool]:
    """The map with variables put in under its `when`, and whether nothing of that was left."""
    entry = node.entry("when")
    if entry is None:
        return node, False
    value = with_vars(found, entry.value)
    if value is entry.value:
        return node, False
    entries = [Entry(each.key, value) if each is entry and value is not None else each for each in node.entries]
    kept = tuple(each for each in entries if each is not entry or value is not None)
    return replace(node, entries=kept), value is None


def _required(found: Findings, rule: MappingNode, key: str) -> Node | None:
    value = rule.get(key)
    if value is None:
        id_ = rule.get("id")
        name = f"rule '{id_.text}'" if isinstance(id_, Scalar) and key != "id" else "this rule"
        found.error("missing-key", rule, f"{name} has no '{key}'")
    return value
