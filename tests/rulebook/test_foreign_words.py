"""What check says of words that other languages have: each hint, followed as it says, gives a rule that fires."""

import re

import pytest

from engine.match import holds
from engine.model.mistake import Mistake
from tests.builders import event
from tests.rulebook.books import loaded, mistakes, rule, where

DISPUTE = {
    "id": "dp_1",
    "object": "dispute",
    "amount": 75_000,
    "currency": "usd",
    "reason": "fraudulent",
    "status": "needs_response",
    "metadata": {"order": "A-17"},
    "balance_transactions": [{"amount": -75_000}],
    "evidence": {"customer_purchase_ip": "10.1.2.3"},
}
PREVIOUS = {"status": "warning_needs_response"}

TESTS = [
    ("reason: {ne: general}", "reason: {not: general}"),
    ("reason: {'!=': general}", "reason: {not: general}"),
    ("reason: {<>: general}", "reason: {not: general}"),
    ("reason: {not_equals: general}", "reason: {not: general}"),
    ("reason: {isNot: general}", "reason: {not: general}"),
    ("reason: {ne: null}", "reason: {exists: true}"),
    ("reason: {in: [fraudulent, general]}", "reason: [fraudulent, general]"),
    ("reason: {one_of: [fraudulent, general]}", "reason: [fraudulent, general]"),
    ("reason: {any: [fraudulent, general]}", "reason: [fraudulent, general]"),
    ("reason: {nin: [duplicate, general]}", "reason: {not: [duplicate, general]}"),
    ("reason: {not_in: [duplicate, general]}", "reason: {not: [duplicate, general]}"),
    ("reason: {none: [duplicate, general]}", "reason: {not: [duplicate, general]}"),
    ("reason: {equals: fraudulent}", "reason: fraudulent"),
    ("reason: {==: fraudulent}", "reason: fraudulent"),
    ("reason: {is: fraudulent}", "reason: fraudulent"),
    ("evidence.refund_refusal_explanation: {is: null}", "evidence.refund_refusal_explanation: {exists: false}"),
    ("evidence.refund_refusal_explanation: {isnull: true}", "evidence.refund_refusal_explanation: {exists: false}"),
    ("reason: {is_null: false}", "reason: {exists: true}"),
    ("reason: {not_null: true}", "reason: {exists: true}"),
    ("evidence.refund_refusal_explanation: {missing: true}", "evidence.refund_refusal_explanation: {exists: false}"),
    ("reason: {empty: false}", "reason: {length: {gt: 0}}"),
    (
        "evidence.refund_refusal_explanation: {empty: true}",
        "evidence.refund_refusal_explanation: [{exists: false}, {length: 0}]",
    ),
    ("reason: {regex: '^fraud'}", 'reason: {matches: "^fraud"}'),
    ("reason: {'=~': '^fraud'}", 'reason: {matches: "^fraud"}'),
    ("reason: {'!~': ^gen}", "reason: {not: {matches: ^gen}}"),
    ("reason: {startswith: fraud}", "reason: {prefix: fraud}"),
    ("reason: {startsWith: [fraud, gen]}", "reason: [{prefix: fraud}, {prefix: gen}]"),
    ("reason: {not_starts_with: gen}", "reason: {not: {prefix: gen}}"),
    ("reason: {endswith: lent}", "reason: {suffix: lent}"),
    ("reason: {includes: audu}", "reason: {contains: audu}"),
    ("reason: {contains_any: [audu, xx]}", "reason: [{contains: audu}, {contains: xx}]"),
    ("reason: {contains_all: [audu, lent]}", "all: [{reason: {contains: audu}}, {reason: {contains: lent}}]"),
    ("reason: {does_not_contain: xx}", "reason: {not: {contains: xx}}"),
    ("reason: {not_contains: xx}", "reason: {not: {contains: xx}}"),
    ("reason: {like: '%audu%'}", 'reason: {glob: "*audu*"}'),
    ("reason: {ilike: '%AUDU%'}", 'reason: {glob: "*AUDU*", ignore_case: true}'),
    ("reason: {like: audu}", 'reason: {contains: "audu"}'),
    ("amount: {'>': 500 USD}", "amount: {gt: 500 USD}"),
    ("amount: {'>=': 500 USD}", "amount: {gte: 500 USD}"),
    ("amount: {<: 900 USD}", "amount: {lt: 900 USD}"),
    ("amount: {<=: 900 USD}", "amount: {lte: 900 USD}"),
    ("amount: {greater_than: 500 USD}", "amount: {gt: 500 USD}"),
    ("amount: {greater_than_or_equal: 500 USD}", "amount: {gte: 500 USD}"),
    ("amount: {less_than: 900 USD}", "amount: {lt: 900 USD}"),
    ("amount: {at_least: 500 USD}", "amount: {gte: 500 USD}"),
    ("amount: {max: 900 USD}", "amount: {lte: 900 USD}"),
    ("amount: {range: [1 USD, 900 USD]}", "amount: {between: [1 USD, 900 USD]}"),
    ("amount: {gte: 500 USD, <=: 900 USD}", "lte: 900 USD"),
    ("evidence.customer_purchase_ip: {subnet: 10.0.0.0/8}", "evidence.customer_purchase_ip: {cidr: 10.0.0.0/8}"),
    ("balance_transactions: {elemMatch: {amount: -75000}}", "balance_transactions: {any_item: {amount: -75000}}"),
    ("reason: {len: 10}", "reason: {length: 10}"),
    (
        "status: {from: warning_needs_response, to: needs_response}",
        "status: {changed: {from: warning_needs_response, to: needs_response}}",
    ),
    ("status: {changed_to: needs_response}", "status: {changed: {to: needs_response}}"),
    ("amount: {lte: 1,000 USD}", "lte: 1000 USD"),
    ("or: [{reason: fraudulent}, {amount: {gte: 5000 USD}}]", "any: [{reason: fraudulent}, {amount: {gte: 5000 USD}}]"),
    ("or: {reason: general, amount: {gte: 500 USD}}", "any: [{reason: general}, {amount: {gte: 500 USD}}]"),
    ("and: [{reason: fraudulent}, {status: needs_response}]", "all: [{reason: fraudulent}, {status: needs_response}]"),
    ("not: {status: won}", "none: [{status: won}]"),
    ("not: [{status: won}, {status: lost}]", "none: [{status: won}, {status: lost}]"),
    ("$or: [{reason: fraudulent}]", "any: [{reason: fraudulent}]"),
]


