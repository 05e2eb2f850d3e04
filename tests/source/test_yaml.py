"""YAML 1.2 with positions: what words mean, where nodes stand, what is a mistake."""

import json
import string
import time
from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.event import Json
from engine.source import Document, Mapping, Node, ParseOnce, Scalar, Sequence, parse, plain


def read(text: str) -> Document:
    return parse(text, "r.yaml")


def value(text: str) -> Json:
    document = read(text)
    assert document.mistakes == (), document.mistakes
    assert document.root is not None
    return plain(document.root)


def codes(text: str) -> list[str]:
    return [mistake.code for mistake in read(text).mistakes]


@pytest.mark.parametrize(
    "word", ["no", "yes", "on", "off", "y", "n", "22:00", "0o", "2026-11-24", "1_000", "tRue", "0b1"]
)
def test_words_that_older_yaml_changes_are_text(word: str) -> None:
    assert value(f"a: {word}") == {"a": word}


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-17", -17),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.50", Decimal("1.50")),
        ("1e3", Decimal(1000)),
        (".5", Decimal("0.5")),
        ("9" * 300, int("9" * 300)),
    ],
)
def test_words_that_are_no_text(word: str, meaning: Json) -> None:
    found = value(f"a: {word}")["a"]
    assert found == meaning
    assert type(found) is type(meaning)


def test_quoted_words_are_text() -> None:
    assert value("""{a: "true", b: '1', c: "", d: 'null'}""") == {"a": "true", "b": "1", "c": "", "d": "null"}


def test_decimals_stay_exact_unless_asked() -> None:
    root = read("a: [0.10, 1]").root
    assert root is not None
    assert plain(root) == {"a": [Decimal("0.10"), 1]}
    assert type(plain(root, exact=False)["a"][0]) is float


@pytest.mark.parametrize("word", [".inf", "-.INF", ".nan", "1e5000", "9" * 5000])
def test_numbers_nobody_means_are_mistakes(word: str) -> None:
    assert codes(f"a: {word}") == ["number"]


def test_leading_zeros_must_say_what_they_are() -> None:
    (mistake,) = read("zip: 01234").mistakes
    assert mistake.code == "quote-this"
    assert mistake.hint == 'write "01234" for text, 1234 for the number'


def test_every_node_knows_its_place() -> None:
    root = read("rules:\n  - id: a b\n    when: {type: 'x.y'}\n").root
    assert isinstance(root, Mapping)
    rules = root.get("rules")
    assert isinstance(rules, Sequence)
    rule = rules.items[0]
    assert isinstance(rule, Mapping)
    entry = rule.entry("id")
    assert entry is not None
    assert (str(entry.key.position), entry.key.length) == ("r.yaml:2:5", 2)
    assert (str(entry.value.position), entry.value.length) == ("r.yaml:2:9", 3)
    when = rule.get("when")
    assert isinstance(when, Mapping)
    assert (str(when.position), when.length) == ("r.yaml:3:11", 13)
    assert when.get("type").length == 5  # type: ignore[union-attr]  # with its quotes
    assert rule.keys() == ("id", "when")
    assert rule.get("then") is None


def test_a_byte_order_mark_moves_nothing() -> None:
    root = read("\ufeffa: b").root
    assert isinstance(root, Mapping)
    assert root.entries[0].key.column == 1


def test_a_key_twice_is_a_mistake_that_names_the_first() -> None:
    document = read("a: 1\nb: 2\na: 3")
    (mistake,) = document.mistakes
    assert (mistake.code, mistake.message) == ("duplicate-key", "'a' appears twice (first on line 1)")
    assert mistake.position is not None
    assert mistake.position.line == 3
    assert document.root is not None
    assert plain(document.root) == {"a": 1, "b": 2}
    assert codes("{a: 1, b: {a: 2}, 'a': 3}") == ["duplicate-key"]


@pytest.mark.parametrize("key", ["1", "true", "null", "1.5", "~"])
def test_keys_are_text(key: str) -> None:
    (mistake,) = read(f"{key}: x").mistakes
    assert (mistake.code, mistake.hint) == ("quote-this", f'write "{key}"')


def test_lists_and_maps_are_no_keys() -> None:
    assert codes("? [a]\n: b") == ["syntax"]
    assert codes("{{a: 1}: 2}") == ["quote-this"]  # a template, as far as anyone can tell


