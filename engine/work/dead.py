"""Given up is not forgotten: every few minutes the ops channel is told in one message what was."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from engine.store.dead import Dead
from engine.work.periodic import Marked, Periodic, Report

EVERY = timedelta(minutes=5)

_LINES = 15
_LONGEST = 200


def dead_reports(
    dead: Marked[Dead], report: Report, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Periodic[Dead]:
    """Reports what was given up."""
    return Periodic("dead", EVERY, dead, message, report, clock)


def message(found: Sequence[Dead], since: datetime, until: datetime) -> tuple[int, str, str]:
    """How many deliveries, and the title and the text of a report."""
    number = sum(each.number for each in found)
    what = "1 delivery was given up" if number == 1 else f"{number:,} deliveries were given up"
    lines = [_line(each) for each in found[:_LINES]]
    more = len(found) - len(lines)
    lines += [f"and {more} more destinations"] if more else []
    span = f"Between {since:%d %b %H:%M} and {until:%H:%M} UTC:"
    how = "See them: tocsin deliveries ls --status dead. When the cause is gone: tocsin retry --failed --count"
    return number, what, "\n".join([span, "", *lines, "", how])


def _line(each: Dead) -> str:
    more = each.different_rules - len(each.rules)
    rules = ", ".join(each.rules) + (f" and {more} more" if more > 0 else "")
    reason = each.reason if len(each.reason) <= _LONGEST else f"{each.reason[: _LONGEST - 1]}…"
    return f"{each.number:,} × {each.verb} {each.destination} (rule {rules}), the latest: {reason}"