def _only(text: str) -> Mistake:
    (mistake,) = loaded(text).mistakes
    return mistake


def _fires(conditions: str) -> bool:
    """Whether a rule with these conditions is free of mistakes, and they hold of the dispute."""
    made = loaded(rule(when=f"{{type: charge.dispute.updated, where: {{{conditions}}}}}"))
    assert [str(each) for each in made.mistakes if each.code != "money"] == []
    about = event("charge.dispute.updated", previous=PREVIOUS)
    object.__setattr__(about, "object", DISPUTE)
    about.data["data"]["object"] = DISPUTE
    return holds(made.rulebook.rules[0].when[0].where, about)


@pytest.mark.parametrize(("written", "ours"), TESTS)
def test_the_hint_for_a_condition_works_as_it_says(written: str, ours: str) -> None:
    """One error, whose hint put in the place of the condition holds of a dispute that was meant."""
    mistake = _only(rule(when=f"{{type: charge.dispute.updated, where: {{{written}}}}}"))
    assert (mistake.level, mistake.hint) == ("error", f"write {ours}")
    operator = re.fullmatch(r"lte: .*", ours)
    assert _fires(f"amount: {{{ours}}}" if operator else ours)


NESTED = [
    ("amount: {not: {in: [1, 2]}}", "write not: [1, 2]", "amount: {not: [1, 2]}"),
    ("currency: {not: {equals: eur}}", "write not: eur", "currency: {not: eur}"),
    ("reason: {not: {startswith: gen}}", "write not: {prefix: gen}", "reason: {not: {prefix: gen}}"),
    ("currency: {not: {not_in: [usd]}}", "write not: {not: [usd]}", "currency: {not: {not: [usd]}}"),
    ("none: [{reason: {not: {ne: gen}}}]", "write not: {not: gen}", "none: [{reason: {not: {not: gen}}}]"),
    ("amount: {not: {gte: 1, <=: 9}}", "write lte: 9", "amount: {not: {gte: 1, lte: 9}}"),
    ("amount: {gte: 1, in: [5, 75000]}", "write not: {not: [5, 75000]}", "amount: {gte: 1, not: {not: [5, 75000]}}"),
    (
        "reason: {equals: FRAUDULENT, ignore_case: true}",
        "write eq: FRAUDULENT",
        "reason: {eq: FRAUDULENT, ignore_case: true}",
    ),
    (
        "reason: {in: [FRAUDULENT, B], ignore_case: true}",
        "write reason: [{eq: FRAUDULENT, ignore_case: true}, {eq: B, ignore_case: true}]",
        "reason: [{eq: FRAUDULENT, ignore_case: true}, {eq: B, ignore_case: true}]",
    ),
    (
        "reason: [{in: [fraudulent, b]}, {exists: false}]",
        "write fraudulent, b in place of {in: [fraudulent, b]}",
        "reason: [fraudulent, b, {exists: false}]",
    ),
    (
        "reason: {not: [{prefix: gen}, {equals: b}]}",
        "write b in place of {equals: b}",
        "reason: {not: [{prefix: gen}, b]}",
    ),
    (
        "reason: {not: {contains_all: [gen, b]}}",
        "write not: {not: [{not: {contains: gen}}, {not: {contains: b}}]}",
        "reason: {not: {not: [{not: {contains: gen}}, {not: {contains: b}}]}}",
    ),
    (
        "status: {changed: {from: {in: [warning_needs_response, won]}}}",
        "write from: [warning_needs_response, won]",
        "status: {changed: {from: [warning_needs_response, won]}}",
    ),
    (
        "status: {not: {from: lost, to: won}}",
        "write not: {changed: {from: lost, to: won}}",
        "status: {not: {changed: {from: lost, to: won}}}",
    ),
    ("reason: {not: null}", "write not: {exists: false}", "reason: {not: {exists: false}}"),
    ("reason: [fraudulent, null]", "write {exists: false}", "reason: [fraudulent, {exists: false}]"),
    ("reason: {length: {min: 3}}", "write gte: 3", "reason: {length: {gte: 3}}"),
    ("reason: {length: {equals: 10}}", "write eq: 10", "reason: {length: {eq: 10}}"),
    ("reason: {length: {ne: 3}}", "write {not: {length: 3}}", "reason: {not: {length: 3}}"),
    (
        "reason: {length: {in: [3, 10]}}",
        "write a list of tests: [{length: 3}, {length: 10}]",
        "reason: [{length: 3}, {length: 10}]",
    ),
    (
        "status: {changed: {old: warning_needs_response}}",
        "write from: warning_needs_response",
        "status: {changed: {from: warning_needs_response}}",
    ),
    (
        "status: {changed: {after: needs_response}}",
        "write to: needs_response",
        "status: {changed: {to: needs_response}}",
    ),
]


