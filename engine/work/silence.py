"""What silence cost: once a week the ops channel is told what was kept quiet, so that nobody forgets it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from engine.store.silence import Silence
from engine.work.periodic import Marked, Periodic, Report

EVERY = timedelta(weeks=1)

_LINES = 20


def silence_reports(
    silence: Marked[Silence], report: Report, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Periodic[Silence]:
    """Reports what was kept quiet."""
    return Periodic("silence", EVERY, silence, message, report, clock)


def message(found: Sequence[Silence], since: datetime, until: datetime) -> tuple[int, str, str]:
    """How many messages, and the title and the text of a report."""
    number = sum(each.number for each in found)
    what = "1 message was kept quiet this week" if number == 1 else f"{number:,} messages were kept quiet this week"
    lines = [f"{each.number:,} × rule {each.rule}: {each.by}" for each in found[:_LINES]]
    more = len(found) - len(lines)
    lines += [f"and {more} more rules"] if more else []
    span = f"From {since:%d %b} to {until:%d %b}:"
    how = "See them: tocsin deliveries ls --status suppressed. What is muted: tocsin mute ls"
    return number, what, "\n".join([span, "", *lines, "", how])
