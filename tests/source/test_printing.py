"""How mistakes look: for people, for scripts, for GitHub."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position
from engine.source import counted, parse, print_mistakes, redact, to_github, to_json

SOURCE = "rules:\n  - id: x\n    where:\n      amuont: {gte: 500 USD}\n"


def mistake(line: int = 4, column: int = 7, length: int = 6, **changes: str | None) -> Mistake:
    fields: dict[str, str | None] = {
        "code": "unknown-field",
        "message": "dispute has no field 'amuont'",
        "hint": "did you mean 'amount'?",
    }
    fields |= changes
    return Mistake(
        level=MistakeLevel.WARNING,
        code=fields["code"] or "",
        message=fields["message"] or "",
        hint=fields["hint"],
        position=Position(file="rules/d.yaml", line=line, column=column, length=length),
    )


def test_a_mistake_is_its_line_the_source_line_and_what_to_write() -> None:
    assert print_mistakes([mistake()], {"rules/d.yaml": SOURCE}) == (
        "rules/d.yaml:4:7  warning[unknown-field]  dispute has no field 'amuont'\n"
        "   4 |       amuont: {gte: 500 USD}\n"
        "     |       ^^^^^^  did you mean 'amount'?\n"
    )


def test_without_its_source_a_mistake_is_one_line() -> None:
    assert print_mistakes([mistake()], {}) == (
        "rules/d.yaml:4:7  warning[unknown-field]  dispute has no field 'amuont'; did you mean 'amount'?\n"
    )
    assert print_mistakes([mistake(line=99)], {"rules/d.yaml": SOURCE}).count("\n") == 1


def test_color_changes_nothing_but_color() -> None:
    colored = print_mistakes([mistake()], {"rules/d.yaml": SOURCE}, color=True)
    assert "\x1b[1;33mwarning[unknown-field]\x1b[0m" in colored
    plain = colored
    for code in ("\x1b[1;33m", "\x1b[0m", "\x1b[2m", "\x1b[1;36m"):
        plain = plain.replace(code, "")
    assert plain == print_mistakes([mistake()], {"rules/d.yaml": SOURCE})


def test_tabs_and_wide_characters_keep_the_caret_below_the_word() -> None:
    shown = print_mistakes([mistake(line=1, column=4, length=1, hint=None)], {"rules/d.yaml": "\t日本x: 1"})
    assert shown.splitlines()[1:] == ["   1 |  日本x: 1", "     |      ^"]


def test_a_long_line_is_cut_around_the_mistake() -> None:
    text = "a: [" + "x, " * 2000 + "wrong]"
    shown = print_mistakes([mistake(line=1, column=text.index("wrong") + 1, length=5)], {"rules/d.yaml": text})
    _, line, caret = shown.splitlines()
    assert len(line) < 160
    assert line[caret.index("^") :].startswith("wrong")


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    text = "a: \x1b[2Jb"
    shown = print_mistakes(parse(text, "r").mistakes, {"r": text})
    assert "\x1b" not in shown


def test_what_looks_like_a_secret_is_not_shown() -> None:
    text = (
        "a: [whsec_c2VjcmV0, sk_live_51abc, 'postgresql://me:pw@host/db', 'slack://T/B/X', https://wiki.example.com/a]"
    )
    shown = print_mistakes([mistake(line=1, column=1, length=1)], {"rules/d.yaml": text})
    for secret in ("c2VjcmV0", "51abc", "pw", "T/B/X"):
        assert secret not in shown
    assert "https://wiki.example.com/a" in shown
    assert len(redact(text)) == len(text)


def test_json_has_every_field() -> None:
    place_less = Mistake(level=MistakeLevel.ERROR, code="x", message="y")
    first, second = json.loads(to_json([mistake(), place_less]))
    assert first == {
        "level": "warning",
        "code": "unknown-field",
        "message": "dispute has no field 'amuont'",
        "hint": "did you mean 'amount'?",
        "file": "rules/d.yaml",
        "line": 4,
        "column": 7,
        "length": 6,
    }
    assert (second["file"], second["line"]) == (None, None)


def test_github_gets_annotations() -> None:
    assert to_github([mistake(message="100% wrong:\nreally", hint=None)]) == (
        "::warning file=rules/d.yaml,line=4,col=7,endColumn=12,title=unknown-field::100%25 wrong:%0Areally\n"
    )


def test_mistakes_are_counted() -> None:
    error = Mistake(level=MistakeLevel.ERROR, code="x", message="y")
    assert counted([]) == "no mistakes"
    assert counted([error, error, mistake()]) == "2 errors, 1 warning"


@settings(max_examples=150, deadline=None)
@given(st.text(), st.text(), st.integers(1, 5), st.integers(1, 40), st.integers(1, 40))
def test_anything_can_be_printed(text: str, message: str, line: int, column: int, length: int) -> None:
    """Whatever the file and the place, the result is whole lines without control characters."""
    shown = print_mistakes([mistake(line, column, length, message=message)], {"rules/d.yaml": text})
    assert shown.endswith("\n")
    assert all(char.isprintable() for char in shown.replace("\n", ""))
    to_github([mistake(line, column, length, message=message)]).encode("utf-8", "surrogatepass")