@pytest.mark.parametrize(("written", "hint", "whole"), NESTED)
def test_within_another_operator_the_hint_keeps_what_is_around_it(written: str, hint: str, whole: str) -> None:
    """Under `not`, in a list and under `changed` it says only what goes into its place, and not the path with it."""
    mistake = _only(rule(when=f"{{type: charge.dispute.updated, where: {{{written}}}}}"))
    assert (mistake.level, mistake.hint) == ("error", hint)
    assert _fires(whole)


def test_each_key_under_changed_is_told_by_itself() -> None:
    found = loaded(where("{livemode: {changed: {old: true, new: false}}}")).mistakes
    assert [each.hint for each in found if each.level == "error"] == ["write from: true", "write to: false"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("{not: 500 USD}", "write not: {between: [500 USD, 500 USD]}, or gte, gt, lte, lt"),
        ("[500 USD, 700 USD]", "write {between: [500 USD, 500 USD]}, or gte, gt, lte, lt"),
    ],
)
def test_money_within_another_operator_is_told_in_its_place(written: str, hint: str) -> None:
    found = loaded(where(f"{{amount: {written}}}")).mistakes
    assert next(each.hint for each in found if each.code == "money") == hint


@pytest.mark.parametrize(
    ("written", "ours"),
    [("gte: 50,000", "gte: 50000"), ("lte: 1,000,000.50 USD", "lte: 1000000.50 USD")],
)
def test_a_comma_between_digits_is_told_first(written: str, ours: str) -> None:
    """YAML makes keys of the rest, of which there may be mistakes to say as well."""
    first = loaded(where(f"{{amount: {{{written}}}}}")).mistakes[0]
    assert (first.code, first.hint) == ("operand", f"write {ours}")
    assert _fires(f"amount: {{{ours}}}")


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("metadata: {size: large}", "metadata.size"),
        ("metadata: {from: web}", "metadata.from"),
        ("evidence_details: {due_by: 5}", "evidence_details.due_by"),
    ],
)
def test_what_is_a_field_is_no_word_of_another_language(written: str, field: str) -> None:
    """Of a map of fields the deeper path is what is meant."""
    hint = _only(where(f"{{{written}}}")).hint
    assert hint == f"a map under a path is operators; for a deeper field write '{field}' as the path"


