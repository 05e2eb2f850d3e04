"""The docs say what the code does."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from docs import examples, mistaken
from docs.generate import BLOCK, PARTS
from engine.cli.app import GROUPS
from engine.match import OPERATORS
from engine.match.paths import NAMES as PATH_NAMES
from engine.model.delivery import DeliveryStatus
from engine.model.rule import OnError, Rule, RuleMode, Severity, Step, Verb
from engine.model.timing import TOLD, QuietDo
from engine.observe import Metrics
from engine.render import render_text, render_value
from engine.render.filters import FILTERS
from engine.render.survey import EVENT_NAMES, NAMES, RULE_NAMES
from engine.rulebook import CODES as RULE_CODES
from engine.rulebook import Rulebook, load, read_rule_files, timing
from engine.rulebook.calendars import KEYS as CALENDAR_KEYS
from engine.rulebook.calendars import WEEKDAYS
from engine.rulebook.codes import OF_SEVERAL_RULES
from engine.rulebook.policies import KEYS as RETRY_KEYS
from engine.rulebook.rules import FILE_KEYS, RULE_KEYS
from engine.rulebook.steps import COMMON as STEP_KEYS
from engine.rulebook.timing import counts, course, noise, others
from engine.rulebook.verbs import VERBS
from engine.rulebook.whens import KEYS as WHEN_KEYS
from engine.samples import as_if_read
from engine.settings import CODES as CONFIG_CODES
from engine.settings import describe, load_settings
from engine.testing import read_tests
from engine.testing.expecting import KEYS as EXPECT_KEYS
from engine.testing.giving import KEYS as GIVEN_KEYS
from engine.testing.reading import FILE_TEST_KEYS, TEST_KEYS
from engine.testing.running import Runner
from engine.testing.timelines import OUTCOME_KEYS
from engine.testing.timelines import STEP_KEYS as TIMELINE_STEP_KEYS
from engine.testing.trial import Answer, RuleTest
from engine.work.examples import names_of
from notifiers.signing import signature_headers

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
ENVIRONMENT = {
    "STRIPE_WEBHOOK_SECRET": "whsec_" + "0" * 32,
    "PAYMENTS_CHANNEL": "json://127.0.0.1:9/hook",
}


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(language: str) -> list[tuple[str, str]]:
    """Every fenced block of that language in the docs: `(page:line, text)`."""
    return [
        (f"{path.relative_to(ROOT)}:{path.read_text()[: found.start()].count(chr(10)) + 1}", found[2])
        for path in PAGES
        for found in FENCE.finditer(path.read_text())
        if found[1] == language
    ]


def ids(found: list[tuple[str, str]]) -> list[str]:
    """The places of blocks, as names of tests."""
    return [where for where, _ in found]


def anchors(path: Path) -> set[str]:
    """What GitHub makes of a page's headings (fenced lines are none)."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its rank or above."""
    rank, _, _ = heading.partition(" ")
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(rank)}}} |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"there is no heading {heading!r}"
    return found[1]


def unnamed(words: Iterable[str], text: str) -> list[str]:
    """The words that do not stand in code marks in the text."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    marked = set(re.findall(r"`([^`\n]+)`", prose))
    return [word for word in words if word not in marked]


def test_generated_parts_are_as_the_code_has_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"stale, run python -m docs.generate: {done.stdout}{done.stderr}"


def test_every_generated_part_stands_on_a_page() -> None:
    used = [found[2] for path in PAGES for found in BLOCK.finditer(path.read_text())]
    assert sorted(used) == sorted(PARTS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """To files that are there, and to headings that are in them."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(), flags=re.M | re.S)
    for target, anchor in LINK.findall(prose):
        if "://" in target:
            continue
        there = path.parent / target if target else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


YAML = blocks("yaml")
TABLES = {"docs/accounts.csv": blocks("csv")[0][1]}
RULES = [block for block in YAML if re.search(r"^(rules|defaults):\n", block[1], re.MULTILINE) and "- id:" in block[1]]
TESTS = [block for block in YAML if block[1].startswith("tests:\n")]
CONFIGS = [block for block in YAML if block not in (*RULES, *TESTS)]


@pytest.mark.parametrize(("where", "text"), RULES, ids=ids(RULES))
def test_rules_in_the_docs_pass_check(where: str, text: str) -> None:
    """Without an error or a warning."""
    loaded = load({where: text, **TABLES}, examples.KNOWN)
    assert list(map(str, loaded.mistakes)) == []
    assert loaded.rulebook.rules


