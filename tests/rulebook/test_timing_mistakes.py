"""What check says of every mistake in the keys of time, state and noise, word for word, and where."""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from engine.editor import schema_of_rules
from engine.model.timing import QuietDo
from engine.rulebook import Known, load
from engine.rulebook.last_good import Chooser, FileState
from engine.rulebook.rules import RULE_KEYS
from engine.rulebook.timing import KEYS
from tests.rulebook.books import KNOWN, rule

A = "rules/a.yaml"
CASES = Path(__file__).parent.parent / "golden" / "timing-mistakes.txt"
CALENDAR = "calendars: {nights: {timezone: UTC, weekdays: [sat]}}\n"


def said(text: str, known: Known = KNOWN) -> list[str]:
    return [str(mistake).removeprefix(f"{A}:") for mistake in load({A: text}, known).mistakes]


def written(lines: list[str]) -> str:
    """A file of what stands at its top and one rule with the other keys, from line 3 on (4 below something)."""
    top = [line for line in lines if line.startswith("calendars:")]
    keys = [line for line in lines if line not in top]
    if keys:
        rest = {"when": "payout.failed", "then": "{notify: payments}"}
        keys += [f"{key}: {value}" for key, value in rest.items() if not any(line.startswith(key) for line in keys)]
        top += ["rules:", "  - id: r", *(f"    {line}" for line in keys)]
    return "\n".join([*top, ""])


def cases() -> list[tuple[list[str], list[str]]]:
    """Keys of a rule, or calendars, and below them, indented, what is said of them."""
    blocks = CASES.read_text(encoding="utf-8").strip().split("\n\n")
    halves = (([each.strip() for each in block.splitlines()], block.count("\n  ")) for block in blocks)
    return [(lines[:-said], lines[-said:]) for lines, said in halves]


@pytest.mark.parametrize(("lines", "expected"), cases(), ids=lambda lines: lines[0][:70])
def test_the_mistake_says_where_what_and_what_instead(lines: list[str], expected: list[str]) -> None:
    """Exactly these findings, in exactly these words."""
    assert said(written(lines)) == expected


def test_a_calendar_of_a_name_is_defined_once_over_all_files() -> None:
    found = load({"a.yaml": CALENDAR, "b.yaml": CALENDAR, "c.yaml": rule(more="quiet: {during: nights}")}, KNOWN)
    assert [str(mistake) for mistake in found.mistakes] == [
        "b.yaml:1:13  error[duplicate-name]  calendar 'nights' is already defined in a.yaml:1"
    ]
    assert set(found.files) == {"a.yaml", "c.yaml"}


def test_what_is_wrong_with_a_calendar_is_said_at_its_own_place_alone() -> None:
    """Who uses it cannot be used either, and says nothing of it."""
    broken = "calendars: {nights: {timezone: Mars, weekdays: [sat]}}\n"
    found = load({"a.yaml": broken, "b.yaml": rule(more="quiet: {during: nights}")}, KNOWN)
    assert [mistake.code for mistake in found.mistakes] == ["timezone"]
    assert not found.files


def test_who_quiets_by_a_broken_calendar_goes_on_as_it_was() -> None:
    """Both files are kept as they last were good, the rule with the calendar that it had."""
    good = {"a.yaml": CALENDAR, "b.yaml": rule(more="quiet: {during: nights}")}
    now = {"a.yaml": CALENDAR.replace("sat", "snu"), "b.yaml": rule(more="quiet: {during: nights, do: drop}")}
    chosen = Chooser(KNOWN).choose(now, good)
    assert dict(chosen.states) == {"a.yaml": FileState.KEPT, "b.yaml": FileState.KEPT}
    (kept,) = chosen.loaded.rulebook.rules
    assert kept.timing.quiet is not None
    assert (kept.timing.quiet.do, kept.timing.quiet.during[0].weekdays) == (QuietDo.HOLD, frozenset({5}))


def test_a_changed_calendar_is_another_revision_of_the_rules_that_use_it() -> None:
    """Also for who reads only what changed."""
    chooser = Chooser(KNOWN)
    files = {"a.yaml": CALENDAR, "b.yaml": rule(more="quiet: {during: nights}")}
    first = chooser.choose(files, {}).loaded
    second = chooser.choose({**files, "a.yaml": CALENDAR.replace("sat", "sun")}, files).loaded
    assert first.rulebook.revision != second.rulebook.revision
    days = [found.rulebook.rules[0].timing.quiet for found in (first, second)]
    assert [quiet.during[0].weekdays for quiet in days if quiet is not None] == [frozenset({5}), frozenset({6})]


def test_a_warning_about_them_can_be_ignored() -> None:
    text = rule(then="{callback: case-system}", more="throttle: {max: 1, every: 1h}")
    assert [line for line in said(text) if "no-effect" in line]
    assert said(text + "    lint: {ignore: no-effect, because: a channel is coming}\n") == []


def test_fields_of_the_account_need_a_key() -> None:
    """As they do in conditions: what is counted by the country has it read."""
    text = rule(more="throttle: {max: 1, every: 1h, per: $account.country}")
    (mistake,) = load({A: text}, Known(stripe_keys=())).mistakes
    assert mistake.code == "fetch"


def test_other_events_of_api_v2_need_a_key_to_read_their_object() -> None:
    text = rule(more="preceded_by: {type: v2.core.account.updated, within: 1h, where: {display_name: x}}")
    found = load({A: text}, Known(stripe_keys=())).mistakes
    assert [mistake.code for mistake in found] == ["fetch"]


def test_every_key_of_time_is_a_key_of_a_rule() -> None:
    assert set(KEYS) <= set(RULE_KEYS)


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema_of_rules())


WORDS = [
    *(
        "account",
        "1h",
        "30%",
        "09:00",
        "day",
        "5 USD",
        "nights",
        "payout.paid",
        "$vars.x",
        "$window.count",
        "$.a[",
        ".",
    ),
    *("none", "{{ digest.x }}", "hold", "mon", "UTC", "2026-02-30", ""),
]
SCALARS = st.one_of(st.sampled_from(WORDS), st.integers(-1, 5), st.booleans(), st.none(), st.text(max_size=5))
NAMES = [
    *("type", "where", "within", "same", "restart", "scope", "count", "distinct", "sum", "ratio", "of", "gte", "min"),
    *("per", "resolve", "resolve_after", "after", "then", "before", "at", "until", "max", "every", "during", "do"),
    *("except", "severity", "timezone", "weekday", "max_items", "group_by", "weekdays", "from", "dates", "notify"),
    *("table", "if", "amount", "account", "livemode"),
]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), VALUES, VALUES)
def test_reading_never_raises(keys: dict[str, object], calendars: object, table: object) -> None:
    """Whatever stands under the keys: a mistake has a place, and a rule that is used has none."""
    body = {"id": "a", "when": "payout.failed", "then": {"notify": "risk", "table": table}, **keys}
    document = {"rules": [body], "calendars": {"nights": calendars}}
    loaded = load({A: json.dumps(document)}, KNOWN)
    assert all(mistake.position is not None for mistake in loaded.mistakes)
    assert bool(loaded.rulebook.rules) == loaded.ok


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2), VALUES)
def test_what_the_schema_refuses_check_refuses(keys: dict[str, object], calendar: object) -> None:
    """An editor underlines no more than check does."""
    body = {"id": "a", "when": "payout.failed", "then": {"notify": "risk"}, **keys}
    document = {"rules": [body], "calendars": {"nights": calendar}}
    if any(validator().iter_errors(document)):
        assert not load({A: json.dumps(document)}, KNOWN).ok
