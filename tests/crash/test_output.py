"""The output of a process goes to a pipe that nobody reads: everything but the console goes on."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from engine.service import DRAIN
from tests.crash.ledger import Ledger, until
from tests.crash.service import Service, deployment
from tests.crash.trouble import CALLBACK_SECRET
from tests.fakes.http_sink import http_sink

RULES = f"""
rules:
  - id: payout-failed
    when: payout.failed
    then:
      - {{notify: payments, text: "{{{{ event.id }}}} was told, in as many words as a real alert has: {"word " * 100}"}}
      - {{callback: sink}}
"""

EVENTS = 300


class Reader:
    """Keeps what comes out of a pipe."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._parts: list[bytes] = []
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while data := os.read(self._file, 65536):
            self._parts.append(data)

    @property
    def text(self) -> str:
        """What came so far."""
        return b"".join(self._parts).decode(errors="replace")


@pytest.mark.timeout(180)
async def test_an_output_that_nobody_reads_holds_up_nothing_else() -> None:
    """It answers, calls back, and ends in its bound; what was acknowledged is printed once somebody reads."""
    from_, to = os.pipe()
    async with http_sink() as sink:
        callback = {"url": sink.url("/hook"), "secret": CALLBACK_SECRET, "allow_private": True}
        with deployment(RULES, {"callbacks": {"sink": callback}}) as folder:
            service, ledger = Service(folder, output=to), Ledger()
            try:
                service.start()
                await service.ready()
                for _ in range(EVENTS):
                    assert await ledger.post(service, ledger.key()) == 200
                await until(lambda: len(ledger.came(sink)) == EVENTS, "the other channel is served")
                assert (await asyncio.wait_for(service.get("/healthz"), 5))[0] == 200
                began = time.monotonic()
                assert await asyncio.to_thread(service.terminate, 60) == -signal.SIGTERM
                assert time.monotonic() - began < DRAIN.total_seconds() + 5
                reader = Reader(from_)
                service.start()
                await until(lambda: all(f"{key} was told" in reader.text for key in ledger.acknowledged), "all is told")
            finally:
                service.kill()
                os.close(to)


def fill(pipe: int) -> None:
    """Write to it until it takes no more; who else has it still waits for room."""
    own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(own, b"x" * 4096)
    except BlockingIOError:
        return
    finally:
        os.close(own)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux for a second opening of a pipe")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.timeout(180)
async def test_tocsin_serve_starts_and_ends_where_its_output_is_full(workers: int) -> None:
    """Also the parent of several workers, whose log is uvicorn's."""
    from_, to = os.pipe()
    fill(to)
    with deployment(RULES, {"callbacks": {"sink": {"url": "https://a.example/", "secret": CALLBACK_SECRET}}}) as folder:
        service = Service(folder, output=to, command="serve", options=["--workers", str(workers)])
        try:
            service.start()
            await service.ready()
            began = time.monotonic()
            assert await asyncio.to_thread(service.terminate, 60) in (0, -signal.SIGTERM)
            assert time.monotonic() - began < DRAIN.total_seconds() + 5
        finally:
            service.kill()
            os.close(to)
            os.close(from_)
