"""An alert is a rule's own words, the default ones where it has none, and never nothing."""

import pytest

from engine.errors import TemplateError
from engine.model.rule import Rule
from engine.render import default_message, render_alert, scene
from engine.render.alert import WITHOUT_OBJECT
from tests.builders import event

RULE = Rule(id="r", when=(), steps=())
TITLE = "Payout of {{ object | money }} failed"


def test_a_rule_may_have_a_title_a_text_both_or_neither() -> None:
    """What it leaves out is the default message's."""
    names = scene(event("payout.failed", object={"amount": 500, "currency": "usd"}), RULE)
    default = default_message(names)
    assert render_alert(None, None, names) == default
    assert render_alert(TITLE, None, names).text == default.text
    assert render_alert(TITLE, "Sorry.\n", names).title == "Payout of $5.00 failed"
    assert render_alert(None, "Sorry.\n", names).text == "Sorry."


def test_a_thin_twin_alerts_though_it_carries_no_object() -> None:
    """The rule was written for the snapshot; the default message says what is known."""
    names = scene(event("v1.payout.failed", context="acct_9"), RULE)
    alert = render_alert(TITLE, "{{ object.failure_message }}", names)
    assert alert.title == default_message(names).title
    assert alert.text.endswith(WITHOUT_OBJECT)


def test_a_text_that_needs_no_object_is_used_for_thin_events_too() -> None:
    """Only what cannot be written is replaced."""
    names = scene(event("v1.payout.failed", context="acct_9"), RULE)
    assert render_alert("Failed: {{ account.name }}", "x", names).title == "Failed: acct_9"


def test_a_misspelled_name_fails_where_the_object_is_there() -> None:
    """It is the author's to mend, and named."""
    names = scene(event("payout.failed", object={"amount": 500, "currency": "usd"}), RULE)
    with pytest.raises(TemplateError, match=r"did you mean 'object\.amount'"):
        render_alert("{{ object.amuont }}", None, names)
