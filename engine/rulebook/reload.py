"""Rules that follow their files while the service runs, and never fall behind a mistake in one."""

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ConfigError
from engine.model.event import Json
from engine.model.mistake import Mistake, MistakeLevel
from engine.rulebook.book import Rulebook
from engine.rulebook.carried import Carried, carried, said_of
from engine.rulebook.files import Stamp, read_rule_files, stamp
from engine.rulebook.known import Known
from engine.rulebook.last_good import Chooser, Chosen, FileState
from engine.rulebook.load import revision_of
from engine.source import counted, print_mistakes, to_json

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

LOOK_EVERY = 5.0
"""Seconds between looks at the files, for file systems that do not say when something changes."""

_MOST_SHOWN = 10
_TURN = 0.000_2

LastGood = Callable[[], Awaitable[Mapping[str, str]]]
Remember = Callable[[str, dict[str, str], bool | None], Awaitable[None]]
_Read = tuple[Mapping[str, str], Chosen, tuple[Mistake, ...], tuple[Carried, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadReport:
    """What a reload found and did. `rulebook` is in force now; `files` says what became of each file, `memory` of what
    the rules that were changed remember."""

    at: datetime
    rulebook: Rulebook
    changed: bool
    files: Mapping[str, FileState]
    mistakes: tuple[Mistake, ...]
    sources: Mapping[str, str] = field(repr=False)
    memory: tuple[Carried, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """The files that have an error, by name."""
        errors = (mistake for mistake in self.mistakes if mistake.level is MistakeLevel.ERROR)
        return tuple(sorted({mistake.position.file for mistake in errors if mistake.position}))

    @property
    def ok(self) -> bool:
        """Whether every file is in force as it stands."""
        return not self.broken

    def summary(self) -> str:
        """For people: what became of the files with errors, and the first errors with their lines."""
        errors = [mistake for mistake in self.mistakes if mistake.level is MistakeLevel.ERROR]
        words = {
            FileState.KEPT: "its last good version keeps running",
            FileState.LEFT_OUT: "it never loaded without a mistake, so none of its rules run",
        }
        lines = [f"{file}: {words[state]}" for file, state in self.files.items() if state in words]
        more = len(errors) - _MOST_SHOWN
        tail = [f"and {more} more; see: tocsin check"] if more > 0 else []
        return "\n".join([*lines, "", print_mistakes(errors[:_MOST_SHOWN], self.sources).rstrip(), *tail]).strip()

    def as_json(self) -> dict[str, Json]:
        """What `POST /-/reload` answers."""
        return {
            "ok": self.ok,
            "changed": self.changed,
            "revision": self.rulebook.revision,
            "rules": len(self.rulebook.rules),
            "found": counted(self.mistakes),
            "files": {file: str(state) for file, state in self.files.items()},
            "memory": [each.as_json() for each in self.memory],
            "mistakes": json.loads(to_json(self.mistakes)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadStatus:
    """How the rules stand: when they were last read (None: not yet), what became of each file, and the mistakes;
    `memory` is of the last time that they changed."""

    loaded: datetime | None = None
    files: Mapping[str, FileState] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    broken: tuple[str, ...] = ()
    memory: tuple[Carried, ...] = ()


class Reloader:
    """Keeps `current` in step with the rule files.

    `last_good` gives the files that were in force when the service last ran, so that a file which is broken at start
    runs as it last did; `remember` stores every revision before it is put in force. `on_report` is told of every
    reload, after it took effect. `lasting` says that this process lives for its rules: see `_collector_paused`.
    """

    def __init__(
        self,
        *,
        paths: Sequence[Path],
        base: Path,
        known: Known,
        last_good: LastGood,
        remember: Remember,
        on_report: Callable[[ReloadReport], Awaitable[None]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_every: float = LOOK_EVERY,
        lasting: bool = False,
    ) -> None:
        self.current = Rulebook(revision=revision_of({}, known.default_livemode), rules=())
        self.status = ReloadStatus()
        self._paths = tuple(paths)
        self._base = base
        self._default_livemode = known.default_livemode
        self._chooser = Chooser(known)
        self._last_good = last_good
        self._remember = remember
        self._on_report = on_report
        self._clock = clock
        self._look_every = look_every
        self._lasting = lasting
        self._running: dict[str, str] | None = None
        self._remembered: str | None = None
        self._stamp: Stamp = frozenset()
        self._lock = asyncio.Lock()

    async def reload(self) -> ReloadReport:
        """Read the files now and put in force what can be. Raises StoreError: then nothing changed.

        Reading and compiling happen in a thread: events go on being matched meanwhile.
        """
        async with self._lock:
            first = self._running is None
            if self._running is None:
                self._running = dict(await self._last_good())
            seen = await asyncio.to_thread(stamp, self._paths)
            sources, chosen, unreadable, memory = await asyncio.to_thread(self._read, self._running, first)
            rulebook, files = chosen.loaded.rulebook, dict(chosen.loaded.files)
            if rulebook.revision != self._remembered:
                await self._remember(rulebook.revision, files, self._default_livemode)
                self._remembered = rulebook.revision
            report = ReloadReport(
                at=self._clock(),
                rulebook=rulebook,
                changed=rulebook.revision != self.current.revision,
                files=chosen.states,
                mistakes=(*unreadable, *chosen.mistakes),
                sources=sources,
                memory=memory,
            )
            if (rulebook.revision, report.mistakes) != (self.current.revision, self.status.mistakes):
                _log(report)
            self.current = rulebook
            self._running = files
            self._stamp = seen
            self.status = ReloadStatus(
                loaded=report.at,
                files=report.files,
                mistakes=report.mistakes,
                broken=report.broken,
                memory=report.memory if report.changed else self.status.memory,
            )
        if self._on_report is not None:
            await self._on_report(report)
        return report

    async def watch(self, stop: asyncio.Event) -> None:
        """Reload whenever a file changes, until `stop` is set; whatever fails on the way is logged and tried again."""
        failed = False
        while not stop.is_set():
            try:
                async with contextlib.aclosing(self._looks(stop)) as looks:
                    async for _ in looks:
                        if failed or await asyncio.to_thread(stamp, self._paths) != self._stamp:
                            await self.reload()
                            failed = False
            except Exception as error:  # the outermost loop: rules that nobody watches any more would go stale unseen
                failed = True
                _logger().warning("rules_not_reloaded", reason=f"{type(error).__name__}: {error}"[:300])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._look_every)

    def _read(self, running: Mapping[str, str], first: bool) -> "_Read":
        """What there is to run, ready to be matched, and what becomes of memory thereby: at the `first` time of that
        of the rules which ran before this process."""
        with _short_turns(), _collector_paused(lasting=self._lasting):
            sources, chosen, unreadable = self._choose(running)
            chosen.loaded.rulebook.prepare(self.current)
            before = self.current
            if first and running and running != chosen.loaded.files:
                before = self._chooser.choose(running, running).loaded.rulebook
            memory = carried(before, chosen.loaded.rulebook)
        return sources, chosen, unreadable, memory

    def _choose(self, running: Mapping[str, str]) -> tuple[Mapping[str, str], Chosen, tuple[Mistake, ...]]:
        try:
            sources = read_rule_files(self._paths, self._base)
        except ConfigError as error:
            # What cannot be read is not deleted: everything stays as it was until all of it can be read.
            return running, self._chooser.choose(running, running), error.mistakes
        return sources, self._chooser.choose(sources, running), ()

    async def _looks(self, stop: asyncio.Event) -> AsyncGenerator[None, None]:
        """A moment to look at the files: soon after the system says that something changed, or every few seconds."""
        from watchfiles import awatch  # here: only the server watches

        while not stop.is_set():
            watched = _folders(self._paths)
            if not watched:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._look_every)
                    return
                yield
                continue
            changes = awatch(
                *watched.values(),
                debounce=300,
                step=30,
                stop_event=stop,
                rust_timeout=max(1, int(self._look_every * 1000)),
                yield_on_timeout=True,
                recursive=any(path.is_dir() for path in self._paths),
                ignore_permission_denied=True,
            )
            async with contextlib.aclosing(changes):
                async for _ in changes:
                    yield
                    if _folders(self._paths) != watched:  # one was made, or deleted and made again
                        break


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """Threads take turns every `_TURN`, not every five milliseconds: a request waits for its turn each time that it is
    woken, and reading many rules is long work for one thread."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@contextlib.contextmanager
def _collector_paused(*, lasting: bool) -> Iterator[None]:
    """The collector would look through all rules again and again while they are read, and make everyone wait.

    Where they are `lasting` it never looks at them at all, nor at anything else that there is at the end: rules that
    are replaced go without it, because there are no cycles in them, and reading them leaves next to none behind.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if lasting:
                gc.freeze()  # before it is enabled: it would at once look through what was made meanwhile
            gc.enable()


def _logger() -> "BoundLogger":
    import structlog  # here: it takes a tenth of a second, and only the server logs

    logger: BoundLogger = structlog.get_logger("tocsin.rules")
    return logger


def _log(report: ReloadReport) -> None:
    errors = [str(mistake) for mistake in report.mistakes if mistake.level is MistakeLevel.ERROR]
    if errors:
        more = max(0, len(errors) - _MOST_SHOWN)
        _logger().error("rules_broken", files=list(report.broken), mistakes=errors[:_MOST_SHOWN], more=more)
    _logger().info(
        "rules_loaded",
        rules=len(report.rulebook.rules),
        revision=report.rulebook.revision[:12],
        **said_of(report.memory, _MOST_SHOWN),
    )


def _folders(paths: Sequence[Path]) -> dict[tuple[int, int], Path]:
    """The folders to watch, by device and inode: of a file its folder, as editors replace files."""
    found: dict[tuple[int, int], Path] = {}
    for path in paths:
        folder = path if path.is_dir() else path.parent
        with contextlib.suppress(OSError):
            state = os.stat(folder)
            found[state.st_dev, state.st_ino] = folder
    return found
