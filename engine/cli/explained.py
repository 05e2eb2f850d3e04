"""How an explanation looks (rule-language, section 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from engine.cli.fates import aim, fate
from engine.cli.help import plural
from engine.cli.report import console, full_moment, mode_word, print_line, say, style_of, styled
from engine.decide.judge import memory_of
from engine.model.delivery import Delivery, DeliveryStatus, Firing
from engine.model.event import Event
from engine.model.rule import Rule, RuleMode
from engine.model.verdict import Because, Branch, Verdict, VerdictKind

if TYPE_CHECKING:
    from rich.text import Text

    from engine.rulebook import Rulebook

_ORDER = list(VerdictKind)
_INDENT = "      "
_LONGEST_NAME = 34
_LONGEST_PATH = 30
_VERDICT = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An event, the rules that judged it, and their answers.

    `deliveries` holds by rule what was sent, or for an event that is not stored what would be. `firings` has by rule
    what is on record of it; `outdated` says whether other rules are in force by now; `source` names where an event that
    is not stored was read from.
    """

    event: Event
    rulebook: "Rulebook"
    verdicts: Sequence[Verdict]
    deliveries: Mapping[str, Sequence[Delivery]] = field(default_factory=dict)
    firings: Mapping[str, Firing] = field(default_factory=dict)
    outdated: bool = False
    source: str | None = None

    def differs(self, verdict: Verdict) -> bool:
        """Whether the record says otherwise: never, unless the event was not judged whole when it came (a thin event
        whose snapshot twin followed, say)."""
        held = verdict.kind in (VerdictKind.FIRED, VerdictKind.WOULD) or verdict.remembered
        return self.source is None and held is not (verdict.rule in self.firings)


def print_explained(explained: Explained, now: datetime, *, tree: bool = False) -> None:
    """The event in a line, then a rule each: those that fired first. `tree`: every condition that was tested."""
    _print_event(explained)
    verdicts = sorted(explained.verdicts, key=lambda verdict: _ORDER.index(verdict.kind))
    names = {verdict.rule: _name(verdict, explained.rulebook) for verdict in verdicts}
    width = min(max(map(len, names.values()), default=0), _LONGEST_NAME)
    paths = [len(verdict.because.path) for verdict in verdicts if verdict.because]
    path_width = min(max(paths, default=0), _LONGEST_PATH)
    for verdict in verdicts:
        head = styled(f" {names[verdict.rule]:<{width}}  ")
        head.append_text(styled(f"{verdict.kind.upper():<{_VERDICT}}", style_of(verdict.kind)))
        if verdict.because is not None:
            _print_reason(head, verdict.because, path_width)
        else:
            _print_done(head, _done(verdict, explained, now))
        if explained.differs(verdict):
            say(f"{_INDENT}on record it {'fired' if verdict.rule in explained.firings else 'did not fire'}", "yellow")
        if tree and verdict.tree is not None:
            _print_tree(verdict.tree)
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
    if explained.source is not None:
        count += f"; from {explained.source}, judged by the rules as they are now"
    elif explained.outdated:
        count += f"; judged by the rules of its time, revision {explained.rulebook.revision[:12]}"
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


def _print_reason(head: "Text", because: Because, width: int) -> None:
    """The first thing that did not hold: where, what stood there, what was needed."""
    needs = f"   needs {because.needs}" if because.needs else ""
    head.append_text(styled(f"{because.path:<{width}}  {because.actual}{needs}"))
    print_line(head.append_text(styled(f"   ({because.note})" if because.note else "", "dim")))


def _print_done(head: "Text", done: list[str]) -> None:
    """What came of a rule that held: in its line if there is room, else a line for each delivery."""
    first, *others = done
    one_line = f"{first}: {' · '.join(others)}" if others else first
    if len(others) < 2 or head.cell_len + len(one_line) <= console().width:
        print_line(head.append_text(styled(one_line)))
        return
    print_line(head.append_text(styled(first)))
    for other in others:
        say(f"{_INDENT}{other}")


def _done(verdict: Verdict, explained: Explained, now: datetime) -> list[str]:
    """In short, then for each delivery."""
    planned = explained.source is not None
    if verdict.kind is VerdictKind.WOULD:
        firing = explained.firings.get(verdict.rule)
        return ["in shadow: nothing is sent" if firing is None or firing.reason is None else firing.reason]
    told = [
        aim(each) if planned and each.status is DeliveryStatus.PENDING else f"{aim(each)} {fate(each, now)}"
        for each in _in_order(explained.deliveries.get(verdict.rule, ()), explained.rulebook.rule(verdict.rule))
    ]
    if not told:
        return ["nothing to send"]
    rule = explained.rulebook.rule(verdict.rule)
    if planned and rule is not None and (asks := memory_of(rule)):
        return [f"would send, if its {' and '.join(asks)} let it", *told]
    return ["would send" if planned else plural(len(told), "delivery"), *told]


def _in_order(deliveries: Sequence[Delivery], rule: Rule | None) -> list[Delivery]:
    """As the steps stand in the rule."""
    steps = [step.id for step in (*rule.steps, *rule.on_failure)] if rule is not None else []
    places = {step: place for place, step in enumerate(steps)}
    return sorted(deliveries, key=lambda each: (places.get(each.step, len(places)), each.destination))


def _print_tree(branch: Branch) -> None:
    """Every condition that was tested. The marks say what helps the rule: within `none` that is what does not hold."""
    if branch.kind == "all":
        for child in branch.children:
            _print_branch(child, _INDENT, wanted=True)
    else:
        _print_branch(branch, _INDENT, wanted=True)


def _print_branch(branch: Branch, indent: str, *, wanted: bool) -> None:
    helps = branch.held is wanted
    mark = styled(f"{indent}{'ok' if helps else 'NO'}  ", "green" if helps else "red")
    if branch.kind == "item":  # whether an element fits is neither good nor bad: no_item wants that none does
        fits = styled(f"{indent}{'fits' if branch.held else '-':<4}  {branch.label}", "dim")
        print_line(fits)
        for child in branch.children:
            _print_branch(child, indent + "    ", wanted=True)
        return
    if branch.kind != "test":
        print_line(mark.append_text(styled(f"{branch.kind} of")))
        for child in branch.children:
            _print_branch(child, indent + "    ", wanted=wanted is not (branch.kind == "none"))
        return
    needs = f"   {'needs' if wanted else 'must not be'} {branch.needs}" if branch.needs else ""
    note = f"   ({branch.note})" if branch.note else ""
    line = mark.append_text(styled(f"{branch.label}  {branch.actual or ''}{needs}"))
    print_line(line.append_text(styled(note, "dim")))
    for child in branch.children:
        _print_branch(child, indent + "    ", wanted=True)
