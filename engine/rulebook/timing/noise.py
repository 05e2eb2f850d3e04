"""`throttle`, `quiet` and `digest`: what keeps messages few."""

from datetime import UTC, datetime, time, timedelta

from engine.decide.calendars import never_ends
from engine.model.rule import Severity
from engine.model.timing import BY_ACCOUNT, DAY, MAX_ITEMS, WEEK, Calendar, Digest, Quiet, QuietDo, Throttle
from engine.rulebook.calendars import read_weekday
from engine.rulebook.fields import check_keys, expected, listed, mapping, read, text, whole_number, word
from engine.rulebook.findings import Findings
from engine.rulebook.lints.carried import Carried
from engine.rulebook.names import UnknownName
from engine.rulebook.spans import as_map, read_clock, read_span, read_timezone, required
from engine.rulebook.timing.paths import read_looked, read_per
from engine.source import Mapping, Node, Scalar, nearest

THROTTLE_KEYS = ("max", "every", "per")
QUIET_KEYS = ("during", "do", "except")
EXCEPT_KEYS = ("severity",)
DIGEST_KEYS = ("every", "at", "timezone", "weekday", "per", "max_items", "group_by")
BY_CLOCK = {"day": DAY, "week": WEEK}
"""What a digest may come every, at a clock time."""

_OTHER_WORDS = {"daily": "day", "nightly": "day", "weekly": "week", "hourly": "1h", "hour": "1h", "minute": "1m"}
"""What people write for how often a digest comes, and what is read."""

_ANY_MOMENT = datetime(2001, 1, 3, tzinfo=UTC)
"""What is always quiet is so at any moment, apart from single dates."""

MOST_MESSAGES = 1_000
MOST_ITEMS = 500
AT = time(9)
"""When a digest of a day or a week comes that does not say."""


def read_throttle(found: Findings, node: Node, about: Carried) -> Throttle | None:
    """`throttle`; None with a mistake where it cannot be used."""
    given = mapping(found, node, "a map like {max: 1, every: 6h}")
    if given is None:
        return None
    check_keys(found, given, "throttle", THROTTLE_KEYS)
    max_node = required(found, given, "max", "throttle", "write max: 1")
    every_node = required(found, given, "every", "throttle", "write every: 6h")
    most = None if max_node is None else whole_number(found, max_node, "a count", 1, MOST_MESSAGES)
    every = None if every_node is None else read_span(found, every_node)
    per = read(given, "per", lambda value: read_per(found, value, about)) or BY_ACCOUNT
    return None if most is None or every is None else Throttle(max=most, every=every, per=per)


def read_quiet(found: Findings, node: Node) -> Quiet | None:
    """`quiet`; None with a mistake where it cannot be used."""
    given = as_map(found, node, "{during: nights}, with the name of a calendar", "during")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "quiet", QUIET_KEYS)
    during_node = required(found, given, "during", "quiet", "write during: and the name of a calendar")
    during = () if during_node is None else _calendars(found, during_node)
    do = read(given, "do", lambda value: word(found, value, QuietDo, "what becomes of messages")) or QuietDo.HOLD
    bar = read(given, "except", lambda value: _bar(found, value))
    if during_node is not None and never_ends(during, _ANY_MOMENT):
        found.error("calendar", during_node, "it would always be quiet", "write calendars that leave some time out")
    return Quiet(during=during, do=do, bar=bar) if found.errors == errors else None


def _calendars(found: Findings, node: Node) -> tuple[Calendar, ...]:
    calendars: list[Calendar] = []
    for place in listed(found, node, "the name of a calendar or a list of them") or ():
        name = text(found, place, "the name of a calendar")
        try:
            calendars += [] if name is None else [found.names.calendar(name)]
        except UnknownName as error:
            found.unknown(place, error)
    return tuple(calendars)


def _bar(found: Findings, node: Node) -> Severity | None:
    given = as_map(found, node, "{severity: critical}", "severity")
    if given is None:
        return None
    check_keys(found, given, "except", EXCEPT_KEYS)
    return read(given, "severity", lambda value: word(found, value, Severity, "a severity"))


def read_digest(found: Findings, node: Node, about: Carried) -> Digest | None:
    """`digest`; None with a mistake where it cannot be used."""
    if isinstance(node, Scalar) and node.text.lower() in _OTHER_WORDS:
        hint = f"write {{every: {_OTHER_WORDS[node.text.lower()]}}}"
        return expected(found, node, 'a map like {every: day, at: "09:00", timezone: Europe/Berlin}', hint)
    given = as_map(found, node, '{every: day, at: "09:00", timezone: Europe/Berlin}', "every")
    if given is None:
        return None
    errors = found.errors
    check_keys(found, given, "digest", DIGEST_KEYS)
    every_node = required(found, given, "every", "digest", "write every: 1h, every: day or every: week")
    every = None if every_node is None else _every(found, every_node)
    clocked = isinstance(every_node, Scalar) and every_node.text in BY_CLOCK
    _check_clocked(found, given, every_node)
    at = read(given, "at", lambda value: read_clock(found, value))
    zone = read(given, "timezone", lambda value: read_timezone(found, value))
    weekday = read(given, "weekday", lambda value: read_weekday(found, value))
    per = read(given, "per", lambda value: read_per(found, value, about))
    most = read(given, "max_items", lambda value: whole_number(found, value, "a count", 1, MOST_ITEMS))
    group = read(given, "group_by", lambda value: read_looked(found, value, about))
    if found.errors > errors or every is None:
        return None
    return Digest(
        every=every,
        at=(at or AT) if clocked else None,
        timezone=zone or "UTC",
        weekday=weekday or 0,
        per=per,
        max_items=most or MAX_ITEMS,
        group_by=None if group is None else group.reference,
    )


def _every(found: Findings, node: Node) -> timedelta | None:
    if isinstance(node, Scalar) and node.text in BY_CLOCK:
        return BY_CLOCK[node.text]
    if isinstance(node, Scalar) and node.text.isalpha():
        instead, near = _OTHER_WORDS.get(node.text.lower()), nearest(node.text, BY_CLOCK)
        hint = f"write {instead}" if instead else f"did you mean '{near}'?" if near else None
        return found.error("duration", node, f"expected day, week, or a duration like 1h, got '{node.text[:40]}'", hint)
    return read_span(found, node)


def _check_clocked(found: Findings, given: Mapping, every: Node | None) -> None:
    """Whether `at`, `timezone` and `weekday` mean something beside this `every`."""
    how = every.text if isinstance(every, Scalar) else ""
    for key, where in (("at", ("day", "week")), ("timezone", ("day", "week")), ("weekday", ("week",))):
        entry = given.entry(key)
        if entry is not None and how and how not in where:
            words = " or ".join(f"every: {each}" for each in where)
            found.error("combination", entry.key, f"'{key}' means something only beside {words}")