def test_tests_in_the_docs_pass() -> None:
    """Those of rules, and those in files of tests, among the rules of the docs and the ready-made ones."""
    ready_made = read_rule_files([ROOT / "rules"], ROOT)
    for where, text in RULES:
        rulebook = load({where: text, **TABLES}, examples.KNOWN).rulebook
        _run_tests({where: text}, rulebook)
    for where, text in TESTS:
        page_, _, _ = where.partition(":")
        beside = {place: rules for place, rules in RULES if "tests:" in rules and place.startswith(f"{page_}:")}
        around = {**ready_made, **TABLES, **beside}
        _run_tests({**around, f"{where}_test.yaml": text}, load(around, examples.KNOWN).rulebook)


def _run_tests(sources: dict[str, str], rulebook: Rulebook) -> None:
    found = read_tests(sources, rulebook.rules, ROOT)
    assert list(map(str, found.mistakes)) == []
    runner = Runner(rulebook)
    for test in found.tests:
        assert runner.run(test).problems == (), test.title


@pytest.mark.parametrize(("where", "text"), RULES, ids=ids(RULES))
def test_texts_in_the_docs_render(where: str, text: str) -> None:
    """For a plausible event of each type that the rule names; a reader who copies one gets a message."""
    book = load({where: text, **TABLES}, examples.KNOWN).rulebook
    for rule in book.rules:
        for type_ in (name for when in rule.when for name in when.types if "*" not in name):
            event = examples.event(type_)
            event = as_if_read(event, book.wants(event))
            results = {step.id: {"ok": True, "result": _result(step)} for step in rule.steps}
            for step in rule.steps:
                names = names_of(rule, step, event, results, event.received)
                render_value({key: value for key, value in step.options.items() if key != "table"}, names)
                for target in set(step.targets) - set(step.columns):
                    render_text(target, names)


def _result(step: Step) -> Any:
    """What a Stripe step of the docs may have read."""
    charge = examples.event("charge.succeeded").object
    account = examples.event("account.updated").object
    answers = {"charges.retrieve": charge, "accounts.update": account}
    return answers.get(step.targets[0], {"data": [], "status": 200, "body": None})


@pytest.mark.parametrize("name", ["docs/rules.md", "docs/recipes.md"])
def test_rules_of_a_page_stand_beside_the_ready_made_ones(name: str) -> None:
    """Whoever puts them into rules/ finds no id taken."""
    ours = {where: text for where, text in RULES if where.startswith(name)}
    loaded = load({**read_rule_files([ROOT / "rules"], ROOT), **ours, **TABLES}, examples.KNOWN)
    assert [str(each) for each in loaded.mistakes if each.code not in OF_SEVERAL_RULES] == []


def test_every_recipe_is_a_file_with_tests_for_yes_and_for_no() -> None:
    recipes = re.split(r"^## \d+\. ", page("recipes.md"), flags=re.MULTILINE)[1:]
    assert len(recipes) == 20
    for recipe in recipes:
        (text,) = (found[2] for found in FENCE.finditer(recipe) if "rules:\n" in found[2])
        rules = load({"docs/recipe.yaml": text, **TABLES}, examples.KNOWN).rulebook.rules
        tested = read_tests({"docs/recipe.yaml": text}, rules, ROOT).tests
        for rule in rules:
            answers = [each.expect for each in tested if isinstance(each, RuleTest) and each.rules == (rule.id,)]
            assert {each.fires for each in answers if isinstance(each, Answer)} == {True, False}, rule.id


