"""How it looks what a change to the rules alters: for a terminal, and for a pull request."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from engine.cli.diff import Compared
from engine.cli.help import plural
from engine.cli.report import print_line, printable, say, styled

if TYPE_CHECKING:
    from engine.backtest.compare import Alert, Altered, RuleChange

ALTERS = 3


def print_compared(compared: Compared) -> None:
    """Rule by rule, the most altered first, with examples."""
    say(_head(compared), "bold")
    for rule in compared.rules:
        if rule.same and not (rule.added or rule.removed):
            continue
        say("")
        print_line(styled(rule.rule, "bold").append_text(styled(f"  {_counts(rule)}")))
        for alert in rule.lost_examples:
            print_line(styled(f"  - {_place(alert)}", "red").append_text(styled(_why(alert), "dim")))
        _say_rest(rule.lost - len(rule.lost_examples), "lost")
        for alert in rule.gained_examples:
            print_line(styled(f"  + {_place(alert)}", "green").append_text(styled(_why(alert), "dim")))
        _say_rest(rule.gained - len(rule.gained_examples), "gained")
        for altered in rule.altered_examples:
            say(f"  ~ {_place(altered.alert)}", "yellow")
            for line in _altered_lines(altered):
                say(f"      {line}", "red" if line.startswith("-") else "green")
        _say_rest(rule.altered - len(rule.altered_examples), "other than before")
    say("")
    for said in _memory(compared):
        say(said)
    say(_sum(compared), "bold")


def print_markdown(compared: Compared) -> None:
    """A table, and the examples folded under each rule."""
    out = [f"**Tocsin:** {_sum(compared)}", "", _head(compared) + ".", ""]
    altered = [rule for rule in compared.rules if not rule.same or rule.added or rule.removed]
    if altered:
        out += ["| rule | before | after | lost | gained | altered |", "|---|--:|--:|--:|--:|--:|"]
        out += [
            f"| `{rule.rule}`{_marked(rule)} | {rule.before:,} | {rule.after:,} | {_number(rule.lost)} "
            f"| {_number(rule.gained)} | {_number(rule.altered)} |"
            for rule in altered
        ]
    for rule in altered:
        lines = list(_diff_lines(rule))
        if lines:
            out += ["", f"<details><summary><code>{rule.rule}</code>: {_counts(rule)}</summary>", "", "```diff"]
            out += [*(line.replace("```", "'''") for line in lines), "```", "", "</details>"]
    memory = _memory(compared)
    out += ["", *(f"- {said}" for said in memory)] if memory else []
    typer.echo(printable("\n".join(out)))


def _memory(compared: Compared) -> list[str]:
    """What becomes of memory where the service loads the change."""
    return [str(each) for each in compared.memory if each.changed]


def _diff_lines(rule: "RuleChange") -> Iterator[str]:
    for alert in rule.lost_examples:
        yield f"- {_place(alert)}{_why(alert)}"
    for alert in rule.gained_examples:
        yield f"+ {_place(alert)}{_why(alert)}"
    for altered in rule.altered_examples:
        yield f"! {_place(altered.alert)}"
        yield from _altered_lines(altered)


def _altered_lines(altered: "Altered") -> Iterator[str]:
    for sign, lines in (("-", altered.before), ("+", altered.after)):
        for whole in lines:
            yield from (f"{sign} {line}" for line in whole.splitlines() if line.strip())


def _head(compared: Compared) -> str:
    past = compared.past
    span = f"{past.since:%Y-%m-%d} to {past.until:%Y-%m-%d}"
    muted = f", with the {plural(past.mutes, 'mute')} of that time" if past.mutes else ""
    return f"{compared.names[0]} against {compared.names[1]}, over {plural(past.total, 'event')}, {span}{muted}"


def _counts(rule: "RuleChange") -> str:
    """`387 -> 302 alerts: 85 lost, 3 altered (notify risk: sent -> nothing 3)`."""
    new = "new: " if rule.added else "gone: " if rule.removed else ""
    said = [f"{rule.lost:,} lost"] if rule.lost else []
    said += [f"{rule.gained:,} gained"] if rule.gained else []
    if rule.altered:
        what = ", ".join(f"{name} {count:,}" for name, count in rule.alters.most_common(ALTERS))
        said.append(f"{rule.altered:,} altered ({what})")
    counts = f"{rule.before:,} -> {rule.after:,} alerts"
    return f"{new}{counts}" + (f": {', '.join(said)}" if said else "")


def _place(alert: "Alert") -> str:
    return f"{alert.at:%Y-%m-%d %H:%M}  {alert.event_id}  {alert.type}  {alert.account or 'your own account'}"


def _why(alert: "Alert") -> str:
    return f"   {alert.why}" if alert.why else ""


def _say_rest(count: int, what: str) -> None:
    if count > 0:
        say(f"    and {count:,} more {what}", "dim")


def _marked(rule: "RuleChange") -> str:
    return " (new)" if rule.added else " (gone)" if rule.removed else ""


def _number(count: int) -> str:
    return f"**{count:,}**" if count else "0"


def _sum(compared: Compared) -> str:
    if compared.same:
        return f"no alert is lost, gained or another ({plural(sum(rule.after for rule in compared.rules), 'alert')})"
    lost, gained = sum(rule.lost for rule in compared.rules), sum(rule.gained for rule in compared.rules)
    altered = sum(rule.altered for rule in compared.rules)
    before, after = compared.messages
    alerts = f"{plural(lost, 'alert')} lost, {gained:,} gained, {altered:,} altered"
    return f"{alerts}; messages {before:,} -> {after:,}"
