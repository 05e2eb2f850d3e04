"""Quiet times and the times of digests, held against clocks that are read minute by minute, and by name."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.decide.calendars import LONGEST, moment_of, never_ends, next_due, quiet_until
from engine.model.timing import DAY, WEEK, Calendar, Digest

MINUTE = timedelta(minutes=1)
MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6

# Where clocks are about to change, in UTC; the last zone leaves out a day, St. John's went back over midnight.
CHANGES = {
    "Europe/Berlin": ("2026-03-29 01:00", "2026-10-25 01:00"),
    "America/New_York": ("2026-03-08 07:00", "2026-11-01 06:00"),
    "Australia/Lord_Howe": ("2026-04-04 15:00", "2026-10-03 15:30"),
    "Asia/Kathmandu": ("2026-03-29 01:00",),
    "America/St_Johns": ("2010-03-14 03:31", "2010-11-07 02:31"),
    "Africa/Cairo": ("2026-04-23 22:00", "2026-10-29 21:00"),
    "Pacific/Apia": ("2011-12-30 10:00",),
}


def utc(text: str) -> datetime:
    """`2026-03-29 01:00` as a time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def in_zone(text: str, zone: str) -> datetime:
    """A time on the clocks of a zone, where they show it once."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def nights(
    zone: str = "Europe/Berlin", begin: str | None = "22:00", end: str | None = "07:00", **more: object
) -> Calendar:
    """A calendar, every night where nothing else is said."""
    clocks = {"begin": time.fromisoformat(begin) if begin else None, "end": time.fromisoformat(end) if end else None}
    return Calendar(name="nights", timezone=zone, **(clocks | more))  # type: ignore[arg-type]  # the fields of the test


# The plain model: a clock that is read every minute, and where it goes back stands still until it has caught up.


def clock_of(zone: str, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Each minute, and the latest time that the clocks have shown."""
    info, shown, minute = ZoneInfo(zone), datetime.min, begin  # noqa: DTZ901 (a clock's face has no zone)
    while minute < end:
        shown = max(shown, minute.astimezone(info).replace(tzinfo=None))
        yield minute, shown
        minute += MINUTE


def holds(calendar: Calendar, shown: datetime) -> bool:
    """Whether a clock that shows this time is in a span that starts that day or the day before."""
    for day in (shown.date(), shown.date() - timedelta(days=1)):
        every = calendar.weekdays is None and not calendar.dates
        if every or day in calendar.dates or day.weekday() in (calendar.weekdays or ()):
            begin, end = calendar.begin or time(), calendar.end or time()
            last = day + timedelta(days=0 if begin < end else 1)
            if datetime.combine(day, begin) <= shown < datetime.combine(last, end):
                return True
    return False


def plain_quiet_until(calendars: Sequence[Calendar], now: datetime) -> datetime | None:
    """The first minute that is in no span, seen from a minute that is in one, but not beyond LONGEST."""
    clocks = [clock_of(calendar.timezone, now - DAY, now + LONGEST) for calendar in calendars]
    for faces in zip(*clocks, strict=True):
        minute = faces[0][0]
        quiet = any(holds(calendar, shown) for calendar, (_, shown) in zip(calendars, faces, strict=True))
        if minute >= now and not quiet:
            return minute if minute > now else None
    return now + LONGEST


def plain_next_due(digest: Digest, first: datetime) -> datetime:
    """The first minute after `first` at which the clock comes to `at` or passes over it, on a day that counts."""
    assert digest.at is not None
    before: datetime | None = None
    for minute, shown in clock_of(digest.timezone, first - DAY, first + timedelta(days=9)):
        if minute > first and before is not None:
            days = [before.date() + timedelta(days=number) for number in range((shown.date() - before.date()).days + 1)]
            times = [
                datetime.combine(day, digest.at)
                for day in days
                if digest.every == DAY or day.weekday() == digest.weekday
            ]
            if any(before < moment <= shown for moment in times):
                return minute
        before = shown
    raise AssertionError("a digest that is never due")


clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 31, 45, 59]))
about_change = st.sampled_from([(zone, change) for zone, changes in CHANGES.items() for change in changes])
offsets = st.integers(-36 * 60, 36 * 60) | st.integers(-90, 90)


@st.composite
def calendars_at(draw: st.DrawFn) -> tuple[list[Calendar], datetime]:
    """Up to three calendars, and a minute about the time when the clocks of one change."""
    zone, change = draw(about_change)
    now = utc(change) + MINUTE * draw(offsets)
    days = [now.date() + timedelta(days=number) for number in range(-2, 3)]
    made = [
        Calendar(
            name=f"c{number}",
            timezone=zone if number == 0 else draw(st.sampled_from(list(CHANGES))),
            weekdays=draw(st.none() | st.frozensets(st.integers(0, 6), max_size=4)),
            dates=tuple(draw(st.lists(st.sampled_from(days), max_size=2, unique=True))),
            begin=draw(st.none() | clocks),
            end=draw(st.none() | clocks),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    return made, now


@settings(max_examples=60, deadline=None)
@given(calendars_at())
def test_it_is_quiet_for_as_long_as_clocks_read_by_the_minute_say(given_: tuple[list[Calendar], datetime]) -> None:
    """Whatever the zones, days, spans and changes of clocks."""
    calendars, now = given_
    assert quiet_until(calendars, now) == plain_quiet_until(calendars, now)


@settings(max_examples=120, deadline=None)
@given(about_change, offsets, clocks, st.sampled_from([DAY, WEEK]), st.integers(0, 6))
def test_a_digest_goes_when_a_clock_read_by_the_minute_comes_to_its_time(
    where: tuple[str, str], offset: int, at: time, every: timedelta, weekday: int
) -> None:
    """Days and weeks, over the changes of clocks, also where the time is skipped or comes twice."""
    zone, change = where
    first = utc(change) + MINUTE * offset
    digest = Digest(every=every, at=at, timezone=zone, weekday=weekday)
    due = next_due(digest, first, first)
    assert due == plain_next_due(digest, first)
    assert due > first


@settings(max_examples=200, deadline=None)
@given(about_change, st.integers(-3 * 86_400, 3 * 86_400), clocks, clocks)
def test_times_of_a_day_come_in_their_order(where: tuple[str, str], second: int, one: time, two: time) -> None:
    """So that no span ends before it begins."""
    zone, change = where
    day = (utc(change) + timedelta(seconds=second)).date()
    early, late = sorted([one, two])
    info = ZoneInfo(zone)
    assert moment_of(day, early, info) <= moment_of(day, late, info) <= moment_of(day + timedelta(days=1), early, info)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-23 21:59:59", None),
        ("2026-11-23 22:00", "2026-11-24 07:00"),
        ("2026-11-24 00:00", "2026-11-24 07:00"),
        ("2026-11-24 06:59:59", "2026-11-24 07:00"),
        ("2026-11-24 07:00", None),
        ("2026-03-28 23:00", "2026-03-29 07:00"),  # an hour shorter
        ("2026-10-24 23:00", "2026-10-25 07:00"),  # an hour longer
    ],
)
def test_a_night_goes_on_past_midnight(now: str, end: str | None) -> None:
    """To the second, whatever happens to the clocks in it."""
    expected = in_zone(end, "Europe/Berlin") if end else None
    assert quiet_until([nights()], in_zone(now, "Europe/Berlin")) == expected


