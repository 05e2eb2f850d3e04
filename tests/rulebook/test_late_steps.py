"""`$digest` in the `if` of a step, and `fetch` on a step: what is known only when the step is carried out."""

import pytest

from engine.model.fetch import Fetch
from engine.model.rule import Step
from engine.rulebook import Known
from tests.rulebook.books import KNOWN, loaded, mistakes, rule

DAILY = "digest: {every: day}"


def steps(then: str, more: str = "", when: str = "payout.failed") -> tuple[Step, ...]:
    found = loaded(rule(when=when, then=then, more=more))
    assert list(map(str, found.mistakes)) == []
    return found.rulebook.rules[0].steps


def test_a_step_may_ask_about_the_digest_it_is_gathered_to() -> None:
    """Its other `if`s are judged when the rule fires, as before."""
    asks, plain = steps(
        "[{notify: risk, if: {$digest.count: {gte: 5}, any: [{$digest.accounts: {gte: 2}}, "
        "{$digest.items: {any_item: {object.status: failed}}}]}}, {notify: payments, if: {amount: {gt: 0}}}]",
        DAILY,
    )
    assert (asks.asks_digest, plain.asks_digest) == (True, False)


@pytest.mark.parametrize(
    ("then", "more", "message"),
    [
        ("{notify: risk, if: {$digest.count: 1, amount: {gt: 5}}}", DAILY, "'amount' about one of them"),
        ("{notify: risk, if: {$digest.count: {gte: $event.created}}}", DAILY, "'$event.created' about one of them"),
        (
            "[{callback: case-system, id: a}, {notify: risk, if: {$digest.count: 1}, title: '{{ steps.a.ok }}'}]",
            DAILY,
            "what waits for another step is no part of a digest",
        ),
        ("{notify: risk, if: {$digest.count: 1}}", "", "known only in notify steps of a rule with 'digest'"),
        (
            "{callback: case-system, if: {$digest.count: 1}}",
            DAILY,
            "known only in notify steps of a rule with 'digest'",
        ),
        ("{notify: risk, if: {$digest.cuont: 1}}", DAILY, "did you mean 'count'?"),
        ("{notify: risk, fetch: object}", DAILY, "gathered to a digest, which is of many events: none is read anew"),
        ("{notify: risk, fetch: [charge]}", "", "a step reads the event's object anew, and no others"),
        ("{notify: risk, fetch: charge}", "", "expected 'object'"),
        ("{notify: risk, fetch: {object: {include: [requirements]}}}", "", "include is known to API v2 alone"),
    ],
)
def test_what_cannot_be_known_then_is_refused(then: str, more: str, message: str) -> None:
    assert any(message in line for line in mistakes(rule(then=then, more=more))), mistakes(rule(then=then, more=more))


def test_a_step_may_read_its_object_anew() -> None:
    """Whatever its verb; of API v2 with what is left out else."""
    reads = steps("[{notify: risk, fetch: object}, {callback: case-system, fetch: object}]")
    assert [step.fetch for step in reads] == [Fetch(object=True)] * 2
    [included] = steps(
        "{notify: risk, fetch: {object: {include: [requirements]}}}", when='"v2.core.account[requirements].updated"'
    )
    assert included.fetch == Fetch(object=True, include=("requirements",))


def test_nothing_is_read_without_a_key() -> None:
    known = Known(channels=KNOWN.channels, stripe_keys=())
    found = mistakes(rule(then="{notify: risk, fetch: object}"), known)
    assert any("nothing can be read from Stripe: no key is configured" in line for line in found), found
