"""What messages say of what was not sent, or not when it should have been: nothing is left out without a word."""

from datetime import datetime, timedelta

from engine.model.timing import Throttle
from engine.render.times import zone
from engine.source.durations import format_duration

LATE = timedelta(hours=1)
"""From when on a message says that it is late."""


def left_out_since(count: int, since: datetime, now: datetime, timezone: str = "UTC") -> str:
    """For the next message of a throttle: `and 12 more left out since 14:02 UTC`."""
    return f"and {count:,} more left out since {clock_text(since, now, timezone)}"


def left_out_between(
    count: int, rule: str, throttle: Throttle, since: datetime, until: datetime, timezone: str = "UTC"
) -> str:
    """For the end of a throttle's window that no message followed in: `12 more alerts of payout-failed were left out
    between 14:02 and 20:02 UTC (at most 1 every 6h)`."""
    what = f"1 more alert of {rule} was" if count == 1 else f"{count:,} more alerts of {rule} were"
    limit = f"at most {throttle.max:,} every {format_duration(throttle.every)}"
    return f"{what} left out {span_text(since, until, until, timezone)} ({limit})"


def acted_late(due: datetime, now: datetime) -> str | None:
    """For what is decided later than it was to be: `acted on 3 h late`; None for what is not more than an hour late.
    Parts of a unit are left out."""
    late = _late(due, now)
    return None if late is None else f"acted on {late}"


def sent_late(made: datetime, now: datetime) -> str | None:
    """The same for what was decided in time and could not be sent: `sent 3 h late`."""
    late = _late(made, now)
    return None if late is None else f"sent {late}"


def _late(due: datetime, now: datetime) -> str | None:
    late = now - due
    if late <= LATE:
        return None
    return f"{late // timedelta(hours=1)} h late" if late < timedelta(days=2) else f"{late.days} days late"


def span_text(first: datetime, last: datetime, now: datetime, timezone: str = "UTC") -> str:
    """`between 09:12 and 10:07 UTC`, `at 09:12 UTC`, `between 22 Nov 23:50 and 23 Nov 07:00 UTC`: with days where the
    times are not both of the day that it is `now`."""
    begin, end, today = (moment.astimezone(zone(timezone)) for moment in (first, last, now))
    days = not begin.date() == end.date() == today.date()
    start, stop = _clock(begin, today, days), _clock(end, today, days)
    if start == stop and begin.utcoffset() == end.utcoffset():
        return f"at {stop} {end.tzname()}"
    named = "" if begin.utcoffset() == end.utcoffset() else f" {begin.tzname()}"
    return f"between {start}{named} and {stop} {end.tzname()}"


def clock_text(moment: datetime, now: datetime, timezone: str = "UTC") -> str:
    """`14:02 UTC`, with the day where it is not today."""
    local, today = moment.astimezone(zone(timezone)), now.astimezone(zone(timezone))
    return f"{_clock(local, today, local.date() != today.date())} {local.tzname()}"


def _clock(local: datetime, today: datetime, day: bool) -> str:
    if not day:
        return local.strftime("%H:%M")
    return local.strftime("%-d %b %H:%M" if local.year == today.year else "%-d %b %Y %H:%M")
