"""Tests as they are written: the `tests` of rules, and files of tests beside them.

The service does not read them: a mistake in a test keeps no rule from running. `tocsin check` and `tocsin test` do.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.model.mistake import Mistake
from engine.model.rule import Rule
from engine.rulebook.fields import check_keys, did_you_mean, expected, mapping, read, text
from engine.rulebook.files import TABLES, is_test_file
from engine.rulebook.findings import Findings
from engine.rulebook.rules import in_order
from engine.source import Document, Node, Parse, Scalar, Sequence, parse
from engine.source import Mapping as Map
from engine.testing.expecting import read_answer, read_fired
from engine.testing.giving import read_given
from engine.testing.timelines import KEYS as TIMELINE_KEYS
from engine.testing.timelines import read_timeline
from engine.testing.trial import Answer, Fired, RuleTest, Test, TimelineTest

TEST_KEYS = ("name", "given", "expect", *TIMELINE_KEYS)
FILE_TEST_KEYS = ("rule", *TEST_KEYS)
FILE_KEYS = ("tests",)
_OF_STEPS = "at"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTests:
    """What was read. Tests with a mistake are left out of `tests`; `untested` are the rules that have none."""

    tests: tuple[Test, ...]
    mistakes: tuple[Mistake, ...]
    untested: tuple[str, ...]


def read_tests(
    sources: Mapping[str, str],
    rules: Collection[Rule],
    base: Path,
    *,
    parse: Parse = parse,
) -> ReadTests:
    """The tests in these files (name -> text), of rules and of tests; CSV files of tables are passed over.

    `rules` are those that loaded; `base` is what the names of files are relative to. What is wrong with a file but for
    its tests is for the loader to say.
    """
    by_id = {rule.id: rule for rule in rules}
    reader = _Reader(by_id, {rule.id for rule in rules}, base)
    documents = [parse(text_, file) for file, text_ in sources.items() if not file.endswith(TABLES)]
    for document in documents:
        if not is_test_file(document.file):
            reader.read_rules(document)
    for document in documents:
        if is_test_file(document.file):
            reader.read_file(document)
    tested = {rule_id for test in reader.tests for rule_id in test.rules}
    return ReadTests(
        tests=tuple(reader.tests),
        mistakes=in_order(tuple(reader.mistakes)),
        untested=tuple(rule.id for rule in rules if rule.id not in tested),
    )


class _Reader:
    """Reads document after document. `ids` grows by every rule that is written, whether or not it loaded."""

    def __init__(self, rules: Mapping[str, Rule], ids: set[str], base: Path) -> None:
        self.tests: list[Test] = []
        self.mistakes: list[Mistake] = []
        self._rules = rules
        self._ids = ids
        self._base = base

    def read_rules(self, document: Document) -> None:
        """The `tests` of each rule of a file of rules."""
        found = Findings()
        for rule in _rules_in(document.root):
            id_, tests = rule.get("id"), rule.get("tests")
            if not isinstance(id_, Scalar):
                continue
            self._ids.add(id_.text)
            if tests is not None:
                self._read_list(found, tests, document.file, id_.text)
        self.mistakes += found.mistakes

    def read_file(self, document: Document) -> None:
        """A file of tests."""
        found = Findings()
        if document.root is not None:
            root = mapping(found, document.root, "a map with 'tests'")
            if root is not None:
                check_keys(found, root, "a file of tests", FILE_KEYS)
                tests = root.get("tests")
                if tests is not None:
                    self._read_list(found, tests, document.file, None)
        self.mistakes += [*document.mistakes, *found.mistakes]

    def _read_list(self, found: Findings, node: Node, file: str, owner: str | None) -> None:
        if not isinstance(node, Sequence):
            expected(found, node, "a list of tests", "begin each with '- given:'")
            return
        for number, item in enumerate(node.items, 1):
            test = self._read_test(found, item, file, owner, number)
            if test is not None:
                self.tests.append(test)

    def _read_test(self, found: Findings, node: Node, file: str, owner: str | None, number: int) -> Test | None:
        test = mapping(found, node, "a test: a map with given and expect, or a timeline")
        if test is None:
            return None
        errors = found.errors
        check_keys(found, test, "a test", (*(FILE_TEST_KEYS if owner is None else TEST_KEYS), _OF_STEPS))
        over_time = test.get("timeline") is not None
        _check_form(found, test, over_time=over_time)
        name = read(test, "name", lambda value: text(found, value))
        rule_id = owner if owner is not None else self._named_rule(found, test)
        rule = self._rules.get(rule_id) if rule_id is not None else None
        folder = (self._base / file).parent
        if over_time:
            timeline = read_timeline(found, test, folder, rule_id, rule, self._known_rule)
            if found.errors > errors or timeline is None:
                return None
            return TimelineTest(rule=rule_id, timeline=timeline, number=number, position=test.position, name=name)
        given = read(test, "given", lambda value: read_given(found, value, folder, rule))
        expect_node = test.get("expect")
        expect: Answer | Fired | None = None
        if expect_node is not None:
            if rule_id is None:
                expect = read_fired(found, expect_node, self._known_rule)
            else:
                expect = read_answer(found, expect_node, rule)
        if found.errors > errors or given is None or expect is None:
            return None
        return RuleTest(rule=rule_id, given=given, expect=expect, number=number, position=test.position, name=name)

    def _named_rule(self, found: Findings, test: Map) -> str | None:
        node = test.get("rule")
        given = None if node is None else text(found, node, "the id of a rule")
        if node is not None and given is not None:
            self._known_rule(found, node, given)
        return given

    def _known_rule(self, found: Findings, node: Node, rule_id: str) -> None:
        """Note that there is no such rule."""
        if rule_id not in self._ids:
            found.error("unknown-rule", node, f"there is no rule '{rule_id}'{did_you_mean(rule_id, self._ids)}")


def _check_form(found: Findings, test: Map, *, over_time: bool) -> None:
    """A test is of one event, or of several over time."""
    if not over_time:
        for key in ("given", "expect"):
            if test.get(key) is None:
                found.error("missing-key", test, f"this test has no '{key}'")
    for entry in test.entries:
        if entry.name in ("given", "expect") and over_time:
            message = f"'{entry.name}' cannot stand beside 'timeline'"
            found.error("given", entry.key, message, "write it in a step of the timeline")
        elif entry.name == _OF_STEPS:
            message = f"'{_OF_STEPS}' is the time of a step, and stands in a timeline"
            found.error("given", entry.key, message, 'write timeline: [{at: "09:00", given: ..}]')
        elif entry.name in ("day", "timezone") and not over_time:
            found.error("given", entry.key, f"'{entry.name}' is about a timeline, and this test has none")


def _rules_in(root: Node | None) -> Iterator[Map]:
    rules = root.get("rules") if isinstance(root, Map) else None
    if isinstance(rules, Sequence):
        yield from (rule for rule in rules.items if isinstance(rule, Map))
