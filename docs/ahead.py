"""The language with the parts that this version refuses: for the docs and the tests of those parts."""

from collections.abc import Iterator
from contextlib import contextmanager

from engine.match import paths
from engine.model.rule import Verb
from engine.rulebook import rules
from engine.rulebook.verbs import VERBS


@contextmanager
def ahead() -> Iterator[None]:
    """As if nothing of a rule's keys, of names in conditions and of a step's options were of a later version."""
    before = rules.LATER_FILE_KEYS, rules.LATER_RULE_KEYS, paths.LATER_NAMES
    later = {verb: found.later for verb, found in VERBS.items()}
    _set((), (), (), dict.fromkeys(VERBS, ()))
    try:
        yield
    finally:
        _set(*before, later)


def _set(
    file_keys: tuple[str, ...],
    rule_keys: tuple[str, ...],
    names: tuple[str, ...],
    later: dict[Verb, tuple[str, ...]],
) -> None:
    vars(rules).update(LATER_FILE_KEYS=file_keys, LATER_RULE_KEYS=rule_keys)
    vars(paths).update(LATER_NAMES=names)
    for verb, found in later.items():
        object.__setattr__(VERBS[verb], "later", found)
    paths.parse_path.cache_clear()