TEMPLATES = [
    ('status: "{{ vars.big }}"', "$vars.big"),
    ("reason: {prefix: '{{ vars.big }}'}", "$vars.big"),
    ("reason: {matches: '{{ vars.big }}'}", "$vars.big"),
    ("reason: [general, '{{ vars.big }}']", "$vars.big"),
    ("reason: {not: '{{ account.country }}'}", "$account.country"),
    ("amount: {gte: '{{ object.balance }}'}", "$.data.object.balance"),
    ("amount: {between: [1, '{{ vars.big }}']}", "$vars.big"),
    ("reason: {in_table: '{{ tables.vip }}'}", "$tables.vip"),
    ("created: {newer_than: '{{ vars.big }}'}", "$vars.big"),
    ("status: {changed: {from: '{{ vars.big }}'}}", "$vars.big"),
]


@pytest.mark.parametrize(("written", "ours"), TEMPLATES)
def test_a_template_in_a_condition_is_an_error(written: str, ours: str) -> None:
    """Neither taken by the letter nor put in: the name by itself is what conditions have."""
    mistake = _only(where(f"{{{written}}}"))
    assert (mistake.level, mistake.code, mistake.message) == (
        "error",
        "template",
        "there are no templates in conditions",
    )
    assert mistake.hint == f"write {ours}"


def test_a_template_that_is_more_than_a_name_has_no_twin_in_conditions() -> None:
    mistake = _only(where("{reason: '{% if event.livemode %}fraudulent{% endif %}'}"))
    assert mistake.hint == "write a value, or a name like $vars.big or $account.id"


UNRENDERED = [
    ("{contains: '{% x %}'}", r"{matches: '\{% x %\}'}", "is {% x %} here", "is { x } here"),
    ("{matches: '^{{.*}}$'}", r"{matches: '^\{\{.*\}\}$'}", "{{ name }}", "a {{ name }}"),
    ("{matches: '^a{2} {{.*}}'}", r"{matches: '^a{2} \{\{.*\}\}'}", "aa {{ name }}", "a {{ name }}"),
    ("{prefix: '{{ a.b }}?'}", r"{matches: '^\{\{ a\.b \}\}\?'}", "{{ a.b }}?", "{{ a-b }}?"),
    ('{suffix: "it\'s {{ x|y }}"}', r"{matches: 'it''s \{\{ x\|y \}\}$'}", "it's {{ x|y }}", "it's {{ x|y }}."),
]


@pytest.mark.parametrize(("written", "ours", "found", "other"), UNRENDERED)
def test_a_placeholder_that_was_left_as_it_is_can_be_looked_for(
    written: str, ours: str, found: str, other: str
) -> None:
    """The hint is a test that finds the braces, and nothing that the written one would not find."""
    mistake = _only(where(f"{{metadata.b: {written}}}"))
    assert mistake.code == "template"
    assert mistake.hint == f"write a name like $vars.big, or {ours} for the braces themselves"
    made = loaded(where(f"{{metadata.b: {ours}}}"))
    assert made.mistakes == ()
    condition = made.rulebook.rules[0].when[0].where
    for text, holding in ((found, True), (other, False)):
        about = event("payout.failed", object={"metadata": {"b": text}})
        assert holds(condition, about) is holding


