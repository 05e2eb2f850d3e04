"""Rule files on disk."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.rulebook import Known, load, read_rule_files, read_test_files
from engine.rulebook.files import stamp
from tests.rulebook.books import rule


def test_yaml_files_of_all_folders_are_read_and_named_from_the_base(tmp_path: Path) -> None:
    """Sorted; hidden ones, and folders that link in a circle, do no harm."""
    rules = tmp_path / "rules"
    (rules / "deep" / "er").mkdir(parents=True)
    (rules / "..2026").mkdir()
    for name in ("b.yaml", "a.yml", "deep/er/c.yaml", ".#b.yaml", "..2026/b.yaml", "notes.txt"):
        (rules / name).write_text("rules: []\n")
    (rules / "deep" / "again").symlink_to(rules)
    assert list(read_rule_files([rules], tmp_path)) == ["rules/a.yml", "rules/b.yaml", "rules/deep/er/c.yaml"]
    assert list(read_rule_files([rules / "b.yaml"], rules)) == ["b.yaml"]


def test_a_path_that_is_not_there_is_said(tmp_path: Path) -> None:
    """All of them at once."""
    with pytest.raises(ConfigError) as caught:
        read_rule_files([tmp_path / "x", tmp_path / "y.yaml"], tmp_path)
    assert [mistake.message for mistake in caught.value.mistakes] == [
        "there is no file or folder x",
        "there is no file or folder y.yaml",
    ]


def test_bytes_that_are_no_utf_8_are_a_mistake_at_their_place(tmp_path: Path) -> None:
    """And not an exception that takes the other files down."""
    (tmp_path / "a.yaml").write_bytes(b"rules: []\n# caf\xe9\n")
    (tmp_path / "b.yaml").write_text(rule("b"))
    found = load(read_rule_files([tmp_path], tmp_path), Known())
    assert [(m.code, m.position and m.position.line) for m in found.mistakes] == [("syntax", 2)]
    assert [each.id for each in found.rulebook.rules] == ["b"]


def test_the_stamp_changes_with_every_file(tmp_path: Path) -> None:
    """Made, changed, replaced and deleted."""
    seen = [stamp([tmp_path])]
    file = tmp_path / "a.yaml"
    file.write_text("rules: []\n")
    seen.append(stamp([tmp_path]))
    file.write_text("rules: []\n# more\n")
    seen.append(stamp([tmp_path]))
    (tmp_path / "new").write_text("rules: []\n# more\n")
    (tmp_path / "new").rename(file)
    seen.append(stamp([tmp_path]))
    file.unlink()
    assert len(set(seen)) == 4
    assert stamp([tmp_path]) == seen[0]


def test_files_of_tests_stand_beside_the_rules_and_are_none(tmp_path: Path) -> None:
    """A change of one reloads nothing."""
    (tmp_path / "a.yaml").write_text(rule("a"))
    before = stamp([tmp_path])
    for name in ("a_test.yaml", "b_test.yml", ".c_test.yaml"):
        (tmp_path / name).write_text("tests: []\n")
    assert list(read_rule_files([tmp_path], tmp_path)) == ["a.yaml"]
    assert list(read_test_files([tmp_path], tmp_path)) == ["a_test.yaml", "b_test.yml"]
    assert read_rule_files([tmp_path / "a_test.yaml"], tmp_path) == {}
    assert stamp([tmp_path]) == before
