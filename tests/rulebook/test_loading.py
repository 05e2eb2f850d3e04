"""What good rule files become."""

from datetime import timedelta

import pytest

from engine.model.condition import ALWAYS
from engine.model.event import Scope
from engine.model.rule import LADDER, OnError, RetryPolicy, Rule, RuleMode, Severity, Step, Verb
from engine.rulebook import Known, load, rebuild
from tests.builders import event
from tests.rulebook.books import KNOWN, loaded, mistakes, rule


def one(text: str, known: Known = KNOWN) -> Rule:
    """The one rule of a file, which must be without mistakes."""
    found = loaded(text, known)
    assert not found.mistakes, [str(mistake) for mistake in found.mistakes]
    (read,) = found.rulebook.rules
    return read


def step(then: str) -> Step:
    return one(rule(then=then)).steps[0]


def test_the_smallest_rule() -> None:
    """Everything it does not say has its default."""
    read = one(rule("payout-failed"))
    assert (read.id, read.severity, read.mode) == ("payout-failed", Severity.MEDIUM, RuleMode.LIVE)
    (when,) = read.when
    assert (when.types, when.scopes, when.accounts, when.where) == (("payout.failed",), None, None, ALWAYS)
    assert (when.livemode, when.livemode_source) == (True, "default")
    assert [(s.id, s.verb, s.targets, s.needs) for s in read.steps] == [("notify-1", Verb.NOTIFY, ("payments",), ())]


def test_the_large_rule_of_the_language_page() -> None:
    """What of section 1's example this version has."""
    read = one(
        """
        rules:
          - id: big-fraud-dispute
            description: Fraud dispute large enough for same-day evidence
            severity: high
            owner: risk-team
            tags: [disputes]
            runbook: https://wiki.example.com/disputes
            when:
              type: charge.dispute.created
              scope: connected
              where:
                reason: [fraudulent, unrecognized]
                amount: {gte: [500 USD, 450 EUR, 75000 JPY, others]}
                metadata.internal_test: {exists: false}
            then:
              - notify: [risk, payments]
                title: "{{ object | money }} {{ object.reason }} dispute at {{ account.name }}"
              - callback: case-system
            tests:
              - given: {event: charge.dispute.created, set: {amount: 75000}}
                expect: fires
        """
    )
    assert read.when[0].scopes == frozenset({Scope.CONNECTED})
    assert read.steps[0].targets == ("risk", "payments")
    assert [each.id for each in read.steps] == ["notify-1", "callback-2"]
    assert read.position is not None
    assert read.position.line == 3


@pytest.mark.parametrize(
    ("when", "count"), [("payout.*", 1), ("[payout.paid, payout.failed]", 2), ("{type: [a.b, c.d]}", 1)]
)
def test_when_is_a_type_a_map_or_any_of_several(when: str, count: int) -> None:
    """A list of either is that many ways to be concerned."""
    assert len(load({"a.yaml": rule(when=when)}, KNOWN).rulebook.rules[0].when) == count


def test_what_a_step_can_say() -> None:
    """Options come out as the notifiers take them."""
    read = step(
        "{callback: case-system, id: tell, method: PUT, headers: {X-A: 1}, body: {n: 1.5}, success: [200-299, 409]}"
    )
    assert read.id == "tell"
    assert read.options == {
        "method": "PUT",
        "headers": {"X-A": "1"},
        "body": {"n": 1.5},
        "success": ["200-299", "409"],
    }
    read = step("{stripe: accounts.update, as: platform, with: {metadata: {x: y}}, expand: [data], on_error: continue}")
    assert read.options == {"as": "platform", "with": {"metadata": {"x": "y"}}, "expand": ["data"]}
    assert read.on_error is OnError.CONTINUE
    assert step('{stripe: "GET /v1/payouts/{{ object.id }}"}').targets == ("GET /v1/payouts/{{ object.id }}",)
    assert step('{callback: "https://hooks.example.com/x", timeout: 90s}').timeout == timedelta(seconds=90)


def test_a_step_waits_for_the_steps_whose_results_it_reads() -> None:
    """In any of its texts."""
    text = rule(
        then="[{stripe: payouts.retrieve, id: payout}, "
        '{callback: case-system, body: {a: ["{{ steps.payout.result.id }}"]}, '
        "headers: {X: \"{{ steps['n'].status }}\"}}, "
        "{notify: risk, id: n}]"
    )
    assert [each.needs for each in one(text).steps] == [(), ("n", "payout"), ()]


H = timedelta(hours=1)


@pytest.mark.parametrize(
    ("retry", "attempts", "waits", "limit"),
    [
        ("{attempts: 3}", 3, LADDER, None),
        ("{attempts: 4, backoff: 1h}", 4, (H, 2 * H, 4 * H), None),
        ("{attempts: 5, backoff: 1h, max: 3h}", 5, (H, 2 * H, 3 * H), 3 * H),
        ("{backoff: [1h, 2h]}", 3, (H, 2 * H), None),
        ("{attempts: 9, backoff: [1h, 2h]}", 9, (H, 2 * H), None),
        ("{attempts: 1}", 1, LADDER, None),
    ],
)
def test_retry(retry: str, attempts: int, waits: tuple[timedelta, ...], limit: timedelta | None) -> None:
    """A duration doubles up to max, a list is as written."""
    policy = step(f"{{notify: risk, retry: {retry}}}").retry
    assert policy == RetryPolicy(attempts=attempts, waits=waits, limit=limit)


