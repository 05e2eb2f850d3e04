"""What the default message says of incidents and reminders."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.model.event import Json
from engine.model.rule import Rule, When
from engine.render import acknowledge_line, default_message, scene
from tests.builders import RECEIVED, event

RULE = Rule(id="r", when=(When(types=("payout.failed",)),), steps=())

FAILED = event("payout.failed", id="evt_1", object={"amount": 42000, "currency": "eur"})


def told(stage: str, **given: Any) -> dict[str, Json]:
    """An incident of 2h 5m with three matches, as texts see it."""
    first = {"event": "evt_1", "id": "evt_1", "type": "payout.failed", "object": FAILED.object, "changed": {}}
    common = {"id": "inc_1", "stage": stage, "status": "open", "count": 3, "duration": "2h 5m", "first": first}
    return {"incident": {**common, "acknowledged_by": None, "comment": None, "url": None, **given}}


def message(context: dict[str, Json], about: Any = FAILED, now: datetime = RECEIVED) -> list[str]:
    """The title and the lines of the text."""
    made = default_message(scene(about, RULE, context=context, now=now))
    return [made.title, *made.text.splitlines()]


@pytest.mark.parametrize(
    ("context", "title", "lines"),
    [
        (
            told("opened"),
            "Payout of €420.00 failed · acct_1",
            ["Incident: inc_1, opened now", "Acknowledge: tocsin incidents ack inc_1"],
        ),
        (
            told("updated", acknowledged_by="ada", comment="on it", status="acknowledged"),
            "Still open, 3 matches: Payout of €420.00 failed · acct_1",
            ["Incident: inc_1, open for 2h 5m, 3 matches, acknowledged by ada (on it)"],
        ),
        (
            told("escalated", url="https://tocsin.example.com/ack/x"),
            "Not acknowledged for 2h 5m: Payout of €420.00 failed · acct_1",
            ["Incident: inc_1, open for 2h 5m, 3 matches, acknowledged by nobody"],
        ),
        (
            told("resolved", resolved_by="ada", reason="paid by hand"),
            "Resolved: Payout of €420.00 failed · acct_1",
            ["Resolved: inc_1 after 2h 5m, 3 matches", "Resolved by: ada: paid by hand"],
        ),
    ],
)
def test_an_incident_says_how_it_stands(context: dict[str, Json], title: str, lines: list[str]) -> None:
    assert message(context)[: 1 + len(lines)] == [title, *lines]


def test_an_end_is_told_by_what_began_and_gives_no_advice() -> None:
    paid = event("payout.paid", object={"amount": 1, "currency": "eur"})
    found = message(told("resolved", reason="payout.paid (evt_2)"), paid)
    assert found[0] == "Resolved: Payout of €420.00 failed · acct_1"
    assert "Why: payout.paid (evt_2)" in found
    over = message(told("resolved", reason="no match for 2h"))
    assert not [line for line in over if line.startswith("Stripe pays out")]


def test_a_reminder_says_how_far_away_its_deadline_is() -> None:
    due = (RECEIVED + timedelta(days=3)).isoformat()
    context = {"reminder": {"lead": "3d", "due": due, "left": "in 3 days"}}
    assert message(context)[0] == "Due in 3 days: Payout of €420.00 failed · acct_1"
    late = {"reminder": {"lead": "3d", "due": due, "left": "2 hours ago"}}
    assert message(late)[0] == "Was due 2 hours ago: Payout of €420.00 failed · acct_1"


def test_the_link_is_for_what_nobody_has_taken_up() -> None:
    url = "https://tocsin.example.com/ack/x"
    assert acknowledge_line(told("opened", url=url)["incident"]) == f"Acknowledge: {url}"
    assert acknowledge_line(told("updated", url=url, status="acknowledged")["incident"]) is None
    assert acknowledge_line({}) is None
