"""What a condition looks at, wherever in it that stands."""

import pytest

from engine.match.reads import reads_account, reads_object, told_of
from tests.match.conditions import condition
from tests.rulebook.books import loaded, rule


@pytest.mark.parametrize(
    ("where", "of_object", "of_account"),
    [
        ("{a: 1}", True, False),
        ('{"$.data.object.a": 1}', True, False),
        ("{$event.type: x}", False, False),
        ("{$account.id: acct_1}", False, False),
        ("{$account.country: DE}", False, True),
        ("{none: [{any: [{$account.country: DE}]}]}", False, True),
        ("{a: {same_as: $account.default_currency}}", True, True),
        ("{a: {changed: true}}", False, False),
        ("{a: {changed: {from: x}}}", False, False),
        ("{a: {changed: {to: x}}}", True, False),
        ("{a: {changed: {from: {same_as: b}}}}", True, False),
        ("{a: {changed: {added: {same_as: $account.country}}}}", False, True),
        ("{$previous.a: {any_item: {b: 1}}}", False, False),
        ("{$previous.a: {any_item: {b: {same_as: '$.data.object.c'}}}}", True, False),
        ("{$previous.a: {any_item: {b: {same_as: $account.country}}}}", False, True),
    ],
)
def test_it_reads(where: str, of_object: bool, of_account: bool) -> None:
    """The object, and fields of the account: what has to be read for some events."""
    found = condition(where)
    assert (reads_object(found), reads_account(found)) == (of_object, of_account)


@pytest.mark.parametrize(
    ("condition", "more", "asks"),
    [
        ("{$incident.first.object.status: failed}", "incident: {resolve_after: 2h}", True),
        ("{$incident.first.type: payout.failed, $incident.count: 3}", "incident: {resolve_after: 2h}", False),
        ("{$digest.total.eur: {gt: 1}}", "digest: {every: 1h}", True),
        ("{$digest.count: {gt: 1}}", "digest: {every: 1h}", False),
    ],
)
def test_a_step_asks_for_the_object_of_events_that_it_is_told_of(condition: str, more: str, asks: bool) -> None:
    found = loaded(rule(then=f"{{notify: risk, if: {condition}}}", more=more))
    assert [str(each) for each in found.mistakes] == []
    assert found.rulebook.rules[0].reads_object is asks


@pytest.mark.parametrize(
    ("condition", "more", "told"),
    [
        ("{any: [{amount: 1}, {none: [{$window.count: 3}]}]}", "threshold: {count: 2, within: 1h}", {"window"}),
        ("{amount: {gt: $window.count}}", "threshold: {count: 2, within: 1h}", {"window"}),
        ("{$incident.count: 3}", "incident: {resolve_after: 2h}", {"incident"}),
        ("{$digest.count: {gt: 1}}", "digest: {every: 1h}", {"digest"}),
        ("{amount: 1}", "digest: {every: 1h}", set()),
    ],
)
def test_a_step_asks_about_what_it_is_told_of(condition: str, more: str, told: set[str]) -> None:
    found = loaded(rule(then=f"{{notify: risk, if: {condition}}}", more=more))
    assert [str(each) for each in found.mistakes if each.level == "error"] == []
    assert told_of(found.rulebook.rules[0].steps[0].condition) == told
