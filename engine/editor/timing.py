"""The form of the keys of time, state and noise, from the tables that the loader reads by."""

from collections.abc import Mapping

from engine.editor.conditions import VARIABLE
from engine.editor.forms import (
    Schema,
    described,
    duration,
    either,
    flag,
    listed,
    named,
    number,
    record,
    ref,
    text,
    words,
)
from engine.model.event import Scope
from engine.model.rule import Severity
from engine.model.timing import MAX_ITEMS, QuietDo
from engine.rulebook.calendars import DATE, WEEKDAYS
from engine.rulebook.calendars import KEYS as CALENDAR_KEYS
from engine.rulebook.money import MONEY
from engine.rulebook.spans import CLOCK, SHARE
from engine.rulebook.timing import counts, course, noise, others
from engine.rulebook.whens import ANY

_COUNT = either(number(1, counts.MOST), VARIABLE)
_PATH = text("account, or a path from the event's object")
_ZONE = text("a time zone, like Europe/Berlin")
_DAY = r"([A-Za-z]{3,9})"


def _several(item: Schema, description: str | None = None) -> Schema:
    return described({"anyOf": [item, listed(item)]}, description)


def _span(description: str) -> Schema:
    return either(duration(), VARIABLE, description=description)


def _clock(description: str, *, end: bool = False) -> Schema:
    return text(description, rf"^({CLOCK}{'|24:00' if end else ''})$")