def test_the_night_of_a_change_is_shorter_or_longer() -> None:
    for evening, hours in (("2026-03-28 22:00", 8), ("2026-10-24 22:00", 10), ("2026-06-01 22:00", 9)):
        now = in_zone(evening, "Europe/Berlin")
        assert quiet_until([nights()], now) == now + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [
        ("02:30", "05:00", "01:00", "03:00"),  # begins in the time that is skipped: when the clocks go forward
        ("01:00", "02:30", "00:00", "01:00"),  # ends in it
        ("02:15", "02:45", None, None),  # lies in it alone
    ],
)
def test_a_span_about_skipped_time(begin: str, end: str, first: str | None, last: str | None) -> None:
    """Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC."""
    spans = [nights(begin=begin, end=end)]
    day = [utc("2026-03-29 00:00") + MINUTE * number for number in range(240)]
    quiet = [minute for minute in day if quiet_until(spans, minute)]
    if first is None or last is None:
        assert quiet == []
    else:
        assert quiet[0] == utc(f"2026-03-29 {first}")
        assert quiet_until(spans, quiet[0]) == utc(f"2026-03-29 {last}")
        assert quiet[-1] == utc(f"2026-03-29 {last}") - MINUTE


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [
        ("02:30", "05:00", "00:30", "04:00"),  # from the first 02:30 on
        ("00:30", "02:30", "22:30", "00:30"),  # to the first: in doubt it alerts
        ("02:15", "02:45", "00:15", "00:45"),  # once, not twice
    ],
)
def test_a_span_about_time_that_comes_twice(begin: str, end: str, first: str, last: str) -> None:
    """Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC."""
    spans = [nights(begin=begin, end=end)]
    start = utc(f"2026-10-{'24' if first > '12' else '25'} {first}")
    assert quiet_until(spans, start - MINUTE) is None
    assert quiet_until(spans, start) == utc(f"2026-10-25 {last}")
    assert quiet_until(spans, utc(f"2026-10-25 {last}")) is None


def test_a_weekday_names_the_day_a_span_starts_on() -> None:
    """Friday's night is quiet until Saturday morning, Saturday's is not."""
    fridays = [nights("UTC", weekdays=frozenset({FRIDAY}))]
    assert quiet_until(fridays, utc("2026-11-27 23:00")) == utc("2026-11-28 07:00")
    assert quiet_until(fridays, utc("2026-11-28 03:00")) == utc("2026-11-28 07:00")
    assert quiet_until(fridays, utc("2026-11-27 03:00")) is None
    assert quiet_until(fridays, utc("2026-11-28 23:00")) is None


def test_whole_days_and_nights_make_one_quiet_time() -> None:
    """A weekend between two nights, and the holidays that follow it."""
    weekend = Calendar(name="weekend", timezone="Europe/Berlin", weekdays=frozenset({SATURDAY, SUNDAY}))
    friday = in_zone("2026-11-27 22:00", "Europe/Berlin")
    assert quiet_until([weekend], friday) is None
    assert quiet_until([nights(), weekend], friday) == in_zone("2026-11-30 07:00", "Europe/Berlin")
    monday = Calendar(name="holiday", timezone="Europe/Berlin", dates=(date(2026, 11, 30),))
    assert quiet_until([nights(), weekend, monday], friday) == in_zone("2026-12-01 07:00", "Europe/Berlin")


def test_calendars_of_several_zones_join() -> None:
    """London sleeps on when Berlin wakes."""
    both = [nights("Europe/London"), nights("Europe/Berlin")]
    assert quiet_until(both, utc("2026-11-23 21:00")) == utc("2026-11-24 07:00")


def test_clocks_that_go_back_over_midnight_do_not_end_a_day() -> None:
    """St. John's, 7 November 2010: at 00:01 it was 23:01 of the day before once more."""
    day = [Calendar(name="day", timezone="America/St_Johns", dates=(date(2010, 11, 7),))]
    assert quiet_until(day, utc("2010-11-07 02:29")) is None
    assert quiet_until(day, utc("2010-11-07 02:30")) == utc("2010-11-08 03:30")
    assert quiet_until(day, utc("2010-11-07 02:45")) == utc("2010-11-08 03:30")


