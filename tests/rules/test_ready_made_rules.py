"""The ready-made rules load without a mistake, and each does what its own tests say."""

from dataclasses import replace

import pytest

from engine.model.catalog import catalog
from engine.model.rule import RuleMode
from engine.model.verdict import VerdictKind
from engine.rulebook import Known, Rulebook, load, read_rule_files
from tests.rules.ready_made import FOLDER, InlineTest, event_of, inline_tests

KNOWN = Known(channels=frozenset({"console", "payments", "risk", "onboarding"}), default_livemode=None)

CONNECT_TABLE = (
    "account.application.deauthorized",
    "account.external_account.updated",
    "account.updated",
    "balance.available",
    "payment_intent.succeeded",
    "payout.failed",
    "person.updated",
)
"""The events of the table on Stripe's page "Connect webhooks"."""


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """The files of `rules/`."""
    return read_rule_files([FOLDER], FOLDER.parent)


@pytest.fixture(scope="module")
def rulebook(sources: dict[str, str]) -> Rulebook:
    """Every ready-made rule, those that are off switched on so that they can be tried."""
    live = {name: text.replace("mode: off", "mode: live") for name, text in sources.items()}
    return load(live, KNOWN).rulebook


def test_they_load_without_an_error_or_a_warning(sources: dict[str, str]) -> None:
    """What is shipped passes `check --strict`."""
    assert [str(mistake) for mistake in load(sources, KNOWN).mistakes] == []


@pytest.mark.parametrize("test", inline_tests(), ids=str)
def test_a_rule_does_what_its_own_test_says(test: InlineTest, rulebook: Rulebook) -> None:
    """Fires for the event it describes, or does not, and for that reason."""
    event = event_of(test.given)
    fired = {match.rule.id for match in rulebook.match(event)}
    assert (test.rule in fired) == test.fires
    (verdict,) = rulebook.explain(event, rule=test.rule, all_rules=True)
    assert verdict.kind is (VerdictKind.FIRED if test.fires else VerdictKind.NO)
    if test.because is not None:
        assert verdict.because is not None
        assert verdict.because.path == test.because


def test_every_event_of_the_connect_page_is_looked_at(sources: dict[str, str], rulebook: Rulebook) -> None:
    """By a rule that is on, but for payments: those would flood."""
    shipped = load(sources, KNOWN).rulebook
    for type_ in CONNECT_TABLE:
        assert type_ in catalog()
        assert rulebook.looked_at(type_), type_
        if type_ != "payment_intent.succeeded":
            live = [rule for rule in shipped.rules if rule.mode is RuleMode.LIVE]
            assert any(type_ in when.types for rule in live for when in rule.when), type_


def test_one_event_alerts_one_channel_once(rulebook: Rulebook) -> None:
    """A dispute or an account that is switched off is one alert, not three."""
    off = {"off", "large-charge"} | {rule.id for rule in rulebook.rules if "flood" in str(rule.position)}
    for test in inline_tests():
        if not test.fires:
            continue
        fired = {match.rule.id for match in rulebook.match(event_of(test.given))} - off
        assert len(fired) <= 1 or test.rule in off, (test, fired)


def test_an_event_of_another_account_than_the_one_concerned_fires_nothing(rulebook: Rulebook) -> None:
    """account.updated of a recipient of a connected account is that account's affair."""
    for test in inline_tests():
        if test.fires and test.given["event"] == "account.updated":
            foreign = {**test.given, "set": {**test.given.get("set", {}), "id": "acct_recipient"}}
            assert rulebook.match(event_of(foreign)) == (), test


def test_the_mode_of_an_event_does_not_matter(rulebook: Rulebook) -> None:
    """No ready-made rule sets livemode: that is the configuration's to say."""
    event = event_of({"event": "payout.failed", "account": "acct_1"})
    fired = [match.rule.id for match in rulebook.match(event)]
    assert [match.rule.id for match in rulebook.match(replace(event, livemode=False))] == fired == ["payout-failed"]
