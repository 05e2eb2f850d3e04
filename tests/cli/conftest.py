"""What the commands are tried on: a small real server, and a real store."""

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog

from engine.model.delivery import Attempt, Delivery, Firing, Plan, delivery_id
from engine.model.event import Event
from engine.model.rule import RuleMode, Severity, Verb
from engine.store import Store
from engine.store.connect import Target


@dataclass
class Sink:
    """A server that keeps what it was sent, and answers `status` and `answer`."""

    url: str = ""
    status: int = 200
    answer: Any = field(default_factory=lambda: {"received": "evt_x", "duplicate": False})
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A real HTTP server on loopback."""
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((self.path, dict(self.headers), body))
            kept.connections.add(self.client_address)
            answer = kept.answer if isinstance(kept.answer, bytes) else json.dumps(kept.answer).encode()
            self.send_response(kept.status)
            self.send_header("Content-Length", str(len(answer)))
            if kept.status in (302, 307):
                self.send_header("Location", kept.url + "/elsewhere")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A command sets up logging for its process; the next test has its own."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


NOW = datetime.now(UTC)

RULES = """\
rules:
  - id: payout-failed
    severity: high
    when: payout.failed
    then:
      - notify: payments
      - callback: cases
  - id: big-payout
    when:
      type: payout.failed
      where: {amount: {gte: 500 USD}, currency: usd}
    then: {notify: risk}
  - id: watched
    mode: shadow
    when: payout.failed
    then: {notify: risk}
"""

CONFIG = """\
endpoints:
  - {{name: connect, scope: connected, livemode: any, secrets: [whsec_x]}}
default_livemode: any
channels:
  payments: {{url: "json://127.0.0.1:{port}/?cto=1&rto=1"}}
callbacks:
  cases:
    url: "http://127.0.0.1:{port}/cases"
    secret: whsec_Y2FzZXMgYXJlIGEgc2VjcmV0IG9mIDMyIGJ5dGVzISE=
    allow_private: true
store: {{url: "{database}"}}
"""


@pytest.fixture
def workplace(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder as an operator has it: a configuration whose store is this test's own, and rules."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(database=database, port=9))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "payouts.yaml").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def delivery(name: str, **changes: Any) -> Delivery:
    """A delivery of the firing of payout-failed for the event `evt_1`, to be told apart by its name."""
    fields: dict[str, Any] = {
        "id": delivery_id("fir_1", "step", name),
        "firing": "fir_1",
        "event": "evt_1",
        "rule": "payout-failed",
        "revision": "r" * 64,
        "step": "notify-1",
        "verb": Verb.NOTIFY,
        "destination": name,
        "account": "acct_1",
        "livemode": True,
        "next_attempt": NOW,
        "created": NOW,
    }
    return Delivery(**{**fields, **changes})


def attempt(of: Delivery, **changes: Any) -> Attempt:
    """A failed attempt of it."""
    fields: dict[str, Any] = {
        "delivery": of.id,
        "number": 1,
        "started": NOW,
        "duration": timedelta(milliseconds=12),
        "outcome": "retry",
        "reason": "503 Service Unavailable",
        "status": 503,
        "excerpt": "try later",
    }
    return Attempt(**{**fields, **changes})


def stock(database: str, use: Callable[[Store], Awaitable[Any]]) -> Any:
    """What `use` makes of an opened store; for tests whose commands open it themselves."""

    async def run() -> Any:
        store = await Store.connect(Target.from_url(database))
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def commit(store: Store, one: Event, *deliveries: Delivery) -> None:
    """Stores an event for which payout-failed fired, with those deliveries."""
    firing = Firing(
        id="fir_1",
        rule="payout-failed",
        revision="r" * 64,
        event=one.dedupe_key,
        account=one.account,
        severity=Severity.HIGH,
        mode=RuleMode.LIVE,
        replay=0,
        created=NOW,
    )
    await store.committer.commit(one, Plan(firings=(firing,), deliveries=deliveries), "r" * 64)
