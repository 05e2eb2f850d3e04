"""Nothing acknowledged is lost, whoever is killed: receivers, workers, the database.

`make torture` runs this loop for MINUTES; without, every kind of kill comes once.
"""

import asyncio
import os
import random
import time

import pytest

from tests.crash.ledger import RULES, Ledger
from tests.crash.service import Service, deployment, embedded_database, kill_database
from tests.crash.trouble import CALLBACK_SECRET
from tests.fakes.http_sink import http_sink

MINUTES = float(os.environ.get("MINUTES") or 0)

ASLEEP = 6.0
"""Seconds that a process sleeps: longer than it takes until its jobs are given to another."""


class Kills:
    """What can happen to two processes and their database; each returns when everybody is well again."""

    def __init__(self, services: list[Service]) -> None:
        self._services = services
        self.kinds = [self.one, self.database, self.all, self.asleep, self.in_order]

    async def one(self) -> None:
        """A process is killed."""
        victim = random.choice(self._services)
        victim.kill()
        victim.start()

    async def database(self) -> None:
        """The embedded database is killed."""
        kill_database(self._services[0].folder)

    async def all(self) -> None:
        """Everything is killed, as when the machine loses its power."""
        for service in self._services:
            service.kill()
        kill_database(self._services[0].folder)
        for service in self._services:
            service.start()

    async def asleep(self) -> None:
        """A process stands still so long that it is taken for dead, and goes on as if nothing had been."""
        sleeper = random.choice(self._services)
        sleeper.pause()
        await asyncio.sleep(ASLEEP)
        sleeper.resume()

    async def in_order(self) -> None:
        """A process is asked to end."""
        leaver = random.choice(self._services)
        await asyncio.to_thread(leaver.terminate)
        leaver.start()


@pytest.mark.timeout(300 + MINUTES * 120)
async def test_a_loop_of_kills_loses_nothing_acknowledged() -> None:
    """Two processes under load, killed again and again; then the ledger."""
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True, "timeout": "5s"}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            services = [Service(folder), Service(folder)]
            ledger = Ledger(pause=0.03 if MINUTES else 0.005)
            try:
                for service in services:
                    service.start()
                for service in services:
                    await service.ready()
                async with ledger.load(services):
                    rounds = await loop(Kills(services), services, ledger)
                balance = await ledger.drained(sink, embedded_database(folder))
            finally:
                for service in services:
                    service.kill()
    print(f"{rounds} rounds: ", end="")
    balance.holds()
    assert balance.repeated < rounds * 300, "only what was in flight at a kill comes twice"


async def loop(kills: Kills, services: list[Service], ledger: Ledger) -> int:
    """Every kind of kill once, then at random while there is time, each in the middle of the work; how many."""
    end = time.monotonic() + MINUTES * 60
    rounds = 0
    while rounds < len(kills.kinds) or time.monotonic() < end:
        kill = kills.kinds[rounds] if rounds < len(kills.kinds) else random.choice(kills.kinds)
        await asyncio.sleep(random.uniform(0.2, 1.0))
        await kill()
        for service in services:
            await service.ready()
        await ledger.flows()
        rounds += 1
        if MINUTES:
            print(f"{rounds:4} {kill.__name__:>9}: acknowledged {len(ledger.acknowledged)}", flush=True)
    return rounds
