"""Rules are held to what is configured for them: endpoints that bring their events, and keys to Stripe."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine import configured
from engine.model.event import Scope
from engine.rulebook import Known, Listening, load
from engine.rulebook.served import check_served
from engine.settings import load_settings
from tests.rulebook.books import KNOWN, loaded, mistakes, rule

ROOT = Path(__file__).parents[2]
CONNECT = Listening(name="connect", scope=Scope.CONNECTED, livemode=True)
OWN = Listening(name="own", scope=Scope.PLATFORM, livemode=True)
SANDBOX = Listening(name="sandbox", livemode=False, key="sandbox-a")
ANYTHING = Listening(name="any")


def said(text: str, endpoints: Sequence[Listening] | None, keys: Sequence[str] | None = ("live", "test")) -> list[str]:
    """What is said of the rules in a text with these endpoints and keys."""
    known = replace(KNOWN, endpoints=endpoints, stripe_keys=keys)
    found = loaded(text, known)
    assert found.ok, found.mistakes
    return [str(each).removeprefix("rules/a.yaml:") for each in check_served(found.rulebook.rules, known)]


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("{type: payout.failed, scope: platform}", "live events of scope platform"),
        ("{type: payout.failed, livemode: false}", "test events"),
        ("{type: payout.failed, scope: [platform, organization]}", "live events of scope platform or organization"),
        ("[{type: a, scope: platform}, {type: b, livemode: false}]", "events"),
    ],
)
def test_a_rule_whose_events_no_endpoint_takes(when: str, what: str) -> None:
    assert said(rule(when=when), [CONNECT]) == [
        f"2:9  warning[no-endpoint]  no endpoint takes {what}; there is connect (connected, live); "
        "add one under endpoints in config.yaml, or widen scope or livemode of the rule"
    ]


@pytest.mark.parametrize(
    ("when", "endpoints"),
    [
        ("payout.failed", [CONNECT]),
        ("{type: payout.failed, scope: platform}", [ANYTHING]),
        ("{type: payout.failed, scope: platform, livemode: false}", [CONNECT, SANDBOX]),
        ("{type: payout.failed, livemode: any}", [CONNECT]),
        ("[{type: payout.failed, scope: platform}, {type: payout.failed, scope: connected}]", [CONNECT]),
        ("{type: payout.failed, scope: organization}", None),
        ("{type: payout.failed, scope: organization}", []),
    ],
)
def test_a_rule_that_an_endpoint_may_serve(when: str, endpoints: Sequence[Listening] | None) -> None:
    """By one of its alternatives; an endpoint that does not say takes anything, and unknown ones take everything."""
    assert said(rule(when=when), endpoints) == []


def test_of_many_rules_one_line_says_it() -> None:
    text = "rules:\n" + "".join(
        f"  - {{id: r{n}, when: {{type: payout.failed, scope: platform}}, then: {{notify: risk}}}}\n" for n in range(7)
    )
    (line,) = said(text, [CONNECT, SANDBOX])
    assert "no endpoint takes the events of 7 rules: r0, r1, r2, r3, r4, ..;" in line
    assert "there are connect (connected, live), sandbox (test);" in line
    assert len(said(text.split("  - {id: r3")[0], [CONNECT])) == 3


def test_what_is_off_or_meant_is_no_matter() -> None:
    when = "{type: payout.failed, scope: platform}"
    assert said(rule(when=when, more="mode: off"), [CONNECT]) == []
    lint = "lint: {ignore: no-endpoint, because: the endpoint comes in May}"
    assert said(rule(when=when, more=lint), [CONNECT]) == []
    assert mistakes(rule(more=lint)) == []  # of another configuration


NO_KEY = "2:9  warning[no-key]  this rule reads or acts on Stripe, and no key is configured for live events; "
READING = [
    rule(then="{stripe: payouts.retrieve}"),
    rule(when="{type: payout.failed, fetch: object}"),
    rule(then="{notify: risk, fetch: object}"),
    rule(when="{type: payout.failed, where: {$account.country: DE}}"),
    rule(when="v1.payout.failed", then="{notify: risk, text: '{{ object | money }}'}"),
    rule(when="{type: v2.core.account.updated, where: {display_name: x}}"),
]


@pytest.mark.parametrize("text", READING)
def test_a_live_rule_with_only_a_key_for_test_events(text: str) -> None:
    (line,) = said(text, [ANYTHING], keys=("test",))
    assert line.startswith(NO_KEY)
    assert said(text, [ANYTHING], keys=("live",)) == []
    assert said(text, None, keys=None) == []


def test_the_key_of_an_endpoint_is_the_one_for_its_events() -> None:
    text = rule(when="{type: payout.failed, livemode: false}", then="{stripe: payouts.retrieve}")
    assert said(text, [SANDBOX], keys=("live", "sandbox-a")) == []
    (line,) = said(text, [Listening(name="test", livemode=False)], keys=("live", "sandbox-a"))
    assert "no key is configured for test events" in line


def test_a_rule_on_snapshots_needs_no_key_for_their_thin_twins() -> None:
    text = rule(then="{notify: risk, text: '{{ object | money }}'}")
    assert said(text, [ANYTHING], keys=("test",)) == said(text, [ANYTHING], keys=()) == []


def test_stripe_steps_without_any_key() -> None:
    """What is to be read before a rule is judged is an error then, told at its own place."""
    (line,) = said(rule(then="{stripe: payouts.retrieve}"), [ANYTHING], keys=())
    assert line.startswith(NO_KEY)


@pytest.mark.parametrize("when", ["v1.payout.failed", "v2.core.account.updated", "[payout.failed, v1.payout.paid]"])
def test_a_thin_event_whose_object_nothing_can_read(when: str) -> None:
    text = rule(when=when, then="{notify: risk, text: '{{ object.id }}'}")
    (line,) = mistakes(text, replace(KNOWN, stripe_keys=()))
    assert "warning[fetch]" in line
    assert "no key is configured to read it" in line


@pytest.mark.parametrize("config", [None, "config.example.yaml"])
def test_the_ready_made_rules_are_served_by_what_is_shipped(
    config: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no configuration, and with the example."""
    if config is not None:
        monkeypatch.setenv("TOCSIN_CONFIG", str(ROOT / config))
    else:
        monkeypatch.chdir(ROOT)
    settings = load_settings(generate=False)
    known = configured.known(settings)
    texts = {str(each): each.read_text() for each in sorted((ROOT / "rules").rglob("*.yaml"))}
    found = load(texts, known)
    assert [str(each) for each in check_served(found.rulebook.rules, known)] == []
    assert len(found.rulebook.rules) > 20


def test_one_organization_endpoint_serves_no_ready_made_rule() -> None:
    texts = {str(each): each.read_text() for each in sorted((ROOT / "rules").rglob("*.yaml"))}
    known = Known(endpoints=(Listening(name="org", scope=Scope.ORGANIZATION),))
    (only,) = check_served(load(texts, known).rulebook.rules, known)
    assert only.code == "no-endpoint"