@pytest.mark.parametrize(
    "written",
    ['{contains: "{{ a }}' + "x" * 90 + '"}', '{contains: "{{ a }}\\n{{ b }}"}', "{glob: '*{{*}}*'}"],
)
def test_of_a_long_text_of_lines_and_of_a_glob_the_hint_says_only_how_braces_are_written(written: str) -> None:
    """None of them is a pattern that one would want to read."""
    mistake = _only(where(f"{{metadata.b: {written}}}"))
    assert mistake.hint == r"write a name like $vars.big, or {matches: '\{\{'} for the braces themselves"


def test_braces_that_are_no_template_are_text() -> None:
    assert mistakes(where("{'evidence.customer_name': {matches: 'a{2}'}, 'metadata.x': '{y}'}")) == []


STARS = [
    ("evidence.customer_name: '*refund*'", 'evidence.customer_name: {glob: "*refund*"}'),
    ("evidence.customer_name: 'refund*'", 'evidence.customer_name: {glob: "refund*"}'),
    ("evidence.customer_name: {contains: 'refund*'}", 'evidence.customer_name: {glob: "refund*"}'),
    ("evidence.customer_name: {prefix: 'refund*'}", 'evidence.customer_name: {glob: "refund*"}'),
    ("evidence.customer_name: '*'", "evidence.customer_name: {exists: true}"),
]


@pytest.mark.parametrize(("written", "ours"), STARS)
def test_a_star_that_stands_for_itself_is_doubted(written: str, ours: str) -> None:
    """Elsewhere than under `glob` it is a character as any other."""
    mistake = _only(where(f"{{{written}}}"))
    assert (mistake.level, mistake.code, mistake.hint) == ("warning", "wildcard", f"write {ours}")
    assert mistakes(where(f"{{{ours}}}")) == []


@pytest.mark.parametrize(
    ("written", "hint", "whole"),
    [
        ("[a, '*b']", 'write {glob: "*b"}', '[a, {glob: "*b"}]'),
        ("{not: '*refund'}", 'write not: {glob: "*refund"}', '{not: {glob: "*refund"}}'),
        ("{not: {contains: 'a*'}}", 'write not: {glob: "a*"}', '{not: {glob: "a*"}}'),
        ("[{prefix: '*a'}, b]", 'write {glob: "*a"} in place of {prefix: "*a"}', '[{glob: "*a"}, b]'),
        ("{contains: 'a*', length: 5}", 'write glob: "a*"', '{glob: "a*", length: 5}'),
        ("{not: '*'}", "write not: {exists: true}", "{not: {exists: true}}"),
    ],
)
def test_a_star_within_another_operator_is_told_in_its_place(written: str, hint: str, whole: str) -> None:
    """Neither the other tests of a list are lost with it, nor a `not`."""
    mistake = _only(where(f"{{evidence.customer_name: {written}}}"))
    assert (mistake.level, mistake.code, mistake.hint) == ("warning", "wildcard", hint)
    assert mistakes(where(f"{{evidence.customer_name: {whole}}}")) == []


@pytest.mark.parametrize("written", ["{glob: '*refund*'}", "{matches: 'a*'}", "'a*b'", "{length: 5}"])
def test_a_star_elsewhere_is_no_doubt(written: str) -> None:
    assert mistakes(where(f"{{evidence.customer_name: {written}}}")) == []


PATHS = [
    ("data.object.amount: {gte: 500 USD}", "write amount: paths begin at the event's object"),
    ("object.amount: {gte: 500 USD}", "write amount: paths begin at the event's object"),
    ("data.previous_attributes.status: x", "write $previous.status, or status: {changed: {from: ..}}"),
    ("previous_attributes.status: x", "write $previous.status, or status: {changed: {from: ..}}"),
    ("event.account: acct_1", "write $event.account"),
    ("account: acct_1", "write it beside where, under when: account: .."),
    ("type: payout.failed", "write it beside where, under when: type: .."),
]


@pytest.mark.parametrize(("written", "hint"), PATHS)
def test_a_path_from_elsewhere_is_led_to_where_it_stands(written: str, hint: str) -> None:
    """The warning names what there is, and no field that is merely spelt like it."""
    mistake = _only(where(f"{{{written}}}"))
    assert mistake.code == "unknown-field"
    assert (mistake.hint or "").split("   ")[0] == hint


