"""A folder of rules, and a reloader on it."""

from pathlib import Path

from engine.errors import StoreUnavailable
from engine.rulebook import Known
from engine.rulebook.reload import Reloader, ReloadReport
from tests.rulebook.books import KNOWN

BROKEN = "rules:\n  - id: [\n"


class Memory:
    """What a store remembers of revisions, and how it can fail."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.revisions: list[str] = []
        self.down = False
        self.refused = 0

    async def last_good(self) -> dict[str, str]:
        return dict(self.files)

    async def remember(self, revision: str, files: dict[str, str], default_livemode: bool | None) -> None:
        if self.down:
            self.refused += 1
            raise StoreUnavailable("down")
        self.files = dict(files)
        self.revisions.append(revision)


class Folder:
    """A folder of rules, a reloader on it, and what it reported."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.memory = Memory()
        self.reports: list[ReloadReport] = []
        self.reloader = self.start()

    def start(self, known: Known = KNOWN, *, lasting: bool = False) -> Reloader:
        """A process started on the same folder and store."""

        async def told(report: ReloadReport) -> None:
            self.reports.append(report)

        self.reloader = Reloader(
            paths=[self.path],
            base=self.path,
            known=known,
            last_good=self.memory.last_good,
            remember=self.memory.remember,
            on_report=told,
            look_every=0.5,
            lasting=lasting,
        )
        return self.reloader

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.path / f"{name}.yaml").write_text(text)

    async def reload(self) -> dict[str, str]:
        report = await self.reloader.reload()
        return {file.removesuffix(".yaml"): str(state) for file, state in report.files.items()}

    @property
    def rules(self) -> list[str]:
        return [each.id for each in self.reloader.current.rules]