@pytest.mark.parametrize(("where", "text"), CONFIGS, ids=ids(CONFIGS))
def test_configuration_in_the_docs_loads(where: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    load_settings(file, ENVIRONMENT)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_has_an_example_that_loads(name: str) -> None:
    assert f"| `{name}` |" in section(page("rules.md"), "### Tests")
    example = examples.OPERATORS[name]
    text = "tables: {main_currencies: [usd]}\n"
    text += f"rules:\n- id: a\n  when:\n    type: '*'\n    where: {{{example}}}\n  then: {{notify: risk}}\n"
    loaded = load({"a.yaml": text}, examples.KNOWN)
    assert list(map(str, loaded.mistakes)) == []
    assert f"{name}:" in example


@pytest.mark.parametrize("name", examples.FILTERS)
def test_every_filter_of_our_own_is_used_in_its_examples(name: str) -> None:
    assert all(re.search(rf"\| {name}\b", use) for use in examples.FILTERS[name])
    assert FILTERS[name].__module__.startswith("engine.")


def test_no_filter_of_our_own_is_taken_for_one_of_jinja() -> None:
    ours = {name for name, found in FILTERS.items() if found.__module__ == "engine.render.filters"}
    assert ours - set(examples.FILTERS) == set()


STATEMENTS: dict[str, tuple[Callable[[], Iterable[str]], str]] = {
    "keys of a file": (lambda: FILE_KEYS, "## A file"),
    "keys of a rule": (lambda: RULE_KEYS, "## A rule"),
    "keys of time and noise": (
        lambda: timing.KEYS,
        "## Time, state and noise",
    ),
    "keys of other events": (lambda: others.FOLLOWED_KEYS, "### Other events"),
    "keys of a threshold": (lambda: (*counts.KEYS, *counts.RATIO_KEYS), "### threshold"),
    "keys of an incident": (lambda: (*course.INCIDENT_KEYS, "after"), "### incident and escalate"),
    "keys of remind": (lambda: course.REMIND_KEYS, "### remind"),
    "keys against noise": (
        lambda: (*noise.THROTTLE_KEYS, *noise.QUIET_KEYS, *noise.DIGEST_KEYS, *noise.BY_CLOCK, *QuietDo, *WEEKDAYS),
        "### throttle, quiet and digest",
    ),
    "keys of a calendar": (lambda: CALENDAR_KEYS, "### throttle, quiet and digest"),
    "names of a window": (
        lambda: (f"{name}.{field}" for name, fields in TOLD.items() for field in fields or ()),
        "## Time, state and noise",
    ),
    "severities": (lambda: Severity, "## A rule"),
    "modes": (lambda: RuleMode, "## A rule"),
    "keys of a test": (lambda: TEST_KEYS, "## Testing rules"),
    "keys of a test in a file of tests": (lambda: FILE_TEST_KEYS, "## Testing rules"),
    "keys of given": (lambda: GIVEN_KEYS, "## Testing rules"),
    "keys of expect": (lambda: (*EXPECT_KEYS, "fired"), "## Testing rules"),
    "keys of a step of a timeline": (lambda: TIMELINE_STEP_KEYS, "### Tests over time"),
    "keys of expect in a timeline": (lambda: OUTCOME_KEYS, "### Tests over time"),
    "keys of when": (lambda: WHEN_KEYS, "## when"),
    "names in paths": (lambda: [name.replace("$account", "$account.id") for name in PATH_NAMES], "## where"),
    "keys of a step": (lambda: STEP_KEYS, "## then"),
    "keys of retry": (lambda: RETRY_KEYS, "### Retry"),
    "what dependants do": (lambda: OnError, "## then"),
    "names in texts": (lambda: NAMES, "## Texts"),
    "names of a rule in texts": (lambda: RULE_NAMES, "## Texts"),
}


@pytest.mark.parametrize("what", STATEMENTS)
def test_the_reference_names_every(what: str) -> None:
    words, heading = STATEMENTS[what]
    assert unnamed(map(str, words()), section(page("rules.md"), heading)) == []


@pytest.mark.parametrize("verb", VERBS)
def test_the_reference_names_every_option_of(verb: Verb) -> None:
    assert unnamed(VERBS[verb].options, section(page("rules.md"), f"### {verb}")) == []


def test_the_event_in_texts_is_described_by_names_it_has() -> None:
    (row,) = (line for line in section(page("rules.md"), "## Texts").splitlines() if line.startswith("| `event` |"))
    assert set(re.findall(r"`(\w+)`", row)) - {"event"} <= EVENT_NAMES


def test_every_setting_has_its_row() -> None:
    assert [key for key, _, _ in describe() if f"| `{key}` |" not in page("configuration.md")] == []


def test_every_metric_has_its_row() -> None:
    assert [name for name, _, _ in Metrics().describe() if f"| `{name}` |" not in page("operations.md")] == []


def test_every_metric_that_is_named_exists() -> None:
    """Also in the prose about alerts; a histogram's series end in _bucket, _count and _sum."""
    known = {name for name, _, _ in Metrics().describe()}
    named = {word for path in PAGES for word in re.findall(r"\btocsin_[a-z_]+", path.read_text())}
    assert {name for name in named if re.sub(r"_(bucket|count|sum)$", "", name) not in known | named & known} == set()


def test_every_code_has_its_heading() -> None:
    headings = set(re.findall(r"^## (\S+)$", page("mistakes.md"), re.MULTILINE))
    assert headings == {*RULE_CODES, *CONFIG_CODES}


def test_every_mistake_in_a_file_of_rules_is_shown() -> None:
    assert set(RULE_CODES) - set(mistaken.FILES) == {"too-large", "rules-path"}
    for code in mistaken.FILES:
        assert f"[{code}]" in mistaken.shown(code)


def test_every_command_has_its_heading() -> None:
    headings = set(re.findall(r"^## tocsin (.+)$", page("commands.md"), re.MULTILINE))
    assert headings == {" ".join(words) for words in examples.COMMANDS}


def test_commands_that_the_docs_name_exist() -> None:
    """With the options they are shown with."""
    for path in PAGES:
        if path.name == "commands.md":
            continue
        for line in re.findall(r"(?:`|^|/)tocsin ([a-z][^`\n]*)", path.read_text(), re.MULTILINE):
            words = line.split()
            length = 2 if words[0] in GROUPS else 1
            assert words[:length] in examples.COMMANDS, f"{path.name}: tocsin {line}"
            shown = section(page("commands.md"), f"## tocsin {' '.join(words[:length])}")
            options = [word for word in words if word.startswith("--")]
            assert all(option in shown for option in options), f"{path.name}: tocsin {line}"


@pytest.mark.parametrize("status", DeliveryStatus)
def test_the_glossary_has_every_status_of_a_delivery(status: DeliveryStatus) -> None:
    assert f"**{status.capitalize()}**: " in page("glossary.md")


def test_the_receiver_of_the_docs_verifies_what_tocsin_signs() -> None:
    """The python block of callbacks.md, run against the code that signs: also while a secret is rolled."""
    ((_, code),) = [block for block in blocks("python") if block[0].startswith("docs/callbacks.md")]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/callbacks.md", "exec"), names)
    verified = names["verified"]
    old, new = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LW9sZA==", "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldw=="
    body = '{"amount":42000,"name":"Kaffeehaus Österreich"}'.encode()
    rolled = signature_headers("dlv_1", 1_767_225_600, body, [new, old])
    assert verified(rolled, body, old)
    assert verified(rolled, body, new)
    assert not verified(signature_headers("dlv_1", 1_767_225_600, body, [old]), body, new)
    assert not verified(rolled, body + b" ", new)
    assert not verified({**rolled, "webhook-id": "dlv_2"}, body, new)
    assert not verified({**rolled, "webhook-timestamp": "1767225601"}, body, new)


def test_the_tutorial_fires_where_it_says_so() -> None:
    """Each rule on the event that its paragraph is about."""
    fired = {
        "payout-came-back": examples.event("payout.failed"),
        "bank-account-gone": examples.event("payout.failed"),
        "large-dispute": examples.event("charge.dispute.created", amount=45000),
        "payouts-stopped": examples.event("account.updated"),
        "transfer-taken-back": examples.event("transfer.reversed"),
        "dispute-to-case-system": examples.dispute(),
        "dispute-with-customer": examples.dispute(),
        "every-large-charge": examples.event("charge.succeeded", amount=10_000_000, currency="gbp"),
    }
    for rule_id, event in fired.items():
        rule: Rule = examples.rule_of(rule_id)
        rulebook = load({"rules.yaml": examples.block_with(rule_id)}, examples.KNOWN).rulebook
        assert rule.id in [match.rule.id for match in rulebook.match(event)], rule_id


def test_every_guarantee_names_a_test_that_exists() -> None:
    """A promise without its test, or with one that was renamed, is noticed here."""
    rows = [line for line in page("guarantees.md").splitlines() if line.startswith("|") and not line.startswith("|---")]
    promises = [row for row in rows if not row.startswith("| fault |")]
    assert len(promises) > 25
    for row in promises:
        named = re.search(r"`(tests/[a-z_/]+\.py)::(test_\w+)` \|$", row)
        assert named is not None, row
        assert f"def {named[2]}(" in (ROOT / named[1]).read_text(), row
