"""The ready-made rules' texts: every one renders, also for sparse objects, and reads as a person would write it."""

from dataclasses import replace
from typing import Any

import pytest

from engine.decide.judge import remembers
from engine.errors import TemplateError
from engine.model.event import Event, Json
from engine.model.rule import Rule
from engine.render import Message, check_template, default_message, render_text, render_title, scene
from engine.testing import Given, RuleTest
from engine.testing.given import event_of
from engine.work.examples import names_of
from tests.golden_files import Golden
from tests.rules.ready_made import answers, bare_rule, loaded, written_rules

RULES = {rule["id"]: rule for rule in written_rules()}
FIRING = answers(fires=True)


def rendered(rule: dict[str, Any], event: Event) -> Message:
    """What the rule's notify step says of an event."""
    step = rule["then"][0]
    names = scene(event, bare_rule(rule))
    return Message(title=render_title(step["title"], names), text=render_text(step["text"], names))


def test_every_text_passes_check() -> None:
    """What an author would be told at `check`."""
    for rule in RULES.values():
        for step in rule["then"]:
            assert check_template(step["title"]) is None, rule["id"]
            assert check_template(step.get("text", "")) is None, rule["id"]


def test_every_rule_says_what_it_is_for() -> None:
    """A description, a severity and channels that there are without a configuration."""
    for name, rule in RULES.items():
        assert rule["description"], name
        assert rule["severity"] in ("info", "low", "medium", "high", "critical"), name
        assert set(_targets(rule)) <= {"payments", "risk", "onboarding"}, name


def _targets(rule: dict[str, Any]) -> list[str]:
    targets = [step["notify"] for step in rule["then"]]
    return [name for target in targets for name in ([target] if isinstance(target, str) else target)]


@pytest.mark.parametrize("test", FIRING, ids=lambda test: test.title)
def test_a_rule_that_fires_has_something_to_say(test: RuleTest) -> None:
    """A title and lines without holes, Python, or a null that shows; a link to click; `[TEST]` when it is one."""
    rule = _rule(test)
    made = rendered(rule, event_of(test.given))
    assert 15 < len(made.title) < 110, made.title
    assert "https://dashboard.stripe.com/" in made.text.splitlines()[-1]
    for line in [made.title, *made.text.splitlines()]:
        assert not any(bad in line for bad in ("None", "True", "False", "{", "}", "(none)", "()", "  ")), line
        assert not line.rstrip().endswith((": ", ",")), line
        assert len(line) < 140, line
    assert rendered(rule, event_of(replace(test.given, livemode=False))).title.startswith("[TEST] ")


@pytest.mark.parametrize(
    "rule", [rule for rule in loaded().rulebook.rules if remembers(rule)], ids=lambda rule: rule.id
)
def test_a_rule_with_a_memory_has_something_to_say(rule: Rule) -> None:
    """Whatever of its event is null."""
    (when,) = rule.when
    whole = event_of(Given(event=when.types[0], account="acct_1"))
    for step in rule.steps:
        for field in ["", *(whole.object or {})]:
            given = Given(event=when.types[0], account="acct_1", set={field: None} if field else {})
            if field in _needed(RULES[rule.id]):
                continue
            names = names_of(rule, step, event_of(given), {}, whole.received)
            title = render_title(str(step.options["title"]), names)
            text = render_text(str(step.options["text"]), names)
            assert 15 < len(title) < 110
            assert "https://dashboard.stripe.com/" in text.splitlines()[-1]
            assert not any(bad in title + text for bad in ("None", "{", "}", "(none)"))


@pytest.mark.parametrize("test", FIRING, ids=lambda test: test.title)
def test_a_text_can_bear_nulls(test: RuleTest) -> None:
    """Any field but the ones that the rule is about may be null in another account, country or API version."""
    event = event_of(test.given)
    for field in event.object or {}:
        if field in _needed(_rule(test)):
            continue
        sparse = event_of(replace(test.given, set={**test.given.set, field: None}))
        try:
            rendered(_rule(test), sparse)
        except TemplateError as error:
            pytest.fail(f"{field} null: {error}")


def _rule(test: RuleTest) -> dict[str, Any]:
    assert test.rule is not None
    return RULES[test.rule]


def _needed(rule: dict[str, Any]) -> set[str]:
    """The fields that conditions look at, and those no object comes without."""
    return {"id", "object", "amount", "currency", "last4", "available"} | _heads(rule["when"])


def _heads(when: Json) -> set[str]:
    where = when.get("where", {}) if isinstance(when, dict) else {}
    found = set()
    for path, test in where.items():
        if path in ("any", "all", "none"):
            found |= {inner.partition(".")[0] for item in test for inner in item}
        else:
            found.add(path.partition(".")[0].partition("[")[0])
    return found


@pytest.mark.parametrize(
    "name",
    [
        "payout-failed",
        "payouts-switched-off",
        "charges-switched-off",
        "dispute-big",
        "person-not-verified",
        "account-disconnected",
        "negative-balance",
        "reserve-placed",
    ],
)
def test_an_alert_reads_as_it_was_approved(name: str, golden: Golden) -> None:
    """Whoever changes a text sees the whole of it in the review."""
    test = next(test for test in FIRING if test.rule == name)
    made = rendered(RULES[name], event_of(test.given))
    golden.check(f"{name}.txt", f"{made.title}\n\n{made.text}")


@pytest.mark.parametrize("type_", ["payout.failed", "account.updated", "charge.dispute.created", "v1.payout.failed"])
def test_a_default_message_reads_as_it_was_approved(type_: str, golden: Golden) -> None:
    """What a rule of one line sends."""
    rule = bare_rule({"id": "one-liner", "description": "x", "severity": "high", "owner": "finance"})
    made = default_message(scene(event_of(Given(event=type_, account="acct_1")), rule))
    golden.check(f"default-{type_}.txt", f"{made.title}\n\n{made.text}\n")
