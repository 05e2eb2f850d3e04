"""When it is quiet, and when a digest goes out: calendars and clocks of any time zone, in UTC.

One definition carries all of it: *a time of a day is the first moment at which the clocks there show it or a later
one*. So a time that is skipped when clocks go forward is the moment they do, one that comes twice when they go back is
the first of the two, and nothing ends before it begins or never. A span that lies in the skipped time alone is empty.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.model.timing import DAY, WEEK, Calendar, Digest

LONGEST = timedelta(days=31)
"""How far ahead the end of a quiet time is looked for: longer than any holiday, since nothing is held for ever."""

_MIDNIGHT = time()
_SECOND = timedelta(seconds=1)


def quiet_until(calendars: Sequence[Calendar], now: datetime) -> datetime | None:
    """The end of the quiet time that `now` is in, an aware UTC time; None when it is not quiet.

    Spans that touch or overlap, of one calendar or several, are one quiet time. A span holds its first moment and not
    its last. Where the calendars are quiet for longer than LONGEST, the end is `now + LONGEST`: what was held until
    then goes out then, although it is quiet still; `never_ends` tells such calendars from others.
    """
    moment = now.astimezone(UTC)
    latest = moment + LONGEST
    end = moment
    while end < latest:
        ends = [last for calendar in calendars for first, last in _spans(calendar, end) if first <= end < last]
        if not ends:
            break
        end = max(ends)
    return min(end, latest) if end > moment else None


def never_ends(calendars: Sequence[Calendar], now: datetime) -> bool:
    """Whether a quiet time that `now` is in has no end within LONGEST: for `check`, as nobody means that."""
    return quiet_until(calendars, now) == now + LONGEST


def next_due(digest: Digest, now: datetime, first: datetime) -> datetime:
    """When a digest whose first item came at `first` is sent, an aware UTC time and never before `now`.

    `every` after the first; with `at`, the next time after `first` (and not at it) that it is `at` o'clock, on
    `weekday` where it is weekly. One that should have gone before `now` is due at once.
    """
    if digest.at is None or digest.every not in (DAY, WEEK):
        due = first + digest.every
    else:
        due = _next_clock(digest, first, digest.at)
    return max(due, now).astimezone(UTC)


def moment_of(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first moment at which the clocks of a zone show that time of that day or a later one, in UTC."""
    local = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    other = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return early if other >= early else _leap(local, zone, other, early)


def _leap(local: datetime, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment between two at which the clocks pass over `local`, to the second."""
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        middle = max(middle, before + _SECOND)
        if middle.astimezone(zone).replace(tzinfo=None) >= local:
            after = middle
        else:
            before = middle
    return after


def _spans(calendar: Calendar, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The spans of a calendar that may hold a moment: of the days about it."""
    zone = ZoneInfo(calendar.timezone)
    today = moment.astimezone(zone).date()
    for offset in (-1, 0, 1):  # tomorrow's too: clocks that go back over midnight show today's date once more
        day = today + timedelta(days=offset)
        if _named(calendar, day):
            yield _span(calendar, day, zone)


def _named(calendar: Calendar, day: date) -> bool:
    """Whether a span starts on that day: one of the weekdays or of the dates, every day where neither is named."""
    if calendar.weekdays is None and not calendar.dates:
        return True
    return day in calendar.dates or (calendar.weekdays is not None and day.weekday() in calendar.weekdays)


def _span(calendar: Calendar, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The span that starts on a day. A begin left out is that day's midnight, an end left out the next one's."""
    begin, end = calendar.begin or _MIDNIGHT, calendar.end or _MIDNIGHT
    last = day if end > begin else day + timedelta(days=1)
    return moment_of(day, begin, zone), moment_of(last, end, zone)


def _next_clock(digest: Digest, first: datetime, clock: time) -> datetime:
    zone = ZoneInfo(digest.timezone)
    day = first.astimezone(zone).date() - timedelta(days=1)
    while True:
        if digest.every == DAY or day.weekday() == digest.weekday:
            due = moment_of(day, clock, zone)
            if due > first:
                return due
        day += timedelta(days=1)
