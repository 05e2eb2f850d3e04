"""Reading the rules again while they run: a file with a mistake keeps its own last good version, loudly."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from engine.errors import ConfigError
from engine.model.mistake import Mistake, MistakeLevel
from engine.rulebook.book import Rulebook
from engine.rulebook.files import ENDINGS, read_rule_files
from engine.rulebook.known import Known
from engine.rulebook.load import Loaded, assemble, load
from engine.rulebook.rules import RuleFile, in_order, read_rule_file

log = structlog.get_logger("tocsin.rules")

WATCH_AGAIN = 2.0
"""Seconds before the folders are watched again, when watching them failed or they are not there."""


class FileState(StrEnum):
    """What became of a file at a reload."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"
    KEPT = "kept last good"  # it has a mistake, and its last good version goes on
    LEFT_OUT = "left out"  # it has a mistake, and there never was a good version
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadReport:
    """What a reload led to. `mistakes` has warnings too; `broken` names the files that do not run as they stand."""

    rulebook: Rulebook
    files: Mapping[str, FileState]
    mistakes: tuple[Mistake, ...]

    @property
    def ok(self) -> bool:
        """Whether every file runs as it stands on disk."""
        return not any(mistake.level is MistakeLevel.ERROR for mistake in self.mistakes)

    @property
    def broken(self) -> tuple[str, ...]:
        """The files that run as their last good version or not at all; rule paths that are not there count too."""
        found = [file for file, state in self.files.items() if state in (FileState.KEPT, FileState.LEFT_OUT)]
        return tuple(found) or (() if self.ok else ("rules",))

    def summary(self) -> str:
        """For people: what became of each broken file, and its mistakes."""
        states = [f"{file}: {self.files[file]}" for file in self.broken if file in self.files]
        return "\n".join([*states, "", *(str(m) for m in self.mistakes if m.level is MistakeLevel.ERROR)]).strip()

    def as_json(self) -> dict[str, Any]:
        """`{"ok", "revision", "rules", "files": {name: state}, "mistakes": [text]}`."""
        return {
            "ok": self.ok,
            "revision": self.rulebook.revision,
            "rules": len(self.rulebook.rules),
            "files": {file: str(state) for file, state in self.files.items()},
            "mistakes": [str(mistake) for mistake in self.mistakes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the rules that run came about: when they were last read, and the files that do not run as they stand."""

    loaded: datetime | None = None
    broken: tuple[str, ...] = ()


class Reloader:
    """Holds the rules of this moment and replaces them whole: an event sees the rules before a reload, or after it.

    `last_good` gives the texts that were last in force (a restart falls back on them), `remember` keeps a revision;
    both may raise StoreError, and then everything stays as it was. `on_report` is told of every reload that
    changed something.
    """

    def __init__(
        self,
        *,
        paths: Sequence[Path],
        base: Path,
        known: Known,
        last_good: Callable[[], Awaitable[Mapping[str, str]]],
        remember: Callable[[str, dict[str, str], bool | None], Awaitable[None]],
        on_report: Callable[[ReloadReport], Awaitable[None]],
    ) -> None:
        self._paths = paths
        self._base = base
        self._known = known
        self._last_good = last_good
        self._remember = remember
        self._on_report = on_report
        self._good: dict[str, str] | None = None
        self._read: dict[str, RuleFile] = {}
        self._previous: ReloadReport | None = None
        self._one_at_a_time = asyncio.Lock()
        self.current: Rulebook = load({}, known).rulebook
        self.status = Status()

    async def reload(self) -> ReloadReport:
        """Read the files again and put in force what can be. Raises StoreError when the revision cannot be kept."""
        async with self._one_at_a_time:
            if self._good is None:
                self._good = dict(await self._last_good())
            report, loaded = await asyncio.to_thread(self._load, self._good)
            if loaded is not None:
                await self._remember(loaded.rulebook.revision, dict(loaded.files), self._known.default_livemode)
                self._good = dict(loaded.files)
                self.current = loaded.rulebook
            self.status = Status(loaded=datetime.now(UTC), broken=report.broken)
            previous, self._previous = self._previous, report
            if previous is None or (previous.rulebook.revision, previous.mistakes) != (
                report.rulebook.revision,
                report.mistakes,
            ):
                _tell(report)
                await self._on_report(report)
            return report

    async def watch(self, stop: asyncio.Event) -> None:
        """Reload whenever a rule file changes, until `stop`."""
        while not stop.is_set():
            try:
                await self._watch(stop)
            except Exception as error:  # the outermost loop: rules that are no longer watched would be silent
                log.warning("rules_not_watched", reason=f"{type(error).__name__}: {error}"[:300])
                await _pause(stop, WATCH_AGAIN)

    async def _watch(self, stop: asyncio.Event) -> None:
        from watchfiles import Change, awatch  # 30 ms that need not delay the start

        folders = sorted({path if path.is_dir() else path.parent for path in self._paths if path.parent.exists()})
        if not folders:
            await _pause(stop, WATCH_AGAIN)
            await self.reload()
            return

        def concerns(change: Change, path: str) -> bool:
            return path.endswith(ENDINGS) or change is not Change.modified  # a folder may have come or gone

        log.debug("rules_watched", folders=[str(folder) for folder in folders])
        async for _ in awatch(*folders, stop_event=stop, watch_filter=concerns, debounce=200):
            await self.reload()

    def _load(self, good: Mapping[str, str]) -> tuple[ReloadReport, Loaded | None]:
        """In a thread: nothing here touches what the event loop reads."""
        try:
            texts = read_rule_files(self._paths, self._base)
        except ConfigError as error:
            states = dict.fromkeys(good, FileState.KEPT) if self._previous is None else self._previous.files
            if self._previous is not None:
                return ReloadReport(rulebook=self.current, files=states, mistakes=error.mistakes), None
            kept = assemble([self._trusted(file, text) for file, text in good.items()], self._known.default_livemode)
            return ReloadReport(rulebook=kept.rulebook, files=states, mistakes=error.mistakes), kept
        fresh = {file: self._file(file, text) for file, text in texts.items()}
        self._read = fresh
        return self._settle(fresh, texts, good)

    def _settle(
        self, fresh: Mapping[str, RuleFile], texts: Mapping[str, str], good: Mapping[str, str]
    ) -> tuple[ReloadReport, Loaded]:
        """Each file as it stands; where that has an error its last good version; where that clashes, neither.

        Falling back can make another file clash (a rule that moved from a broken file to a sound one), so it goes on
        until nothing is left out that could fall back. Each file falls at most twice.
        """
        chosen = dict(fresh)
        mistakes: tuple[Mistake, ...] | None = None
        while True:
            loaded = assemble(chosen.values(), self._known.default_livemode)
            mistakes = loaded.mistakes if mistakes is None else in_order((*mistakes, *_new(loaded.mistakes, mistakes)))
            out = [file for file in chosen if file not in loaded.files]
            if not out:
                break
            for file in out:
                if chosen[file] is fresh[file] and file in good:
                    chosen[file] = self._trusted(file, good[file])
                else:
                    del chosen[file]
        states = {file: self._state(file, fresh, chosen, texts, good) for file in texts}
        states |= {file: FileState.REMOVED for file in good if file not in texts}
        return ReloadReport(rulebook=loaded.rulebook, files=states, mistakes=mistakes), loaded

    def _file(self, file: str, text: str) -> RuleFile:
        """A file that did not change is not read again."""
        found = self._read.get(file)
        return found if found is not None and found.text == text else read_rule_file(file, text, self._known)

    def _trusted(self, file: str, text: str) -> RuleFile:
        """A version that once was good, whatever the configuration says today."""
        return read_rule_file(file, text, Known(default_livemode=self._known.default_livemode))

    @staticmethod
    def _state(
        file: str,
        fresh: Mapping[str, RuleFile],
        chosen: Mapping[str, RuleFile],
        texts: Mapping[str, str],
        good: Mapping[str, str],
    ) -> FileState:
        if file not in chosen:
            return FileState.LEFT_OUT
        if chosen[file] is not fresh[file]:
            return FileState.KEPT
        return FileState.UNCHANGED if good.get(file) == texts[file] else FileState.LOADED


def _new(found: Sequence[Mistake], known: Sequence[Mistake]) -> list[Mistake]:
    return [mistake for mistake in found if mistake not in known]


def _tell(report: ReloadReport) -> None:
    errors = [str(mistake) for mistake in report.mistakes if mistake.level is MistakeLevel.ERROR]
    if errors:
        log.error("rules_broken", files=list(report.broken), mistakes=errors[:10], more=max(len(errors) - 10, 0))
    log.info("rules_loaded", rules=len(report.rulebook.rules), revision=report.rulebook.revision[:12])


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
