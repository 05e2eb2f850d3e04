"""How an explanation looks (rule-language, section 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from engine.cli.fates import aim, fate
from engine.cli.help import plural
from engine.cli.report import console, full_moment, mode_word, print_line, say, style_of, styled
from engine.model.delivery import Delivery
from engine.model.event import Event
from engine.model.rule import RuleMode
from engine.model.verdict import Branch, Verdict, VerdictKind

if TYPE_CHECKING:
    from rich.text import Text

    from engine.rulebook import Rulebook

_ORDER = list(VerdictKind)
_INDENT = "      "
_LONGEST_NAME = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An event, the rules that judged it, their answers, and for a stored event what was sent, by rule."""

    event: Event
    rulebook: "Rulebook"
    verdicts: Sequence[Verdict]
    deliveries: Mapping[str, Sequence[Delivery]] = field(default_factory=dict)
    stored: bool = False


def print_explained(explained: Explained, now: datetime, *, tree: bool = False) -> None:
    """The event in a line, then a rule each: those that fired first. `tree`: every condition that was tested."""
    _print_event(explained)
    verdicts = sorted(explained.verdicts, key=lambda verdict: _ORDER.index(verdict.kind))
    names = {verdict.rule: _name(verdict, explained.rulebook) for verdict in verdicts}
    width = min(max(map(len, names.values()), default=0), _LONGEST_NAME)
    for verdict in verdicts:
        head = styled(f" {names[verdict.rule]:<{width}}  ").append_text(_word(verdict))
        _print_verdict(head, verdict, explained, now)
        if tree and verdict.tree is not None:
            _print_tree(verdict.tree, _INDENT)
        elif verdict.held and verdict.kind is VerdictKind.NO:
            print_line(styled(f"{_INDENT}ok  {' '.join(verdict.held)}", "dim"))
    if not verdicts:
        say(f" no rule looks at {explained.event.type}; --all shows every rule", "dim")


def _print_event(explained: Explained) -> None:
    event = explained.event
    looking = explained.rulebook.looked_at(event.type)
    parts = [
        f"{event.id} {event.type}",
        " ".join(filter(None, (event.account or "your own account", _account_name(event)))),
        mode_word(event.livemode),
        str(event.scope),
        full_moment(event.created),
    ]
    count = f"{looking} of {plural(len(explained.rulebook.rules), 'rule')} look{'s' * (looking == 1)} at this type"
    line = "  ".join(parts)
    together = len(line) + len(count) + 3 <= console().width
    print_line(styled(line, "bold").append_text(styled(f"   {count}" if together else f"\n{count}", "dim")))
    if event.conflict:
        say(f"{event.conflict}", "yellow")


def _account_name(event: Event) -> str | None:
    """The account's name, where the event is the account's own and says it."""
    from engine.render.scene import account_name

    return account_name(event.object) if event.object and event.object_id == event.account else None


def _name(verdict: Verdict, rulebook: "Rulebook") -> str:
    rule = rulebook.rule(verdict.rule)
    mode = f" ({rule.mode})" if rule is not None and rule.mode is not RuleMode.LIVE else ""
    return verdict.rule + mode


def _word(verdict: Verdict) -> "Text":
    return styled(f"{verdict.kind.upper():<8}", style_of(verdict.kind))


def _print_verdict(head: "Text", verdict: Verdict, explained: Explained, now: datetime) -> None:
    because = verdict.because
    if because is not None:
        needs = f"   needs {because.needs}" if because.needs else ""
        note = f"   ({because.note})" if because.note else ""
        line = head.append_text(styled(f" {because.path:<8} {because.actual}{needs}"))
        print_line(line.append_text(styled(note, "dim")))
        return
    first, *others = _done(verdict, explained, now)
    one_line = f" {first}: {' · '.join(others)}" if others else f" {first}"
    if len(others) < 2 or head.cell_len + len(one_line) <= console().width:
        print_line(head.append_text(styled(one_line)))
        return
    print_line(head.append_text(styled(f" {first}")))
    for other in others:
        say(f"{_INDENT}{other}")


def _done(verdict: Verdict, explained: Explained, now: datetime) -> list[str]:
    """What came of a rule that held: in short, then for each delivery."""
    if not explained.stored:
        return [_would_do(verdict, explained.rulebook)]
    if verdict.kind is VerdictKind.WOULD:
        return ["in shadow: nothing is sent"]
    told = [f"{aim(each)} {fate(each, now)}" for each in explained.deliveries.get(verdict.rule, ())]
    return [plural(len(told), "delivery"), *told] if told else ["nothing to send"]


def _would_do(verdict: Verdict, rulebook: "Rulebook") -> str:
    """What the rule does when it fires, for an event that is not stored: nothing is sent for it."""
    rule = rulebook.rule(verdict.rule)
    if rule is None:
        return ""
    return "would " + " · ".join(f"{step.verb} {', '.join(step.targets)}" for step in rule.steps)


def _print_tree(branch: Branch, indent: str) -> None:
    mark = styled(f"{indent}{'ok' if branch.held else 'NO':<3} ", "green" if branch.held else "red")
    needs = f"   needs {branch.needs}" if branch.needs and not branch.held else ""
    actual = f"  {branch.actual}" if branch.actual is not None else ""
    print_line(mark.append_text(styled(f"{branch.label}{actual}{needs}")))
    for child in branch.children:
        _print_tree(child, indent + "   ")