def test_weekdays_and_dates_are_both_meant() -> None:
    """A calendar of weekends and holidays; dates alone are those days only."""
    days = Calendar(name="off", timezone="UTC", weekdays=frozenset({SATURDAY, SUNDAY}), dates=(date(2026, 12, 25),))
    assert quiet_until([days], utc("2026-12-25 12:00")) == utc("2026-12-28 00:00")
    alone = Calendar(name="xmas", timezone="UTC", dates=(date(2026, 12, 25),))
    assert quiet_until([alone], utc("2026-12-25 12:00")) == utc("2026-12-26 00:00")
    assert quiet_until([alone], utc("2026-12-26 12:00")) is None


def test_a_quiet_time_without_an_end_is_cut() -> None:
    """What is held goes out at last, every month; two weeks of holidays are held whole."""
    now = utc("2026-11-23 12:00")
    for always in (nights("UTC", None, None), nights("UTC", "09:00", "09:00")):
        assert quiet_until([always], now) == now + LONGEST
        assert never_ends([always], now)
    day_and_night = [nights("UTC", "08:00", "20:00"), nights("UTC", "20:00", "08:00")]
    assert never_ends(day_and_night, now)
    holidays = [
        Calendar(name="h", timezone="UTC", dates=tuple(date(2026, 12, 20) + timedelta(days=n) for n in range(16)))
    ]
    assert quiet_until(holidays, utc("2026-12-20 00:00")) == utc("2027-01-05 00:00")
    assert not never_ends(holidays, utc("2026-12-20 00:00"))


def test_without_calendars_it_is_never_quiet() -> None:
    assert quiet_until([], utc("2026-11-23 12:00")) is None
    assert quiet_until([nights(weekdays=frozenset())], utc("2026-11-23 23:00")) is None


def test_a_span_from_the_first_item() -> None:
    """Clocks do not matter to it, and one that is overdue goes at once."""
    first = utc("2026-03-29 00:30")
    hourly = Digest(every=timedelta(hours=1), timezone="Europe/Berlin")
    assert next_due(hourly, first, first) == utc("2026-03-29 01:30")
    assert next_due(hourly, utc("2026-03-29 09:00"), first) == utc("2026-03-29 09:00")
    assert next_due(Digest(every=DAY), first, first) == first + DAY


@pytest.mark.parametrize(
    ("first", "due"),
    [
        ("2026-03-28 08:59", "2026-03-28 09:00"),
        ("2026-03-28 09:00", "2026-03-29 09:00"),  # at that minute is not before it
        ("2026-10-24 12:00", "2026-10-25 09:00"),
    ],
)
def test_a_daily_digest_goes_at_its_hour_there(first: str, due: str) -> None:
    """Also on the days that have 23 and 25 hours."""
    digest = Digest(every=DAY, at=time(9), timezone="Europe/Berlin")
    start = in_zone(first, "Europe/Berlin")
    assert next_due(digest, start, start) == in_zone(due, "Europe/Berlin")


def test_a_digest_in_skipped_or_doubled_time_goes_once() -> None:
    """When the clocks go forward, and at the first of the two."""
    digest = Digest(every=DAY, at=time(2, 30), timezone="America/New_York")
    assert next_due(digest, utc("2026-03-08 05:00"), utc("2026-03-08 05:00")) == utc("2026-03-08 07:00")
    first = next_due(digest, utc("2026-11-01 04:30"), utc("2026-11-01 04:30"))
    assert first == utc("2026-11-01 07:30")
    twice = Digest(every=DAY, at=time(1, 30), timezone="America/New_York")
    once = next_due(twice, utc("2026-11-01 04:30"), utc("2026-11-01 04:30"))
    assert once == utc("2026-11-01 05:30")
    assert next_due(twice, once, once) == utc("2026-11-02 06:30")


def test_a_weekly_digest_goes_on_its_day_there() -> None:
    """Monday in Kathmandu begins while it is Sunday in UTC."""
    digest = Digest(every=WEEK, at=time(0, 15), timezone="Asia/Kathmandu", weekday=MONDAY)
    assert next_due(digest, utc("2026-11-25 00:00"), utc("2026-11-25 00:00")) == utc("2026-11-29 18:30")
