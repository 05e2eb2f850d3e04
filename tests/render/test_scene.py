"""The scene: the names of a text, whatever the event."""

import pytest

from engine.errors import TemplateError
from engine.model.event import Scope
from engine.model.rule import Rule, Severity
from engine.render import render_text, scene
from tests.builders import RECEIVED, endpoint, event

RULE = Rule(
    id="r", when=(), steps=(), severity=Severity.HIGH, owner="finance", tags=("a",), runbook="https://w.example"
)


def test_the_account_is_named_by_itself_where_the_event_carries_it() -> None:
    """An account.updated knows the name; a payout only the id."""
    named = event("account.updated", object={"id": "acct_9", "company": {"name": "Acme GmbH"}}, account="acct_9")
    assert scene(named, RULE)["account"]["label"] == "Acme GmbH (acct_9)"
    assert scene(event("payout.failed", account="acct_9"), RULE)["account"]["label"] == "acct_9"
    other = event("account.updated", object={"id": "acct_8", "company": {"name": "Other"}}, account="acct_9")
    assert scene(other, RULE)["account"]["name"] == "acct_9"


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ({"business_profile": {"name": " Acme "}, "email": "a@b.example"}, "Acme"),
        ({"business_profile": {"name": None}, "settings": {"dashboard": {"display_name": "Dash"}}}, "Dash"),
        ({"individual": {"first_name": "Mara", "last_name": "Lindt"}}, "Mara Lindt"),
        ({"email": "a@b.example"}, "a@b.example"),
        ({"display_name": "V2 name"}, "V2 name"),
        ({"business_profile": [1], "company": 5, "email": 7}, "acct_9"),
    ],
)
def test_the_name_is_the_first_that_people_use(account: dict[str, object], name: str) -> None:
    """The business before the company, the person, the e-mail; the id when there is none."""
    found = event("account.updated", object={**account, "id": "acct_9"}, account="acct_9")
    assert scene(found, RULE)["account"]["name"] == name


def test_what_the_caller_knows_of_the_account_wins() -> None:
    """For example a stored name; what it does not know is left as the event has it."""
    built = scene(
        event("payout.failed", account="acct_9"), RULE, account={"name": "Stored", "country": None, "csm": "Jo"}
    )
    assert (built["account"]["label"], built["account"]["csm"]) == ("Stored (acct_9)", "Jo")


def test_the_platform_has_a_name_too() -> None:
    """`account` is always there."""
    built = scene(event("payout.failed", account=None), RULE)
    assert (built["account"]["id"], built["account"]["name"]) == (None, "the platform")
    assert render_text("{{ account.label }}", built) == "the platform"


def test_a_thin_event_says_why_it_has_no_object() -> None:
    """And points at where it is."""
    thin = event("v2.core.account[requirements].updated", context=None)
    built = scene(thin, RULE)
    with pytest.raises(TemplateError, match=r"'object\.amount' is undefined: v2\.core\.account.* is a thin event"):
        render_text("{{ object.amount }}", built)
    assert render_text("{% if object %}x{% else %}nothing{% endif %}", built) == "nothing"
    assert render_text("{{ event.related_object.id }}", built).startswith("acct_")


def test_what_changed_is_listed_leaf_by_leaf() -> None:
    """Maps to their leaves, lists whole, what is gone as null."""
    found = event(
        "account.updated",
        object={"id": "acct_1", "payouts_enabled": False, "requirements": {"past_due": ["a"], "errors": []}},
        previous={
            "payouts_enabled": True,
            "requirements": {"past_due": []},
            "email": "o@b.example",
            "business_profile": {},
        },
        account="acct_1",
    )
    built = scene(found, RULE)
    assert {path: (change["old"], change["new"]) for path, change in built["changed"].items()} == {
        "payouts_enabled": (True, False),
        "requirements.past_due": ([], ["a"]),
        "email": ("o@b.example", None),
        "business_profile": ({}, None),
    }
    text = "{% for path, change in changed.items() %}{{ path }} {% endfor %}{{ previous.payouts_enabled }}"
    assert render_text(text, built) == "payouts_enabled requirements.past_due email business_profile true"


def test_the_event_has_what_was_received_and_what_was_understood() -> None:
    """`event.account` is the raw field; what a kind of event lacks is null rather than undefined."""
    built = scene(event("payout.failed", account="acct_9", livemode=False), RULE)
    assert built["event"]["url"].startswith("https://dashboard.stripe.com/acct_9/test/events/evt_")
    assert (built["event"]["scope"], built["event"]["payload"], built["event"]["account"]) == (
        "connected",
        "snapshot",
        "acct_9",
    )
    platform = scene(event("payout.failed", account=None, endpoint=endpoint(scope=Scope.PLATFORM)), RULE)
    assert render_text("{{ event.account }} {{ event.context }}", platform) == "(none) (none)"
    assert render_text("{{ event.created | date('date') }} {{ event.request.id }}", platform).startswith("1 Jan 2026 ")


def test_the_rule_is_there_to_be_shown() -> None:
    """Severity, owner and runbook tell a reader how much it matters, and to whom."""
    built = scene(event("payout.failed"), RULE)
    assert render_text(
        "{{ rule.id }} {{ rule.severity }} {{ rule.owner }} {{ rule.runbook }} {{ rule.tags | join }}", built
    )
    assert built["now"] == RECEIVED


def test_a_report_of_tocsin_itself_is_about_no_event() -> None:
    """Its texts may still say `account.name`."""
    built = scene(None, RULE)
    assert built["account"]["name"] == "the platform"
    with pytest.raises(TemplateError, match="about no event"):
        render_text("{{ event.id }}", built)
