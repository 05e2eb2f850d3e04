"""Rule files on disk."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.errors import ConfigError
from engine.model.mistake import Mistake, MistakeLevel
from engine.model.position import Position

TABLES = ".csv"
ENDINGS = (".yaml", ".yml", TABLES)
TEST_ENDINGS = ("_test.yaml", "_test.yml")
"""How files of tests end, which stand beside the rules and are none."""


def is_test_file(name: str) -> bool:
    """Whether a file of that name holds tests of rules and no rules."""
    return name.endswith(TEST_ENDINGS)


def read_rule_files(paths: Sequence[Path], base: Path) -> dict[str, str]:
    """The texts of every rule file in these files and folders, and of the CSV files there (and beside a single file)
    which their tables may name, sorted by name. Names are relative to `base` where
    they lie under it, with forward slashes.

    Hidden files and folders are passed over (editors and mounted Kubernetes volumes leave some). Raises ConfigError
    for a path that is not there, and for files that cannot be read. Files of tests are left out: see `read_test_files`.
    """
    return _read(paths, base, lambda name: not is_test_file(name))


def read_test_files(paths: Sequence[Path], base: Path) -> dict[str, str]:
    """The texts of every file of tests in these files and folders, as `read_rule_files` gives those of the rules."""
    return _read(paths, base, is_test_file)


def _read(paths: Sequence[Path], base: Path, wanted: Callable[[str], bool]) -> dict[str, str]:
    mistakes: list[Mistake] = []
    found: dict[str, str] = {}
    for path in paths:
        if not path.exists():
            mistakes.append(_mistake(path, base, f"there is no file or folder {_name(path, base)}"))
            continue
        for file in _files(path):
            if not wanted(file.name):
                continue
            try:
                # Bytes that are no UTF-8 survive as what YAML refuses, at their place, rather than as an exception.
                text = file.read_bytes().decode("utf-8", "surrogateescape")
            except FileNotFoundError:
                continue  # deleted since it was listed
            except OSError as error:
                reason = (error.strerror or "no reason given").lower()
                mistakes.append(_mistake(file, base, f"cannot read {_name(file, base)}: {reason}"))
                continue
            found[_name(file, base)] = text
    if mistakes:
        raise ConfigError(mistakes)
    return dict(sorted(found.items()))


Stamp = frozenset[tuple[str, int, int, int]]
"""Name, inode, size and time of change of every rule file: another stamp means that something changed."""


def stamp(paths: Sequence[Path]) -> Stamp:
    """The stamp of the rule files in these files and folders as they are now; what is not there is not in it."""
    found: set[tuple[str, int, int, int]] = set()
    for path in paths:
        for file in _files(path) if path.exists() else ():
            if is_test_file(file.name):
                continue
            with contextlib.suppress(OSError):
                state = file.stat()
                found.add((str(file), state.st_ino, state.st_size, state.st_mtime_ns))
    return frozenset(found)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        yield from sorted(each for each in path.parent.glob(f"*{TABLES}") if not each.name.startswith("."))
        return
    seen: set[str] = set()
    for folder, folders, files in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder above would be walked for ever
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in files if name.endswith(ENDINGS) and not name.startswith("."))


def _name(file: Path, base: Path) -> str:
    absolute, root = Path(os.path.abspath(file)), Path(os.path.abspath(base))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else absolute.as_posix()


def _mistake(path: Path, base: Path, message: str) -> Mistake:
    place = Position(file=_name(path, base), line=1, column=1)
    return Mistake(level=MistakeLevel.ERROR, code="rules-path", message=message, position=place)
