"""Jobs that go to a worker of this process the moment they are committed, past the queue's own way.

A job that is queued costs a notification, a dequeue and a look at its delivery before it begins. While a class has
room, its jobs are therefore committed as picked by this process, and begun from memory. For the queue nothing is
different: it sees signs of life as for any picked job, and gives the job to another worker when they stop.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from engine.model.delivery import Delivery
from engine.store.queue import kind, lane

FRESH = 1.0
"""Seconds after its commit in which a delivery need not be read again: well within what the queue waits for a sign of
life, so that nobody else can have had its job meanwhile. By both clocks: one stands still while a machine sleeps, the
other may be set."""


class Taker(Protocol):
    """The worker of one class in this process; `id` is what the queue knows it by."""

    @property
    def id(self) -> UUID: ...

    @property
    def room(self) -> int:
        """How many more jobs it would begin at once."""
        ...

    def may(self, lane: str) -> bool:
        """Whether jobs of that destination may run here; where not, they are left to other processes."""
        ...

    def expect(self, number: int) -> None:
        """So many more jobs may come; a negative number: so many do not."""
        ...

    def take(self, job: int, delivery: Delivery) -> None:
        """Begin a job that was expected and is committed."""
        ...

    def look(self) -> None:
        """See what is in the queue: something was committed there."""
        ...


class Offer:
    """Deliveries about to be committed, with places kept for those that a worker takes."""

    def __init__(self, handoff: "Handoff", due: Iterable[Delivery]) -> None:
        self.takers: dict[str, UUID] = {}
        self._handoff = handoff
        self._kept: list[tuple[Delivery, Taker]] = []
        for delivery in due:
            taker = handoff.takers.get(kind(delivery))
            if taker is not None and taker.room > 0 and taker.may(lane(delivery)):
                taker.expect(1)
                self.takers[delivery.id] = taker.id
                self._kept.append((delivery, taker))

    def settle(self, jobs: Mapping[str, int]) -> None:
        """Begin what was committed and free the other places. `jobs`: ids of the new ones by that of their delivery."""
        for delivery, taker in self._kept:
            taker.expect(-1)
            job = jobs.get(delivery.id)
            if job is not None:
                self._handoff.fresh[delivery.id] = (delivery, time.monotonic(), time.time())
                taker.take(job, delivery)
        if not jobs.keys() <= self.takers.keys():
            self._handoff.look()


class Handoff:
    """Between the committer and the workers of one process; `pids` are the backends of the committers' connections."""

    def __init__(self) -> None:
        self.takers: dict[str, Taker] = {}
        self.fresh: dict[str, tuple[Delivery, float, float]] = {}
        self.pids: set[int] = set()
        self._ear: object = None

    def offer(self, due: Sequence[Delivery]) -> Offer:
        """Keep places for deliveries that are about to be committed, until `settle`."""
        return Offer(self, due)

    def serves(self, kind: str) -> bool:
        """Whether a delivery of that class, committed now, would begin at once."""
        taker = self.takers.get(kind)
        return taker is not None and taker.room > 0

    def listens(self, who: object) -> bool:
        """Whether it is `who` that listens for all workers of the process to what others queue: the first that asks."""
        self._ear = self._ear or who
        return self._ear is who

    def deafen(self, who: object) -> None:
        """`who` listens no longer; the next that begins to work will."""
        if self._ear is who:
            self._ear = None

    def look(self, kinds: Collection[str] | None = None) -> None:
        """Have the workers of those classes see what is in the queue; of all of them where none are given."""
        for name, taker in self.takers.items():
            if kinds is None or name in kinds:
                taker.look()

    def take(self, delivery_id: str) -> Delivery | None:
        """The delivery as it was committed a moment ago, once; None: it has to be read."""
        delivery, since, at = self.fresh.pop(delivery_id, (None, 0.0, 0.0))
        return delivery if time.monotonic() - since < FRESH and 0 <= time.time() - at < FRESH else None