@pytest.mark.parametrize(
    "retry",
    ["{attempts: 0}", "{attempts: 2, backoff: [1h, 2h]}", "{backoff: 2h, max: 1h}", "{backoff: soon}", "{}", "5"],
)
def test_a_retry_that_cannot_be_followed_is_refused(retry: str) -> None:
    """Rather than read as something near it."""
    assert any("error[" in line for line in mistakes(rule(then=f"{{notify: risk, retry: {retry}}}")))


DEFAULTS = """
defaults:
  severity: high
  owner: risk-team
  tags: [a, b]
  when: {scope: connected, livemode: any}
rules:
"""


def test_defaults_lie_under_every_rule_of_their_file() -> None:
    """Key by key, the rule wins; maps merge one level, lists replace, none removes."""
    text = DEFAULTS + (
        "  - {id: plain, when: payout.failed, then: {notify: risk}}\n"
        "  - {id: wins, severity: low, tags: [c], when: {type: a.b, scope: platform}, then: {notify: risk}}\n"
        "  - {id: without, owner: none, when: {type: a.b, scope: none}, then: {notify: risk}}\n"
        "  - {id: several, when: [payout.paid, {type: a.b, livemode: true}], then: {notify: risk}}\n"
    )
    book = load({"a.yaml": text, "b.yaml": rule("other")}, KNOWN).rulebook
    plain, wins, without, several, other = book.rules
    assert (plain.severity, plain.owner, plain.tags) == (Severity.HIGH, "risk-team", ("a", "b"))
    assert (plain.when[0].scopes, plain.when[0].livemode) == (frozenset({Scope.CONNECTED}), None)
    assert (wins.severity, wins.owner, wins.tags) == (Severity.LOW, "risk-team", ("c",))
    assert (wins.when[0].scopes, wins.when[0].livemode) == (frozenset({Scope.PLATFORM}), None)
    assert (without.owner, without.when[0].scopes) == (None, None)
    assert [(when.scopes, when.livemode) for when in several.when] == [
        (frozenset({Scope.CONNECTED}), None),
        (frozenset({Scope.CONNECTED}), True),
    ]
    assert (other.severity, other.owner) == (Severity.MEDIUM, None)  # of its own file only


@pytest.mark.parametrize("key", ["id: x", "then: {notify: risk}", "tests: []", "when: {where: {a: 1}}"])
def test_what_belongs_to_one_rule_cannot_stand_in_defaults(key: str) -> None:
    """It would be the same for all of them."""
    assert [line.split("  ")[1] for line in mistakes(f"defaults: {{{key}}}\n")] == ["error[defaults]"]


def test_a_mistake_in_defaults_is_said_once() -> None:
    """However many rules they lie under."""
    text = "defaults: {severity: hgih}\n" + rule("a") + rule("b").removeprefix("rules:\n")
    assert len(mistakes(text)) == 1


def test_a_revision_names_exactly_these_rules() -> None:
    """The same whatever the order of files; another for any other text or default; rebuilt as it was."""
    files = {"a.yaml": rule("a"), "b.yaml": rule("b")}
    book = load(files, KNOWN).rulebook
    assert book.revision == load(dict(reversed(files.items())), KNOWN).rulebook.revision
    assert book.revision != load({**files, "b.yaml": rule("c")}, KNOWN).rulebook.revision
    assert book.revision != load(files, Known(default_livemode=None)).rulebook.revision
    again = rebuild(files, True)
    assert again.revision == book.revision
    assert again.rules == book.rules


def test_matching_takes_live_and_shadow_rules_and_never_those_that_are_off() -> None:
    """By type, scope, livemode, account and where; each once, in the order of the files."""
    text = "rules:\n" + "".join(
        f"  - {{id: {id_}, mode: {mode}, when: {when}, then: {{notify: risk}}}}\n"
        for id_, mode, when in [
            ("live", "live", "payout.failed"),
            ("shadow", "shadow", "payout.*"),
            ("off", "off", "payout.failed"),
            ("twice", "live", "[payout.failed, {type: payout.*}]"),
            ("platform", "live", "{type: payout.failed, scope: platform}"),
            ("test", "live", "{type: payout.failed, livemode: false}"),
            ("other", "live", "{type: payout.failed, account: [acct_2, acct_9*]}"),
            ("mine", "live", "{type: payout.failed, account: [acct_2, acct_1*]}"),
            ("small", "live", "{type: payout.failed, where: {amount: {lt: 5 USD}}}"),
        ]
    )
    book = loaded(text).rulebook
    assert [match.rule.id for match in book.match(event())] == ["live", "shadow", "twice", "mine"]
    assert [match.rule.id for match in book.match(event(account=None))] == ["live", "shadow", "twice", "platform"]
    assert [match.rule.id for match in book.match(event(livemode=False))] == ["test"]
    assert book.looked_at("payout.failed") == 9
    assert book.looked_at("payout.paid") == 2
    assert book.rule("shadow") is book.rules[1]
    assert book.rule("nothing") is None
