"""The known word that somebody probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The most similar of the known words, None when none is similar enough. Case and `_` against `-` do not count.

    `alike` is how similar, 1 being the same.
    """
    choices: dict[str, str] = {}
    for name in known:
        choices.setdefault(_fold(name), name)
    folded = _fold(word[:100])
    if folded in choices:
        return choices[folded]
    found = get_close_matches(folded, choices, n=1, cutoff=alike)
    return choices[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'x'?` for the hint of a mistake, None when nothing is near."""
    found = nearest(word, known)
    return f"did you mean '{found}'?" if found else None


def _fold(word: str) -> str:
    return word.casefold().replace("_", "-")
