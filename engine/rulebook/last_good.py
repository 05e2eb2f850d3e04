"""Which version of each file to run: the new one, or where that is mistaken the last one that was not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.model.mistake import Mistake
from engine.rulebook.known import Known
from engine.rulebook.load import Loaded, assemble, files_with_errors
from engine.rulebook.rules import RuleFile, in_order, read_rule_file


class FileState(StrEnum):
    """What became of a file at a reload."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"
    KEPT = "kept last good"
    LEFT_OUT = "left out"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rules to run, what became of each file, and every mistake in the files as they are now."""

    loaded: Loaded
    states: Mapping[str, FileState]
    mistakes: tuple[Mistake, ...]


class Chooser:
    """Chooses; and remembers what it read, so that a file that did not change is not read again."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._trusting = Known(default_livemode=known.default_livemode)
        self._read: dict[tuple[str, str, bool], RuleFile] = {}

    def choose(self, sources: Mapping[str, str], running: Mapping[str, str]) -> Chosen:
        """Hold the files as they are (`sources`) to the ones in force (`running`), both name -> text.

        A file with an error is replaced by its running version; that one's names are taken on trust, because the
        configuration may be what changed. Of two files with the same rule id, the one that did not change is right;
        and where a kept version has an id that another file took over, both are kept.
        """
        texts = {file: (text, False) for file, text in sources.items()}
        held: set[str] = set()
        mistakes: set[Mistake] = set()
        while True:
            loaded = self._load(texts, held, running)
            mistakes |= {mistake for mistake in loaded.mistakes if _file(mistake) not in held}
            bad = sorted(set(files_with_errors(loaded.mistakes)) & set(texts))
            if not bad:
                break
            for file in bad:
                if file not in held and file in running:
                    texts[file] = (running[file], True)
                else:
                    del texts[file]
                held.add(file)
        self._forget(sources, running)
        return Chosen(
            loaded=loaded,
            states=_states(sources, running, held, texts),
            mistakes=in_order(tuple(mistakes)),
        )

    def _load(self, texts: Mapping[str, tuple[str, bool]], held: set[str], running: Mapping[str, str]) -> Loaded:
        def rank(file: str) -> tuple[bool, bool, str]:
            return file not in held, texts[file][0] != running.get(file), file

        files = [self._file(file, *texts[file]) for file in sorted(texts, key=rank)]
        return assemble(files, self._known.default_livemode)

    def _file(self, file: str, text: str, trusted: bool) -> RuleFile:
        key = (file, text, trusted)
        if key not in self._read:
            self._read[key] = read_rule_file(file, text, self._trusting if trusted else self._known)
        return self._read[key]

    def _forget(self, *in_use: Mapping[str, str]) -> None:
        for file, text, trusted in list(self._read):
            if not any(texts.get(file) == text for texts in in_use):
                del self._read[file, text, trusted]


def _file(mistake: Mistake) -> str | None:
    return mistake.position.file if mistake.position else None


def _states(
    sources: Mapping[str, str],
    running: Mapping[str, str],
    held: set[str],
    texts: Mapping[str, tuple[str, bool]],
) -> dict[str, FileState]:
    states = {file: FileState.REMOVED for file in running if file not in sources}
    for file, text in sources.items():
        if file in held:
            states[file] = FileState.KEPT if file in texts else FileState.LEFT_OUT
        else:
            states[file] = FileState.UNCHANGED if running.get(file) == text else FileState.LOADED
    return dict(sorted(states.items()))