PER = _several(_PATH, "what is counted apart: account (left out), a path, or a list of them, which count together")
SAME = either(
    _several(_PATH),
    {**named(_PATH), "minProperties": 1},
    description="what both events have in common: account, a path, or a map of a path of each",
)
EVENT: Mapping[str, Schema] = {
    "type": _several(ref("eventTypes"), "the types of the other event"),
    "scope": either(_several(words((*Scope, ANY))), VARIABLE, description="where the other event comes from; any"),
    "where": ref("where", "conditions on the other event"),
    "within": _span("how long before or after"),
    "same": SAME,
    "restart": flag("true: a later event starts the one timer anew"),
    "account": either(_several(text()), record({"in_table": text()}, ("in_table",)), description="the accounts"),
}
RATIO: Mapping[str, Schema] = {
    "of": described(
        _several(either(ref("eventTypes"), ref("ofEvents"))), "all events that the share is of, those of the rule too"
    ),
    "gte": either(text(pattern=rf"^{SHARE}$"), VARIABLE, description="the share, like 30%"),
    "min": described(_COUNT, "of how many events at least"),
}
THRESHOLD: Mapping[str, Schema] = {
    "count": described(_COUNT, "at least so many events"),
    "distinct": {**named(_COUNT, "at least so many different values at a path: {customer: 5}"), "minProperties": 1},
    "sum": {
        **named(either(text(pattern=rf"^{MONEY.pattern}$"), VARIABLE), "at least so much: {amount: 10000 USD}"),
        "minProperties": 1,
    },
    "ratio": record(
        {key: RATIO.get(key, {}) for key in counts.RATIO_KEYS}, counts.RATIO_KEYS, "a share of other events"
    ),
    "within": _span("the time up to each event that is looked at"),
    "per": PER,
}
INCIDENT: Mapping[str, Schema] = {
    "per": PER,
    "resolve": ref("settling", "the event that ends it"),
    "resolve_after": _span("it ends when nothing came for so long"),
}
ESCALATION: Mapping[str, Schema] = {
    "after": _span("how long after it opened, unless somebody has taken it up"),
    "then": _several(ref("step"), "the steps to take"),
}
REMIND: Mapping[str, Schema] = {
    "before": text("the path of the time that is not to be missed"),
    "at": _several(either(duration(), VARIABLE), "how long before, one or several"),
    "until": ref("settling", "the event after which no more are needed"),
    "same": _several(_PATH, "a later event with the same values moves the time; id"),
}
THROTTLE: Mapping[str, Schema] = {
    "max": either(number(1, noise.MOST_MESSAGES), VARIABLE, description="so many messages at most"),
    "every": _span("in any time as long as this"),
    "per": PER,
}
QUIET: Mapping[str, Schema] = {
    "during": _several(text(), "the names of calendars"),
    "do": either(words(QuietDo), VARIABLE, description="hold: one digest at the end; drop: none"),
    "except": record({"severity": either(words(Severity), VARIABLE)}, description="this severity and above pass"),
}
DIGEST: Mapping[str, Schema] = {
    "every": either(words(noise.BY_CLOCK), duration(), VARIABLE, description="day, week, or a time from the first on"),
    "at": either(_clock("the clock time"), VARIABLE),
    "timezone": _ZONE,
    "weekday": either(text(pattern=rf"^{_DAY}$"), VARIABLE, description="the day of a weekly one: mon"),
    "per": _several(_PATH, "a digest for each: account, a path, or a list of them; left out: one for all"),
    "max_items": either(number(1, noise.MOST_ITEMS), VARIABLE, description=f"the most that are listed, {MAX_ITEMS}"),
    "group_by": text("the path by which they are put together"),
}
CALENDAR: Mapping[str, Schema] = {
    "timezone": _ZONE,
    "weekdays": _several(
        text(pattern=rf"^{_DAY}(-{_DAY})?$"), f"days, each one that a span starts on: {WEEKDAYS[0]}-fri"
    ),
    "from": _clock("the clock time that it begins at"),
    "until": _clock("the clock time that it ends at, past midnight where that is not later", end=True),
    "dates": _several(text(pattern=rf"^{DATE}$"), "single days: 2026-12-25"),
}
TIMING: Mapping[str, Schema] = {
    "preceded_by": ref("preceded", "an event that must have come before"),
    "not_followed_by": _several(ref("followed"), "events that must not have come in time"),
    "threshold": record(
        {key: THRESHOLD.get(key, {}) for key in counts.KEYS}, ("within",), "how much must come together"
    ),
    "max_age": _span("an event that is older when it comes is recorded and not acted on"),
    "incident": record(
        {key: INCIDENT.get(key, {}) for key in course.INCIDENT_KEYS}, description="one alert for all of it"
    ),
    "escalate": _several(
        record({key: ESCALATION.get(key, {}) for key in course.ESCALATION_KEYS}, course.ESCALATION_KEYS),
        "what else to do where nobody takes it up",
    ),
    "remind": record(
        {key: REMIND.get(key, {}) for key in course.REMIND_KEYS}, ("before", "at"), "alerts before a time, not now"
    ),
    "throttle": record(
        {key: THROTTLE.get(key, {}) for key in noise.THROTTLE_KEYS}, ("max", "every"), "so many at most"
    ),
    "quiet": record({key: QUIET.get(key, {}) for key in noise.QUIET_KEYS}, ("during",), "times without messages"),
    "digest": record({key: DIGEST.get(key, {}) for key in noise.DIGEST_KEYS}, ("every",), "many messages as one"),
    "on_update": _several(ref("step"), "the steps to take for each later event of an incident"),
    "on_resolve": _several(ref("step"), "the steps to take when an incident ends"),
}


def timing_definitions() -> Mapping[str, Schema]:
    """What the keys are made of, to stand under `$defs`."""
    return {
        "preceded": _event(others.PRECEDED_KEYS, ("type", "within")),
        "followed": _event(others.FOLLOWED_KEYS, ("type", "within")),
        "settling": _event(others.SETTLING_KEYS, ("type", "same")),
        "ofEvents": _event(others.OF_KEYS, ("type",)),
        "calendar": record(
            {key: CALENDAR.get(key, {}) for key in CALENDAR_KEYS}, ("timezone",), "times that come again"
        ),
    }


def _event(keys: tuple[str, ...], needed: tuple[str, ...]) -> Schema:
    return record({key: EVENT.get(key, {}) for key in keys}, needed, "another event")
