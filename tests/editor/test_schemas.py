"""The schemas for editors say of a file's form what check says."""

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from docs import mistaken
from docs.examples import OPERATORS as EXAMPLES
from engine.editor import rules, schema_of_config, schema_of_rules, schema_of_tests, tests, timing
from engine.editor.conditions import where_definitions
from engine.match import OPERATORS
from engine.model.catalog import catalog
from engine.model.event import Json
from engine.rulebook.calendars import KEYS as CALENDAR_KEYS
from engine.rulebook.rules import FILE_KEYS, RULE_KEYS
from engine.rulebook.steps import COMMON
from engine.rulebook.timing import KEYS, counts, course, noise, others
from engine.rulebook.verbs import VERBS
from engine.rulebook.whens import KEYS as WHEN_KEYS
from engine.source import parse, plain
from engine.testing.expecting import KEYS as ANSWER_KEYS
from engine.testing.giving import KEYS as GIVEN_KEYS
from tests.test_docs import CONFIGS, ROOT, RULES, TESTS, ids

SCHEMAS = {"rules": schema_of_rules(), "tests": schema_of_tests(), "config": schema_of_config()}
OF_FORM = frozenset(
    {
        *("unknown-key", "missing-key", "type", "empty", "null", "id", "unknown-value", "defaults", "duration"),
        *("unknown-scope", "unknown-operator", "operand", "unknown-verb", "clock"),
    }
)
"""Mistakes in the form of a file; all others are in what it says: names, paths, texts, and what Stripe has."""

OF_YAML = frozenset({"syntax", "duplicate-key", "merge-key", "number"})


def problems(kind: str, text: str) -> list[str]:
    """What a schema says of a file."""
    root = parse(text, "file.yaml").root
    value: Json = None if root is None else plain(root, exact=False)
    found = Draft202012Validator(SCHEMAS[kind]).iter_errors(value)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message[:200]}" for each in found]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize("file", sorted((ROOT / "rules").rglob("*.yaml")), ids=lambda file: str(file.name))
def test_ready_made_rules_fit(file: Path) -> None:
    assert problems("rules", file.read_text()) == []


@pytest.mark.parametrize(("where", "text"), RULES, ids=ids(RULES))
def test_rules_in_the_docs_fit(where: str, text: str) -> None:
    assert problems("rules", text) == []


@pytest.mark.parametrize(("where", "text"), TESTS, ids=ids(TESTS))
def test_tests_in_the_docs_fit(where: str, text: str) -> None:
    assert problems("tests", text) == []


@pytest.mark.parametrize(("where", "text"), CONFIGS, ids=ids(CONFIGS))
def test_configuration_in_the_docs_fits(where: str, text: str) -> None:
    assert problems("config", text) == []


def test_the_example_configuration_fits_also_with_every_key() -> None:
    text = (ROOT / "config.example.yaml").read_text()
    assert problems("config", text) == []
    assert problems("config", re.sub(r"^#(?=\S| {2,})", "", text, flags=re.MULTILINE)) == []


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_is_in_it_with_its_meaning(name: str) -> None:
    text = f"rules:\n- id: a\n  when: {{type: payout.failed, where: {{{EXAMPLES[name]}}}}}\n  then: {{notify: risk}}\n"
    assert problems("rules", text) == []
    assert OPERATORS[name].doc in where_definitions()["operators"]["properties"][name]["description"]


@pytest.mark.parametrize("code", sorted(set(mistaken.FILES) - OF_YAML))
def test_it_refuses_mistakes_of_form_and_no_others(code: str) -> None:
    """Each is a file with that one mistake; what YAML itself refuses never comes this far."""
    text = mistaken.FILES[code]
    root = parse(text, "file.yaml").root
    value: Json = None if root is None else plain(root, exact=False)
    found = list(Draft202012Validator(schema_of_rules()).iter_errors(value))
    assert bool(found) == (code in OF_FORM), found


