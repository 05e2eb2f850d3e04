"""A process that is killed between any two steps of an event's way loses nothing, and another takes over."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from tests.crash.launcher import STEPS
from tests.crash.ledger import PATIENCE, RULES, Balance, Ledger
from tests.crash.service import Service, deployment, embedded_database
from tests.crash.trouble import CALLBACK_SECRET
from tests.fakes.http_sink import HttpSink, http_sink

TIMES = {"job ended": 2}
"""Jobs end several at once."""


@dataclass
class Victim:
    """A process that kills itself at a step, what it was sent, and when it died."""

    step: str
    service: Service
    ledger: Ledger
    died: float = 0.0
    left: list[str] = field(default_factory=list)

    async def die(self) -> None:
        """Send it events until it is dead; what it did not acknowledge is left for others."""
        deadline = time.monotonic() + PATIENCE
        while self.service.running:
            assert time.monotonic() < deadline, f"it never came to {self.step!r}:\n{self.service.log[-2000:]}"
            keys = [self.ledger.key() for _ in range(4)]
            answers = await asyncio.gather(*(self.ledger.post(self.service, key) for key in keys))
            self.left += [key for key, answer in zip(keys, answers, strict=True) if answer != 200]
            await asyncio.sleep(0.1)
        self.died = asyncio.get_running_loop().time()

    async def again(self, survivor: Service) -> None:
        """Send what it left to the survivor, as Stripe would."""
        for key in self.left:
            assert await self.ledger.post(survivor, key) == 200

    def taken_over(self, sink: HttpSink) -> float:
        """Seconds from its death to the first delivery of the last of its events."""
        first: dict[str, float] = {}
        for request in sink.requests:
            first.setdefault(request.json["event"]["id"], request.at)
        own = [at for event, at in first.items() if event.startswith(f"{self.ledger.prefix}_")]
        return max(0.0, max(own) - self.died)


@pytest.mark.timeout(240)
async def test_a_kill_between_any_two_steps_loses_nothing() -> None:
    """One process for each step, all on one database, and one survivor that takes over from all of them."""
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        # Nine processes on one database: with eight connections each for queries there would not be enough for all, and
        # a process that gets none to record with sends again what it could not write down.
        with deployment(RULES, {"callbacks": {"sink": callback}, "store": {"connections": 2}}) as folder:
            survivor = Service(folder)
            victims = [
                Victim(step, Service(folder, (step, TIMES.get(step, 6))), Ledger(f"step{number}"))
                for number, step in enumerate(STEPS)
            ]
            try:
                survivor.start()
                await survivor.ready()
                for victim in victims:
                    victim.service.start()
                for victim in victims:
                    await victim.service.ready()
                await asyncio.gather(*(victim.die() for victim in victims))
                await asyncio.gather(*(victim.again(survivor) for victim in victims))
                for victim in victims:
                    report(victim, await victim.ledger.drained(sink, embedded_database(folder)), sink)
                assert survivor.running
            finally:
                for service in (survivor, *(victim.service for victim in victims)):
                    service.kill()


def report(victim: Victim, balance: Balance, sink: HttpSink) -> None:
    """The ledger of a step; no tight bound on the time, which is for machines that are busy with other tests."""
    print(f"{victim.step:>13}: {balance}, taken over in {victim.taken_over(sink):.1f} s")
    balance.holds()
    assert balance.repeated <= 20, "only what was in flight at the kills comes twice"
    assert victim.taken_over(sink) < 20
