"""How it looks what kept a rule from firing."""

from typing import TYPE_CHECKING

from engine.cli.help import plural
from engine.cli.report import print_line, say, styled
from engine.model.event import Json

if TYPE_CHECKING:
    from engine.rulebook.whynot import Obstacle, Tally, WhyNot

_VALUES = 3
_PATHS = 12
_SCATTERED = 10


def print_why_not(why_not: "WhyNot", *, received: int, days: int) -> None:
    """By type, then by the path that decided: how often, what it needed, and what stood there."""
    if not why_not.types:
        say(f"\nno event of these types was received in {plural(days, 'day')}", "dim")
        return
    newest = f"the newest {why_not.events:,} of {plural(received, 'event')}"
    judged = newest if why_not.events < received else plural(received, "event")
    say(f"\nwhy not: this rule over {judged} in {plural(days, 'day')}", "bold")
    for name, tally in sorted(why_not.types.items(), key=lambda found: -found[1].events):
        _print_tally(name, tally)


def _print_tally(name: str, tally: "Tally") -> None:
    obstacles = tally.by_weight()
    shown = obstacles[:_PATHS]
    width = max(len(f"{tally.events:,}"), 1)
    paths = max((len(each.path) for each in shown), default=0)
    print_line(styled(f"  of {tally.events:,} {name}"))
    print_line(styled(f"    {tally.held:>{width},}  held", "green" if tally.held else "dim"))
    for each in shown:
        line = styled(f"    {each.count:>{width},}  {each.path:<{paths}}")
        line.append_text(styled(f"   needs {_needs(each)}" if any(each.needs) else ""))
        print_line(line.append_text(styled(f"   {_values(each)}", "dim")))
    if len(obstacles) > _PATHS:
        rest = obstacles[_PATHS:]
        print_line(styled(f"    {sum(each.count for each in rest):>{width},}  {plural(len(rest), 'other path')}"))


def _values(obstacle: "Obstacle") -> str:
    """`was issuer_declined (3,200), missing (700), others (4)`: what stood there, the commonest first; a few examples
    where hardly any two are the same, as with amounts."""
    found = obstacle.actual.most_common(_VALUES)
    if found[0][1] * _SCATTERED < obstacle.count:
        return f"was, for example, {', '.join(value for value, _ in found)}"
    said = [f"{value} ({count:,})" if obstacle.count > 1 else value for value, count in found]
    rest = obstacle.count - sum(count for _, count in found)
    return "was " + ", ".join([*said, *([f"others ({rest:,})"] if rest else [])])


def _needs(obstacle: "Obstacle") -> str:
    """`>= 500.00 USD / >= 450.00 EUR`: of one path it may differ from event to event."""
    words = [word for word, _ in obstacle.needs.most_common(_VALUES)]
    return " / ".join([*words, ".."] if len(obstacle.needs) > _VALUES else words)


def why_not_json(why_not: "WhyNot") -> list[Json]:
    """The same as JSON; of values, the ten commonest."""
    return [
        {
            "type": name,
            "events": tally.events,
            "held": tally.held,
            "because": [
                {
                    "path": each.path,
                    "count": each.count,
                    "needs": [word for word, _ in each.needs.most_common(10)],
                    "actual": [{"value": value, "count": count} for value, count in each.actual.most_common(10)],
                }
                for each in tally.by_weight()
            ],
        }
        for name, tally in sorted(why_not.types.items(), key=lambda found: -found[1].events)
    ]
