"""Regular expressions that cannot hang the service."""

import pytest

from engine.match.regex import RegexError, compile_regex


def test_a_pattern_is_found_anywhere() -> None:
    """Unless it is anchored."""
    assert compile_regex("b+")("abbc")
    assert not compile_regex("^b")("abbc")
    assert compile_regex("É", fold=True)("café")


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?=a)", r"(a)\1", "a{2000}", "(a{100}){100}", "\ud800"])
def test_what_is_no_pattern_says_why(pattern: str) -> None:
    with pytest.raises(RegexError, match=r"\w"):
        compile_regex(pattern)


def test_half_a_surrogate_pair_is_a_character() -> None:
    """JSON can carry one; UTF-8 cannot, and nothing is raised."""
    assert compile_regex("^a.$")("a\ud800")
    assert not compile_regex("b")("\udfff")


def test_what_makes_others_hang_ends() -> None:
    """Nested repetition over a long text that almost fits."""
    assert not compile_regex("^(a+)+$")("a" * 100_000 + "b")
