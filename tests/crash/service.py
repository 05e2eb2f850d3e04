"""Tocsin in processes of its own, as a deployment runs it, to be killed and started again."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.store.embedded import Address
from engine.store.postmaster import is_postgres, read_postmaster
from tests.builders import SECRET

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Service:
    """One process of `uvicorn engine.main:app` on `folder`, where config.yaml, rules/ and data/ are.

    `dies_at`: a step of tests.crash.launcher and how often it is reached before the process kills itself.
    `listener`: a socket that it is given, as by systemd; others may be given the same. `options`: uvicorn's.
    `output`: where it writes instead of its log. `command`: of `tocsin`, which is run instead of uvicorn.
    """

    def __init__(
        self,
        folder: Path,
        dies_at: tuple[str, int] | None = None,
        *,
        listener: socket.socket | None = None,
        options: Sequence[str] = (),
        output: int | None = None,
        command: str | None = None,
    ) -> None:
        self.folder = folder
        self._output = output
        self.port = int(listener.getsockname()[1]) if listener else free_port()
        self._options = [*options, *(("--fd", str(listener.fileno())) if listener else ("--port", str(self.port)))]
        self._given = [listener.fileno()] if listener else []
        program = ["uvicorn"] if dies_at is None else ["tests.crash.launcher", dies_at[0], str(dies_at[1])]
        self._program = ["-m", *program, "engine.main:app", "--no-access-log"]
        if command is not None:
            self._program = ["-c", "from engine.cli import main; main()", command]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers a little later."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "STRIPE_"))}
        with (self.folder / f"log-{self.port}").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._program, *self._options],
                pass_fds=self._given,
                cwd=self.folder,
                env={**own, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=log if self._output is None else self._output,
                stderr=log if self._output is None else self._output,
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send it that signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def terminate(self, patience: float = 30) -> int:
        """SIGTERM; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(patience)

    @property
    def running(self) -> bool:
        """Whether the process that was started last is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / f"log-{self.port}").read_text(errors="replace")

    async def post(self, body: bytes, signature: str, within: float = 10) -> int | None:
        """One webhook; the status, None when the connection broke before an answer."""
        head = (
            f"POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\nStripe-Signature: {signature}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(within):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(head.encode() + body)
                    line = await reader.readline()
                    return int(line.split()[1]) if line else None
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET; status 0 when nobody answers."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return 0, b""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, body

    async def ready(self, within: float = 60) -> dict[str, Any]:
        """What /readyz says, once it answers 200. Raises TimeoutError with the log."""
        try:
            async with asyncio.timeout(within):
                while True:
                    status, body = await self.get("/readyz")
                    if status == 200:
                        return dict(json.loads(body))
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"not ready; its log ends:\n{self.log[-3000:]}") from None


@contextlib.contextmanager
def deployment(rules: str, config: Mapping[str, Any]) -> Iterator[Path]:
    """A folder with these rules and this configuration, and an endpoint whose secret is `builders.SECRET`."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
    folder.chmod(0o755)  # the database runs as another user for root
    (folder / "rules").mkdir()
    (folder / "rules" / "test.yaml").write_text(rules)
    endpoint = {"name": "connect", "scope": "connected", "secrets": [SECRET]}
    (folder / "config.yaml").write_text(json.dumps({"endpoints": [endpoint], **config}))
    try:
        yield folder
    finally:
        kill_database(folder)
        shutil.rmtree(folder, ignore_errors=True)


def embedded_database(folder: Path) -> dict[str, Any]:
    """For asyncpg.connect: the embedded database of that folder, which runs."""
    found = read_postmaster((folder / "data" / "postgres").resolve() / "cluster")
    assert found is not None
    return Address(host=found.sockets).arguments()


def kill_database(folder: Path) -> None:
    """SIGKILL the embedded server of that folder, if it runs."""
    home = folder / "data" / "postgres"
    found = read_postmaster(home.resolve() / "cluster") if home.exists() else None
    if found is not None and is_postgres(found.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)
