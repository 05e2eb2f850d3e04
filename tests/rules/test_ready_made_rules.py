"""The ready-made rules load without a mistake, and each does what its own tests say."""

from dataclasses import replace

import pytest

from engine.decide.judge import remembers
from engine.model.catalog import catalog
from engine.model.event import Event
from engine.model.rule import RuleMode
from engine.rulebook import Rulebook
from engine.testing import Given, RuleTest
from engine.testing.given import event_of
from engine.testing.running import Runner
from tests.rules.ready_made import answers, fires_in_time, loaded, own_tests

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
def runner() -> Runner:
    """Runs their own tests, as `tocsin test` does."""
    return Runner(loaded().rulebook)


@pytest.fixture(scope="module")
def all_on() -> Rulebook:
    """Every ready-made rule, those that are off switched on."""
    rules = tuple(replace(rule, mode=RuleMode.LIVE) for rule in loaded().rulebook.rules)
    return Rulebook(revision="", rules=rules)


def test_they_load_without_an_error_or_a_warning() -> None:
    """What is shipped passes `check --strict`."""
    assert [str(mistake) for mistake in (*loaded().mistakes, *own_tests().mistakes)] == []


def test_every_rule_has_a_test_for_yes_and_one_for_no() -> None:
    """Of a rule with a memory the one for yes is told over time."""
    ids = {rule.id for rule in loaded().rulebook.rules}
    assert {test.rule for test in answers(fires=True)} | fires_in_time() == ids
    assert {test.rule for test in answers(fires=False)} == ids
    assert fires_in_time() >= {rule.id for rule in loaded().rulebook.rules if remembers(rule)}


@pytest.mark.parametrize("test", own_tests().tests, ids=lambda test: test.title)
def test_a_rule_does_what_its_own_test_says(test: RuleTest, runner: Runner) -> None:
    """Fires for the event it describes, or does not, and for that reason."""
    assert runner.run(test).problems == ()


def test_every_event_of_the_connect_page_is_looked_at() -> None:
    """By a rule that is on, but for payments: those would flood."""
    shipped = loaded().rulebook
    for type_ in CONNECT_TABLE:
        assert type_ in catalog()
        assert shipped.looked_at(type_), type_
        if type_ != "payment_intent.succeeded":
            live = [rule for rule in shipped.rules if rule.mode is RuleMode.LIVE]
            assert any(type_ in when.types for rule in live for when in rule.when), type_


def test_one_event_alerts_one_channel_once(all_on: Rulebook) -> None:
    """A dispute or an account that is switched off is one alert, not three."""
    off = {"off", "large-charge"} | {rule.id for rule in all_on.rules if "flood" in str(rule.position)}
    for test in answers(fires=True):
        fired = at_once(all_on, event_of(test.given)) - off
        assert len(fired) <= 1 or test.rule in off, (test, fired)


def test_an_event_of_another_account_than_the_one_concerned_fires_nothing(all_on: Rulebook) -> None:
    """account.updated of a recipient of a connected account is that account's affair."""
    for test in answers(fires=True):
        if test.given.event == "account.updated":
            foreign = replace(test.given, set={**test.given.set, "id": "acct_recipient"})
            assert all_on.match(event_of(foreign)) == (), test


def test_the_mode_of_an_event_does_not_matter(all_on: Rulebook) -> None:
    """No ready-made rule sets livemode: that is the configuration's to say."""
    event = event_of(Given(event="payout.failed", account="acct_1"))
    test = replace(event, livemode=False)
    assert at_once(all_on, test) == at_once(all_on, event) == {"payout-failed"}


def at_once(rulebook: Rulebook, event: Event) -> set[str]:
    """The rules that fire for an event by itself, and say so at once."""
    rules = [match.rule for match in rulebook.match(event)]
    return {
        rule.id for rule in rules if not remembers(rule) and rule.timing.digest is None and rule.timing.remind is None
    }
