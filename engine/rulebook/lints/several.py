"""Rules held against each other: those that do the same for the same events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.model.mistake import Mistake
from engine.model.rule import Rule, RuleMode
from engine.model.timing import NO_TIMING
from engine.rulebook.codes import OF_SEVERAL_RULES
from engine.rulebook.findings import Findings
from engine.rulebook.lints.cost import check_cost
from engine.rulebook.lints.forms import Form, form_of_part, form_of_step, form_of_when
from engine.rulebook.lints.ignored import warn_unused
from engine.rulebook.lints.repeats import covers, parts_of

_Key = tuple[Form, str, frozenset[Form]]
_Wide = dict[_Key, dict[Form, Rule]]
"""Rules by their steps, a type, and the one thing that they ask for at most; one of those that ask for the same."""


def compare(rules: Iterable[Rule]) -> tuple[Mistake, ...]:
    """Warn of rules that another makes needless, each at its id. The time it takes grows with the number of rules."""
    found = Findings()
    rules = tuple(rules)
    doubts = {doubt.rule.id: doubt for doubt in _doubts([rule for rule in rules if rule.mode is RuleMode.LIVE])}
    for rule in rules:
        doubt = doubts.get(rule.id)
        if doubt is not None and doubt.code not in rule.ignored and rule.position is not None:
            found.warn(doubt.code, rule.position, doubt.message, doubt.hint)
        for code in OF_SEVERAL_RULES & rule.ignored.keys():
            if doubt is None or doubt.code != code:
                warn_unused(found, code, rule.ignored[code])
    check_cost(found, rules)
    return tuple(found.mistakes)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a rule may be needless, or why nothing may come of it."""

    rule: Rule
    code: str
    message: str
    hint: str


def _doubts(rules: list[Rule]) -> Iterator[Doubt]:
    same: dict[Form, Rule] = {}
    wide: _Wide = {}
    steps = {rule.id: _form_of_steps(rule) for rule in rules}
    for rule in rules:
        for when in rule.when:
            parts = parts_of(when.where)
            for pattern in when.types if len(parts) < 2 and when.accounts is None else ():
                wide.setdefault((steps[rule.id], pattern, parts), {}).setdefault((when.scopes, when.livemode), rule)
    for rule in rules:
        first = same.setdefault((steps[rule.id], frozenset(map(form_of_when, rule.when))), rule)
        if first is not rule and rule.id not in first.supersedes and first.id not in rule.supersedes:
            message = f"rule '{first.id}'{_where(first)} takes the same events, and does the same"
            yield Doubt(rule, "duplicate-rule", message, "leave one of them out")
            continue
        other = next((each for each in _wider(rule, steps[rule.id], wide) if _shadows(each, rule)), None)
        if other is not None:
            message = f"rule '{other.id}'{_where(other)} takes every event of this one, and does the same"
            yield Doubt(rule, "shadowed-rule", message, "leave it out, or let it do something else")


def _form_of_steps(rule: Rule) -> Form:
    timing = () if rule.timing is NO_TIMING else form_of_part(rule.timing)
    return (tuple(map(form_of_step, rule.steps)), tuple(map(form_of_step, rule.on_failure)), timing)


def _wider(rule: Rule, steps: Form, wide: _Wide) -> Iterator[Rule]:
    """Rules with the same steps that may take all that this one takes: those that ask for one thing at most."""
    when = rule.when[0]
    parts = parts_of(when.where)
    for asked in (frozenset[Form](), *(frozenset({part}) for part in parts)):
        for pattern in _patterns(when.types[0]):
            candidates = wide.get((steps, pattern, asked), {})
            yield from (each for each in candidates.values() if each is not rule)


def _patterns(pattern: str) -> Iterator[str]:
    """The pattern itself, and those of its families: `charge.dispute.*`, `charge.*`, `*`."""
    yield pattern
    names = pattern.split(".")
    for count in range(len(names) - 1, 0, -1):
        yield ".".join([*names[:count], "*"])
    yield "*"


def _shadows(wide: Rule, narrow: Rule) -> bool:
    if wide.timing is not NO_TIMING:  # what is counted, gathered or left out depends on all its events
        return False
    if wide.id in narrow.supersedes or narrow.id in wide.supersedes:
        return False
    return all(any(covers(each, when, False) for each in wide.when) for when in narrow.when)


def _where(rule: Rule) -> str:
    return f" ({rule.position.file}:{rule.position.line})" if rule.position else ""
