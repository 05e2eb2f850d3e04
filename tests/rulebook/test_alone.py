"""Texts of messages that a rule gathers to a digest, and of those that are sent by themselves: which names each has."""

import pytest

from tests.rulebook.books import loaded, mistakes, rule

DAILY = "digest: {every: day}"
CALL = "{id: st, callback: case-system}"
OPEN = "incident: {per: account}"


@pytest.mark.parametrize(
    "step",
    [
        "{notify: risk, if: {$steps.st: {exists: true}}, title: '{{ object | money }} {{ event.id }}'}",
        "{notify: risk, title: '{{ object.id }}', text: '{{ steps.st.ok }}'}",
        "{notify: risk, if: {$steps.st.ok: true}, fetch: object, title: '{{ object.id }}'}",
    ],
)
def test_what_waits_for_another_step_has_the_names_of_one_event(step: str) -> None:
    assert mistakes(rule(then=f"[{CALL}, {step}]", more=DAILY)) == []
    assert mistakes(rule(then="{notify: risk}", more=f"{DAILY}\n    {OPEN}\n    on_update: [{CALL}, {step}]")) == []


def test_so_has_a_step_of_on_failure() -> None:
    more = f"{DAILY}\n    on_failure: {{notify: risk, title: '{{{{ object.id }}}}'}}"
    assert mistakes(rule(then="{notify: risk}", more=more)) == []


WAITS = "this step waits for 'st', and is sent by itself when that has ended"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{notify: risk, if: {$steps.st: {exists: true}}, title: '{{ digest.count }}'}", f"no 'digest' here: {WAITS}"),
        ("{notify: risk, title: '{{ digest.count }} {{ steps.st.ok }}'}", f"no 'digest' here: {WAITS}"),
        ("{notify: risk, title: '{{ steps.st.ok }}', table: {A: id}}", f"'table' is of a digest: {WAITS}"),
    ],
)
def test_and_not_those_of_a_digest(step: str, message: str) -> None:
    [found] = mistakes(rule(then=f"[{CALL}, {step}]", more=DAILY))
    assert message in found
    [found] = mistakes(rule(then="{notify: risk}", more=f"{DAILY}\n    {OPEN}\n    on_resolve: [{CALL}, {step}]"))
    assert message in found


def test_a_step_of_on_failure_is_part_of_no_digest() -> None:
    more = f"{DAILY}\n    on_failure: {{notify: risk, title: '{{{{ digest.count }}}}', table: {{A: id}}}}"
    found = mistakes(rule(then="{notify: risk}", more=more))
    assert [each.partition(": a step of on_failure is sent by itself")[1] != "" for each in found] == [True, True]


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("{{ event.id }}", "", "'event' is of none of them"),
        ("{{ changed }}", "", "'changed' is of none of them"),
        ("{{ incident.count }}", OPEN, "'incident' is of one of them"),
        ("{{ window.count }}", "threshold: {count: 3, within: 1h}", "'window' is of one of them"),
        ("{{ reminder.left }}", "remind: {before: arrival_date, at: 24h}", "'reminder' is of one of them"),
    ],
)
def test_the_text_of_a_digest_has_nothing_of_one_event(text: str, more: str, message: str) -> None:
    """Its first rendering would fail, and it would be given up."""
    [found] = mistakes(rule(then=f"{{notify: risk, title: '{text}'}}", more=f"{DAILY}\n    {more}"))
    assert message in found


@pytest.mark.parametrize(
    "text",
    ["{{ event.livemode }}", "{% for event in digest.items %}{{ event.object.id }}{{ event.account.id }}{% endfor %}"],
)
def test_the_mode_is_that_of_all_and_loops_name_what_they_like(text: str) -> None:
    assert mistakes(rule(then=f"{{notify: risk, title: '{text}'}}", more=DAILY)) == []


def test_what_waits_is_gathered_to_nothing() -> None:
    then = f"[{CALL}, {{notify: risk}}, {{notify: risk, title: '{{{{ steps.st.ok }}}}'}}]"
    more = f"{DAILY}\n    {OPEN}\n    on_update: {{notify: risk}}\n    on_failure: {{notify: risk}}"
    [found] = loaded(rule(then=then, more=more)).rulebook.rules
    assert {step.id: found.gathers(step) for step in found.every_step} == {
        "st": False,
        "notify-2": True,
        "notify-3": False,
        "on-failure-notify-1": False,
        "on-update-notify-1": True,
    }
