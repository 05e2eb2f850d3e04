"""The files that a command is about, among those that it has to know: rules use names that other files define."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.model.mistake import Mistake
from engine.model.position import Position
from engine.model.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFiles:
    """Texts by name: `rules` of all files to load, the chosen ones last (so that of two with one id they are the
    mistaken ones), and `tests` of all files of tests. `names` are the chosen files."""

    rules: dict[str, str]
    tests: dict[str, str]
    names: frozenset[str]

    def has(self, place: Position | None) -> bool:
        """Whether that place is in a chosen file; nowhere is everywhere."""
        return place is None or place.file in self.names

    def mistakes(self, mistakes: Sequence[Mistake]) -> tuple[Mistake, ...]:
        """Those in the chosen files."""
        return tuple(mistake for mistake in mistakes if self.has(mistake.position))

    def rules_of(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Those in the chosen files."""
        return tuple(rule for rule in rules if self.has(rule.position))


def choose_files(paths: Sequence[Path], configured: Sequence[Path]) -> ChosenFiles:
    """The files in `paths` (empty: the configured ones), with all configured ones around them where they are among
    those. Elsewhere they are by themselves, and a file of tests has the rules that stand beside it.

    Raises ConfigError for what is not there or cannot be read.
    """
    from engine.rulebook import read_rule_files, read_test_files

    chosen = paths or configured
    inside = all(any(_is_within(path, folder) for folder in configured) for path in chosen)
    around = list(configured) if inside else [each for path in paths for each in _beside(path)]
    base = Path.cwd()
    own = read_rule_files(chosen, base)
    own_tests = read_test_files(chosen, base)
    if not paths:
        return ChosenFiles(rules=own, tests=own_tests, names=frozenset((*own, *own_tests)))
    rules = {name: text for name, text in read_rule_files(around, base).items() if name not in own}
    tests = read_test_files(around, base) | own_tests
    return ChosenFiles(rules=rules | own, tests=tests, names=frozenset((*own, *own_tests)))


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _beside(path: Path) -> list[Path]:
    """A file of tests and the files beside it; anything else by itself."""
    from engine.rulebook.files import ENDINGS, is_test_file

    if not path.is_file() or not is_test_file(path.name):
        return [path]
    return [each for each in sorted(path.parent.iterdir()) if each.is_file() and each.name.endswith(ENDINGS)]