def test_aliases_stand_for_their_anchor() -> None:
    assert value("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


def test_aliases_cannot_make_a_file_explode() -> None:
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    began = time.perf_counter()
    document = read("\n".join(bomb))
    assert [mistake.message for mistake in document.mistakes] == ["aliases stand for more than a file may hold"]
    assert document.root is None
    assert time.perf_counter() - began < 2


def test_an_alias_within_its_own_anchor_is_a_mistake() -> None:
    assert codes("a: &x [*x]") == ["quote-this"]


def test_depth_is_bounded() -> None:
    assert codes("[" * 60 + "]" * 60) == []
    assert codes("[" * 100_000) == ["syntax"]
    assert codes("- " * 100_000 + "a") == ["syntax"]


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.source.reader.MAX_CHARACTERS", 10)
    assert codes("a: 3456789") == []
    assert codes("a: 34567890") == ["too-large"]


def test_merge_keys_tags_and_second_documents_are_mistakes() -> None:
    assert codes("a: &x {b: 1}\nc: {<<: *x}") == ["merge-key"]
    assert codes("a: !!int 3") == ["tag"]
    assert codes("a: 1\n---\nb: 2") == ["syntax"]


def test_an_empty_file_is_fine() -> None:
    for text in ("", "\n\n", "# nothing\n", "---\n"):
        assert read(text).root is None
        assert read(text).mistakes == ()


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x85", "\u2028", "\ud800", "\ufffe", "\U0010fffd"])
def test_characters_that_yaml_cannot_hold_have_a_place(character: str) -> None:
    (mistake,) = read(f"a: 1\nb: x{character}y").mistakes
    assert mistake.message == f"the character U+{ord(character):04X} cannot stand in YAML"
    assert mistake.position is not None
    assert (mistake.position.line, mistake.position.column) == (2, 5)


def test_ten_thousand_rules_are_read_quickly() -> None:
    """About a second on one slow core; the bound only catches what grows faster than the file."""
    rule = (
        "  - id: rule-%d\n    when: {type: payout.failed, where: {amount: {gte: 500 USD}}}\n    then: {notify: risk}\n"
    )
    text = "rules:\n" + "".join(rule % number for number in range(10_000))
    began = time.process_time()
    document = read(text)
    assert time.process_time() - began < 8
    assert document.mistakes == ()
    assert isinstance(document.root, Mapping)
    assert len(plain(document.root)["rules"]) == 10_000


FRAGMENTS = st.sampled_from(
    [
        *"[]{}:,-?*&!|>%@`#'\"\\ \n\t",
        *(": ", "- ", "\n  ", "\r\n", "{{ x }}", "a", "b: ", "*.x", "<<: ", "&a ", "*a", "1", "é", "日本"),
    ]
)
ANY_TEXT = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=30).map("".join))


@settings(max_examples=400, deadline=None)
@given(ANY_TEXT)
def test_nothing_makes_the_reader_raise(text: str) -> None:
    """Any text is read or has mistakes, each inside the file."""
    document = read(text)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for mistake in document.mistakes:
        assert mistake.position is not None
        assert 1 <= mistake.position.line <= len(lines)
        assert 1 <= mistake.position.column <= len(lines[mistake.position.line - 1]) + 1
    if document.root is None:
        assert document.mistakes or not _has_content(text)


def _has_content(text: str) -> bool:
    try:
        events = list(yaml.parse(text, yaml.CSafeLoader))
    except (yaml.YAMLError, UnicodeEncodeError):
        return True
    return any(isinstance(event, yaml.ScalarEvent) and event.value for event in events)


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT)
def test_positions_point_at_what_stands_there(text: str) -> None:
    """A plain or quoted value on one line is found again in the text at its position."""
    document = read(text)
    if document.root is None or document.mistakes:
        return
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for scalar in _scalars(document.root):
        written = lines[scalar.line - 1][scalar.column - 1 :][: scalar.length]
        if scalar.quoted or written.startswith(("&", "!")):
            continue  # an anchor or a tag may stand on a line of its own
        if scalar.text in lines[scalar.line - 1]:
            assert written.endswith(scalar.text)
        else:  # folded from several lines
            assert scalar.text.split(" ")[0].split("\n")[0] in written


def _scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Sequence):
        return [scalar for item in node.items for scalar in _scalars(item)]
    return [scalar for entry in node.entries for scalar in (entry.key, *_scalars(entry.value))]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable[:95] + "é日", max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_json_is_yaml(data: Json) -> None:
    """YAML 1.2 contains JSON: what is written as JSON reads as itself."""
    document = parse(json.dumps(data), "x")
    assert document.mistakes == ()
    assert data is None if document.root is None else plain(document.root) == data


def test_what_is_read_twice_is_parsed_once() -> None:
    parse_once = ParseOnce()
    first = parse_once("a: 1", "a.yaml")
    assert parse_once("a: 1", "a.yaml") is first
    assert parse_once("a: 2", "a.yaml") is not first
    assert parse_once("a: 1", "b.yaml").file == "b.yaml"
