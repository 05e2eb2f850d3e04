"""A queue that falls behind is told once, and that it is well again."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from engine.errors import StoreUnavailable
from engine.model.rule import Severity
from engine.work.late import QueueWatch


@dataclass
class Queue:
    """A queue of a given age."""

    queue_age: dict[str, timedelta] = field(default_factory=dict)
    read_only: str | None = None
    dead: int = 0
    held: int = 0


class Told:
    """Looks at a queue of an age in seconds, and keeps what is told."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.reports: list[tuple[str, Severity]] = []
        self.watch = QueueWatch(self.health, self.report, timedelta(seconds=60))

    async def health(self) -> Queue:
        return self.queue

    async def report(self, subject: str, title: str, text: str, severity: Severity) -> None:
        assert "60 seconds" in text
        self.reports.append((title, severity))

    async def at(self, seconds: float) -> list[tuple[str, Severity]]:
        """What is told when the oldest of the queue is of that age."""
        self.reports = []
        self.queue = Queue({"callback": timedelta(seconds=seconds), "notify": timedelta()})
        await self.watch.once()
        return self.reports


async def test_late_is_told_once_and_well_again_too() -> None:
    told = Told()
    assert await told.at(59) == []
    assert await told.at(61) == [("Deliveries are late", Severity.HIGH)]
    assert await told.at(600) == []
    assert await told.at(45) == [], "about the bound is neither"
    assert await told.at(70) == []
    assert await told.at(1) == [("Deliveries are on time again", Severity.INFO)]
    assert await told.at(1) == []


async def test_what_could_not_be_told_is_told_the_next_time() -> None:
    told, failing, heard = Told(), True, asyncio.Event()

    async def report(subject: str, title: str, text: str, severity: Severity) -> None:
        if failing:
            raise StoreUnavailable("the database is away")
        await told.report(subject, title, text, severity)
        heard.set()

    told.watch = QueueWatch(told.health, report, timedelta(seconds=60))
    stop = asyncio.Event()
    told.queue = Queue({"callback": timedelta(seconds=61)})
    watching = asyncio.create_task(told.watch.run(stop, every=0.01))
    await asyncio.sleep(0.05)
    assert told.reports == []
    failing = False
    await asyncio.wait_for(heard.wait(), 5)
    stop.set()
    await watching
    assert told.reports == [("Deliveries are late", Severity.HIGH)]
