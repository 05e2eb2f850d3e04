"""What YAML refuses or mangles in our language comes back as the quoted form to write, and the rest is still read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.event import Json
from engine.source import parse, plain


def quoted(text: str) -> tuple[list[str | None], Json]:
    document = parse(text, "r.yaml")
    assert {mistake.code for mistake in document.mistakes} == {"quote-this"}, document.mistakes
    assert document.root is not None
    for mistake in document.mistakes:
        assert mistake.position is not None
    return [mistake.hint for mistake in document.mistakes], plain(document.root)


@pytest.mark.parametrize(
    ("text", "hint", "meant"),
    [
        ("when: *.failed", 'write "*.failed"', {"when": "*.failed"}),
        ("when: *", 'write "*"', {"when": "*"}),
        ("when: *failed.x", 'write "*failed.x"', {"when": "*failed.x"}),
        ("when: *unknown", 'write "*unknown"', {"when": "*unknown"}),
        ("- *.failed  # all of them", 'write "*.failed"', ["*.failed"]),
        ("{*.failed: 1}", 'write "*.failed"', {"*.failed": 1}),
        (
            "a: [v2.core.account[requirements].updated]",
            'write "v2.core.account[requirements].updated"',
            {"a": ["v2.core.account[requirements].updated"]},
        ),
        (
            "w: {lines.data[*].amount: {gt: 1}}",
            'write "lines.data[*].amount"',
            {"w": {"lines.data[*].amount": {"gt": 1}}},
        ),
        (
            "w: {lines.data[0].amount: 1, b: 2}",
            'write "lines.data[0].amount"',
            {"w": {"lines.data[0].amount": 1, "b": 2}},
        ),
        ("text: {{ x }}", 'write "{{ x }}"', {"text": "{{ x }}"}),
        ("text: {{ x }} failed", 'write "{{ x }} failed"', {"text": "{{ x }} failed"}),
        (
            "text: {{ x | join(', ') }}: {{ y }}",
            "write \"{{ x | join(', ') }}: {{ y }}\"",
            {"text": "{{ x | join(', ') }}: {{ y }}"},
        ),
        ('text: {{ x["a"] }}', "write '{{ x[\"a\"] }}'", {"text": '{{ x["a"] }}'}),
        ("body: {a: {{ x }}, b: 2}", 'write "{{ x }}"', {"body": {"a": "{{ x }}", "b": 2}}),
        ("to: [{{ x }}]", 'write "{{ x }}"', {"to": ["{{ x }}"]}),
        ("title: Failed: now", 'write "Failed: now"', {"title": "Failed: now"}),
        ("a: {b: c: d, e: f}", 'write "c: d"', {"a": {"b": "c: d", "e": "f"}}),
        ('title: "Big" one', "write '\"Big\" one'", {"title": '"Big" one'}),
        ('where: {a: {matches: "\\d+"}}', "write '\\d+'", {"where": {"a": {"matches": "\\d+"}}}),
        ("to: @risk", 'write "@risk"', {"to": "@risk"}),
        ("share: %5", 'write "%5"', {"share": "%5"}),
        ("a: > 5", 'write "> 5"', {"a": "> 5"}),
        ("a: | money", 'write "| money"', {"a": "| money"}),
        ("notify: #risk", 'write "#risk"', {"notify": None}),
        ("title: &co", 'write "&co"', {"title": None}),
        ("title: !important x", 'write "!important x"', {"title": "x"}),
    ],
)
def test_the_quoted_form_is_given_and_the_value_read_as_meant(text: str, hint: str, meant: Json) -> None:
    assert quoted(text) == ([hint], meant)


def test_the_hint_is_what_has_to_be_written() -> None:
    """Writing what the hints say makes the file right, and means what was read in the first place."""
    text = 'when: [*.failed, a[b].c]\nthen: {text: {{ x }} y, b: "\\w"}'
    _, meant = quoted(text)
    fixed = 'when: ["*.failed", "a[b].c"]\nthen: {text: "{{ x }} y", b: \'\\w\'}'
    document = parse(fixed, "r.yaml")
    assert document.mistakes == ()
    assert document.root is not None
    assert plain(document.root) == meant


def test_a_very_long_value_is_not_repeated_whole() -> None:
    (mistake,) = parse("a: *" + "x" * 10_000 + ".y", "r.yaml").mistakes
    assert mistake.code == "quote-this"
    assert len(str(mistake)) < 400


def test_one_run_finds_what_else_is_wrong() -> None:
    document = parse("a: *.x\nb: {{ y }}\nc: 1\nc: 2\nd: [e[f].g]\n", "r.yaml")
    assert [(mistake.code, mistake.position and mistake.position.line) for mistake in document.mistakes] == [
        ("quote-this", 1),
        ("quote-this", 2),
        ("duplicate-key", 4),
        ("quote-this", 5),
    ]


def test_the_rest_of_the_line_keeps_its_columns() -> None:
    document = parse("w: {a[*].b: 1, c: 2, c: 3}", "r.yaml")
    assert [(mistake.code, mistake.position and mistake.position.column) for mistake in document.mistakes] == [
        ("quote-this", 5),
        ("duplicate-key", 22),
    ]


ALIGN = "align it with the other keys of its map"
DASH = "begin it with '- ', or indent it as its map wants"
SAME = "give it the same indentation as the other keys of its map"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a:\n\t- b", (2, 1), "a tab stands where YAML wants spaces", "indent with spaces"),
        ("a: b\n\tc: d", (2, 1), "a tab stands where YAML wants spaces", "indent with spaces"),
        ("a: [1, 2", (1, 4), "this '[' is not closed, or a comma is missing after it", None),
        ("a: {b: 1\nc: 2", (1, 4), "this '{' is not closed, or a comma is missing after it", None),
        ("a: {b: 'x' c: 1}", (1, 12), "a comma is missing before this", None),
        ("a: 'x", (1, 4), "this quote is never closed", None),
        ("when:payout.failed\nthen: b", (1, 5), "write a space after the colon of 'when'", None),
        ("a: {gte:500}", (1, 5), "write a space after the colon of 'gte'", None),
        ("a:\n  b: 1\n c: 2", (3, 2), "the indentation of this line fits no level above it", ALIGN),
        ("a:\n - 1\n b: 2", (3, 2), "this line is not an item of the list above it", DASH),
        ("a: {a: b}}", (1, 10), "'}' closes nothing that is open", None),
        ("a: b\nc", (2, 1), "expected 'key: value' here", None),
        ("a: - b", (1, 4), "a list cannot begin here", "put its items on the next lines, or write [a, b]"),
        ("a: 1\n  b: 2", (2, 4), "a key cannot stand here: this line continues the value above it", SAME),
    ],
)  # fmt: skip
def test_other_trouble_is_said_in_plain_words(
    text: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    (mistake,) = parse(text, "r.yaml").mistakes
    assert mistake.position is not None
    assert (mistake.code, mistake.message, mistake.hint) == ("syntax", message, hint)
    assert (mistake.position.line, mistake.position.column) == place


@settings(max_examples=150, deadline=None)
@given(st.text("abc.[]*{}()|?@ ", min_size=1, max_size=12).map(str.strip).filter(bool))
def test_a_template_is_always_read_as_meant(inside: str) -> None:
    """Whatever stands between the braces of a template on one line, its text is what was written."""
    template = "{{ " + inside.replace("}", "").replace("{", "") + " }}"
    document = parse(f"text: {template}\nnext: 1", "r.yaml")
    assert [mistake.code for mistake in document.mistakes] == ["quote-this"]
    assert document.root is not None
    assert plain(document.root) == {"text": template, "next": 1}