@pytest.mark.parametrize(
    "text",
    [
        "rules: {}",
        "rules:\n- {id: a, when: payout.failed}",
        "rules:\n- {id: a, then: {notify: risk}}",
        "rules:\n- {id: a, when: y, then: {notify: risk}, tests: [{given: {account: acct_1}, expect: fires}]}",
        "rules:\n- {id: A B, when: payout.failed, then: {notify: risk}}",
        "rules:\n- {id: a, when: payout.failed, then: {notify: risk, callback: x}}",
        "rules:\n- {id: a, when: payout.failed, then: {notify: risk, timeout: 5s}}",
        "rules:\n- {id: a, when: payout.failed, then: {notify: risk, method: POST}}",
        "rules:\n- {id: a, when: {where: {x: {gte: $500}}, type: y}, then: {notify: risk}}",
        "rules:\n- {id: a, when: {where: {x: {between: [1]}}, type: y}, then: {notify: risk}}",
        "rules:\n- {id: a, when: {where: {x: {changed: false}}, type: y}, then: {notify: risk}}",
        "rules:\n- {id: a, when: {where: {x: []}, type: y}, then: {notify: risk}}",
        "rules:\n- {id: a, when: {where: {any: {x: 1}}, type: y}, then: {notify: risk}}",
        "rules:\n- {id: a, when: {where: {x: {exists: yes}}, type: y}, then: {notify: risk}}",
        "rules:\n- {id: a, when: y, then: {notify: risk}, lint: {ignore: unknown-key, because: x}}",
        "rules:\n- {id: a, when: y, then: {notify: risk}, tests: [{given: {event: payout.failed}}]}",
        "defaults: {then: {notify: risk}}",
        "defaults: {when: {where: {x: 1}}}",
        "tables: {vip: {key: account}}",
    ],
)
def test_it_refuses(text: str) -> None:
    assert problems("rules", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rules:",
        "defaults: {severity: high, owner: none, when: {scope: connected}}",
        "rules:\n- {id: a, when: [payout.failed, {type: 'x.*'}], then: [{notify: [a, b]}], owner: none}",
        "rules:\n- {id: a, when: {type: y, livemode: any, scope: [platform, any], account: acct_1}, then: {notify: a}}",
        "rules:\n- {id: a, when: {type: y, where: {x: {changed: {added: true}}}}, then: {notify: a}}",
        "rules:\n- {id: a, when: {type: y, where: {x: [1, {gt: 5}], none: [{y: true}]}}, then: {notify: a}}",
        "rules:\n- {id: a, when: {type: y, where: {x: {gte: [5 USD, others], lt: 2026-01-31}}}, then: {notify: a}}",
        "rules:\n- {id: a, when: y, then: {callback: x, headers: {a: 1}, body: 5, success: [200-299, 404]}}",
        "vars: {big: 500 USD}\ntables: {vip: [acct_1], all: {file: a.csv, key: a, types: {n: integer}}}",
    ],
)
def test_it_takes(text: str) -> None:
    assert problems("rules", text) == []


@pytest.mark.parametrize(
    "text",
    [
        "endpoints: [{name: a}]",
        "endpoints: [{name: a, secret: whsec_1}]",
        "chanels: {}",
        "channels: {a: {min_severity: high}}",
        "channels: {a: {url: x, min_severity: hi}}",
        "store: {statement_timeout: 5 seconds}",
        "logs: {level: [info]}",
        "default_livemode: maybe",
    ],
)
def test_a_configuration_it_refuses(text: str) -> None:
    assert problems("config", text)


def test_event_types_are_suggested_and_others_taken() -> None:
    """Editors complete what is in an enumeration; Stripe adds types."""
    suggested = schema_of_rules()["$defs"]["eventTypes"]["anyOf"][0]["enum"]
    assert suggested == list(catalog())
    assert problems("rules", "rules:\n- {id: a, when: charge.sparkled, then: {notify: a}}") == []


def test_every_key_of_the_tables_has_its_form() -> None:
    """A key that the loader learns is described here, or an editor would take anything under it."""
    assert set(rules.RULE) == set(RULE_KEYS)
    assert set(rules.WHEN) == set(WHEN_KEYS)
    assert {"rules", "defaults", *rules.DEFINITIONS} == set(FILE_KEYS)
    assert set(timing.TIMING) == set(KEYS)
    assert set(timing.EVENT) == {*others.FOLLOWED_KEYS, *others.SETTLING_KEYS, *others.OF_KEYS}
    assert set(timing.THRESHOLD) == set(counts.KEYS)
    assert set(timing.RATIO) == set(counts.RATIO_KEYS)
    assert set(timing.INCIDENT) == set(course.INCIDENT_KEYS)
    assert set(timing.ESCALATION) == set(course.ESCALATION_KEYS)
    assert set(timing.REMIND) == set(course.REMIND_KEYS)
    assert set(timing.THROTTLE) == set(noise.THROTTLE_KEYS)
    assert set(timing.QUIET) == set(noise.QUIET_KEYS)
    assert set(timing.DIGEST) == set(noise.DIGEST_KEYS)
    assert set(timing.CALENDAR) == set(CALENDAR_KEYS)
    assert set(rules.COMMONS) == set(COMMON)
    assert set(rules.TARGETS) == set(VERBS)
    assert set(rules.OPTIONS) == {option for verb in VERBS.values() for option in verb.options}
    assert set(tests.GIVEN) == set(GIVEN_KEYS)
    assert set(tests.ANSWER) == set(ANSWER_KEYS)
