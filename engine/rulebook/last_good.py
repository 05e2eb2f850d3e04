"""Which version of each file to run: the new one, or where that is mistaken the last one that was not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.model.mistake import Mistake
from engine.rulebook.known import Known
from engine.rulebook.load import Loaded, assemble, files_with_errors
from engine.rulebook.reading import Reader, Reading
from engine.rulebook.rules import in_order
from engine.rulebook.tables import ENDING


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
        self._default_livemode = known.default_livemode
        self._reader = Reader(known)

    def choose(self, sources: Mapping[str, str], running: Mapping[str, str]) -> Chosen:
        """Hold the files as they are (`sources`) to the ones in force (`running`), both name -> text.

        A file with an error is replaced by its running version; that one's names are taken on trust, because the
        configuration may be what changed. Of two files with the same rule id, or name, the one that did not change is
        right; and where a kept version has an id that another file took over, both are kept. So are files that use
        what a kept file defines, and those that define what it uses.
        """
        choice = _Choice(sources, running)
        mistakes: set[Mistake] = set()
        while True:
            reading = self._reader.read(choice.ranked(), trusted=choice.held, lost=choice.lost)
            loaded = assemble(reading, self._default_livemode)
            mistakes |= {mistake for mistake in loaded.mistakes if _file(mistake) not in choice.held}
            bad = set(files_with_errors(loaded.mistakes)) & set(choice.texts)
            bad = bad or set(loaded.unusable)
            if not bad:
                break
            before = frozenset(choice.held)  # what is held now on account of another was not read as such yet
            for file in sorted(bad):
                if file in before or file not in running:
                    self._support(choice, reading, file, before)
                elif file not in choice.held:
                    choice.hold(file)
                    self._hold_users(choice, reading, file)
        self._reader.forget(sources, running)
        return Chosen(loaded=loaded, states=_states(choice, loaded), mistakes=in_order(tuple(mistakes)))

    def _support(self, choice: "_Choice", reading: Reading, file: str, held: frozenset[str]) -> None:
        """A running version that does not stand by itself needs the running versions of what it uses; without any
        more of those than were `held` when it was read, it is left out."""
        needed = {name for each in reading.files if each.file == file for name in each.uses}
        if file in held:
            before = self._reader.read(choice.running, trusted=choice.running)
            providers = {each.file for each in before.definitions.values() if each.names & needed}
            own = before.definitions.get(file)
            providers |= set(own.csv) if own is not None else set()
            more = (providers & set(choice.running)) - held - {file}
            if more:
                for provider in more:
                    choice.hold(provider)
                return
        choice.lose(file)

    def _hold_users(self, choice: "_Choice", reading: Reading, file: str) -> None:
        """Whoever uses what a file defines, or defined, is kept as it was when the file is: the two may have changed
        together."""
        before = self._reader.read(choice.running, trusted=choice.running)
        defined = {name for each in (reading, before) if (own := each.definitions.get(file)) for name in own.names}
        for user in reading.files:
            if defined & set(user.uses) and user.file in choice.running:
                choice.hold(user.file)


class _Choice:
    """Which version of each file it is so far: `held` to the running one, `lost` where there is none to run."""

    def __init__(self, sources: Mapping[str, str], running: Mapping[str, str]) -> None:
        self.sources = sources
        self.running = running
        self.texts = dict(sources)
        self.held: set[str] = set()
        self.lost: set[str] = set()

    def hold(self, file: str) -> None:
        if file not in self.held:
            self.texts[file] = self.running[file]
            self.held.add(file)

    def lose(self, file: str) -> None:
        del self.texts[file]
        self.held.add(file)
        self.lost.add(file)

    def ranked(self) -> dict[str, str]:
        """The texts, those first that are right where two say different things."""

        def rank(file: str) -> tuple[bool, bool, str]:
            return file not in self.held, self.texts[file] != self.running.get(file), file

        return {file: self.texts[file] for file in sorted(self.texts, key=rank)}


def _file(mistake: Mistake) -> str | None:
    return mistake.position.file if mistake.position else None


def _states(choice: _Choice, loaded: Loaded) -> dict[str, FileState]:
    states = {file: FileState.REMOVED for file in choice.running if file not in loaded.files}
    for file, text in choice.sources.items():
        if file.endswith(ENDING) and file not in loaded.files and file not in choice.held:
            continue  # a table that no file names
        if file in choice.held:
            states[file] = FileState.KEPT if file in choice.texts else FileState.LEFT_OUT
        else:
            states[file] = FileState.UNCHANGED if choice.running.get(file) == text else FileState.LOADED
    for file in choice.held - set(choice.sources):
        if file in choice.texts:
            states[file] = FileState.KEPT  # deleted, but what is kept needs it
    return dict(sorted(states.items()))
