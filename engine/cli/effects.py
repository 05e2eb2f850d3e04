"""What the rules may do, as `tocsin check` shows it: in a few lines, and rule by rule."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from engine.cli.help import plural
from engine.model.event import Json
from engine.model.rule import RuleMode

if TYPE_CHECKING:
    from engine.rulebook.effects import Effects

_WAYS: Mapping[str, Callable[["Effects"], tuple[str, ...]]] = {
    "notify": lambda effects: effects.notifies,
    "call": lambda effects: effects.calls,
    "read from Stripe": lambda effects: effects.reads,
    "change on Stripe": lambda effects: effects.writes,
}
_TITLES = ("NOTIFIES", "CALLS", "READS", "CHANGES")


def print_summary(found: Sequence["Effects"], caps: Mapping[str, str]) -> None:
    """A line for each way to act: the targets, each with the number of live rules. `caps` are the limits of writes."""
    live = [effects for effects in found if effects.mode is RuleMode.LIVE]
    for way, targets in _WAYS.items():
        counts = Counter(target for effects in live for target in targets(effects))
        if counts:
            shown = ", ".join(_counted(name, count, caps) for name, count in sorted(counts.items()))
            typer.echo(f"may {way}: {shown}")
    modes = Counter(effects.mode for effects in found)
    idle = [(RuleMode.SHADOW, "in shadow"), (RuleMode.OFF, "off")]
    still = [f"{plural(modes[mode], 'rule')} {words}" for mode, words in idle if modes[mode]]
    if still:
        typer.echo(f"not acting: {', '.join(still)}")


def _counted(name: str, count: int, caps: Mapping[str, str]) -> str:
    cap = f", {caps[name]}" if name in caps else ""
    return f"{name} ({plural(count, 'rule')}{cap})"


def print_effects(found: Iterable["Effects"]) -> None:
    """A row for each rule."""
    from engine.cli.table import Column, Row, print_table

    columns = [Column(title="RULE", whole=True), Column(title="MODE"), *(Column(title=title) for title in _TITLES)]
    rows = [
        Row(cells=(effects.rule, effects.mode, *(", ".join(targets(effects)) for targets in _WAYS.values())))
        for effects in found
    ]
    print_table(columns, rows)


def effects_json(found: Iterable["Effects"]) -> list[Json]:
    """What `check --json` says of each rule."""
    return [
        {
            "rule": effects.rule,
            "mode": effects.mode,
            "notifies": effects.notifies,
            "calls": effects.calls,
            "reads": effects.reads,
            "writes": effects.writes,
        }
        for effects in found
    ]