STEPS = [
    ("{slack: payments}", "write notify: payments"),
    ("{email: [payments, risk]}", "write notify: [payments, risk]"),
    ("{pagerduty: nobody}", "write notify: <a channel>; configured: console, risk, payments, onboarding"),
    ("{webhook: case-system}", "write callback: case-system"),
    ("{url: 'https://hooks.example.com/x'}", 'write callback: "https://hooks.example.com/x"'),
    ("{http: x}", "write callback: <a callback, or an https URL>; configured: case-system"),
]


@pytest.mark.parametrize(("written", "hint"), STEPS)
def test_a_step_by_another_name_is_led_to_its_verb(written: str, hint: str) -> None:
    """A hint with a value in it gives a step that is free of mistakes."""
    mistake = _only(rule(then=written))
    assert (mistake.code, mistake.hint) == ("unknown-verb", hint)
    if "<" not in hint:
        assert mistakes(rule(then=f"{{{hint.removeprefix('write ')}}}")) == []


TYPES = [
    ('"payout.failed|payout.canceled"', "write a list: [payout.failed, payout.canceled]"),
    ('"payout.failed, payout.canceled"', "write a list: [payout.failed, payout.canceled]"),
    ('"payout.* | *.failed"', 'write a list: [payout.*, "*.failed"]'),
    ("payout.*.failed", "did you mean 'payout.failed'?"),
    ("payuot.*", "did you mean 'payout.*'?"),
]


@pytest.mark.parametrize(("written", "hint"), TYPES)
def test_a_type_that_is_none_is_led_to_some_that_are(written: str, hint: str) -> None:
    """What the hint says is a type that Stripe sends."""
    assert _only(rule(when=written)).hint == hint
    found = re.search(r"\[.*\]|(?<=').*(?=')", hint)
    assert found is not None
    assert mistakes(rule(when=found[0])) == []


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("where: {amount: {gte: 500 USD}}", "put it inside when: {type: payout.failed, where: ..}"),
        ("conditions: {amount: {gte: 500 USD}}", "put it inside when: {type: payout.failed, where: ..}"),
        ("scope: connected", "put it inside when: {type: payout.failed, scope: ..}"),
        ("notify: payments", "put it inside then: {notify: ..}"),
        ("enabled: false", "write mode: live, or mode: off"),
        ("priority: high", "write severity: high"),
    ],
)
def test_a_key_of_a_rule_by_another_name(key: str, hint: str) -> None:
    """The hint says what the key is here, or under which it stands."""
    mistake = _only(rule(more=key))
    assert (mistake.code, mistake.hint) == ("unknown-key", hint)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("amount: {gte: 500 USD}", "put conditions inside where: {amount: {gte: 500 USD}}"),
        ("if: {amount: {gte: 500 USD}}", "write where: {path: test}"),
        ("any: [{amount: 5}]", "conditions stand under where: {any: [..]}"),
    ],
)
def test_a_condition_beside_where_is_led_into_it(key: str, hint: str) -> None:
    """A field is no key of `when`, however near it is to one."""
    mistake = _only(rule(when=f"{{type: payout.failed, {key}}}"))
    assert (mistake.code, mistake.hint) == ("unknown-key", hint)


def test_a_key_of_when_that_is_misspelt_is_still_that_key() -> None:
    """Nearly the same letters are one slip, not another language."""
    assert "did you mean 'scope'?" in mistakes(rule(when="{type: payout.failed, scpoe: connected}"))[0]


@pytest.mark.parametrize(
    ("written", "every"), [("daily", "day"), ("Weekly", "week"), ("hourly", "1h"), ("nightly", "day")]
)
def test_how_often_a_digest_comes(written: str, every: str) -> None:
    """Alone or under `every`: the hint is a digest."""
    assert _only(rule(more=f"digest: {written}")).hint == f"write {{every: {every}}}"
    assert _only(rule(more=f"digest: {{every: {written}}}")).hint == f"write {every}"
    assert mistakes(rule(more=f"digest: {{every: {every}}}")) == []
