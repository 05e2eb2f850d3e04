"""Starting what is measured, each in a process of its own, watching it in /proc, and ending it by its id."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bodies import QUIET, SECRET, Requests, run_name, template

HERE = Path(__file__).parent
ROOT = HERE.parent
PATIENCE = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a port of the loopback."""

    name: str
    port: int
    pid: int
    started: float


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def serve(name: str, app: str, log: Path, environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """`uvicorn app` until the block ends; it has not necessarily begun to answer. Its output goes to `log`."""
    port = free_port()
    # --no-access-log: a line a request would be most of what is measured, on every server alike.
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log", "--log-level", "warning"]
    own = {key: value for key, value in os.environ.items() if not key.startswith(("TOCSIN_", "STRIPE_"))}
    own |= {"PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}", **(environ or {})}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=log.parent, env=own, stdout=output, stderr=output)
    try:
        yield Server(name, port, process.pid, time.perf_counter())
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def answers(server: Server, request: bytes, log: Path) -> float:
    """Seconds from the start of the process to its first 200, asking every 5 ms; raises with the log if never."""
    deadline = server.started + PATIENCE
    last = "no connection"
    while time.perf_counter() < deadline:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request)
            line = await reader.readline()
            writer.close()
            if line.startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - server.started
            last = line.decode("latin-1").strip() or last
        await asyncio.sleep(0.005)
    raise RuntimeError(f"{server.name} did not answer 200 ({last}); its log ends:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def tree(pid: int) -> list[int]:
    """The process and everything below it; only itself where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def parent(pid: int) -> int | None:
    """The process that started this one; None where there is no /proc."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def cpu_seconds(pids: list[int]) -> float:
    """CPU that these processes have used; 0 where there is no /proc."""
    used = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / _TICKS
    return used


def memory(pids: list[int], kind: str = "Rss") -> int | None:
    """Bytes in memory, `Rss` or `Pss` (shared pages counted once over all); None where the system does not tell."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return None
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))
    return total


async def settle(pid: int, patience: float = PATIENCE) -> None:
    """Wait until the process and those below it have next to nothing left to do."""
    deadline = time.perf_counter() + patience
    while time.perf_counter() < deadline:
        before = cpu_seconds(tree(pid))
        await asyncio.sleep(0.5)
        if cpu_seconds(tree(pid)) - before <= 0.05:
            return


def cpu_by_part(server: int, database: int | None) -> tuple[float, float]:
    """CPU seconds that a server and the database beside it have used."""
    apart = set(tree(database)) if database else set()
    return cpu_seconds([pid for pid in tree(server) if pid not in apart]), cpu_seconds(list(apart))


async def load(job: dict[str, Any], server: int, database: int | None) -> dict[str, Any]:
    """Run the load generator; what it saw, with the CPU seconds a request that server and database used."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "load.py"), json.dumps(job)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    await process.stdout.readline()
    before = cpu_by_part(server, database)
    process.stdin.write(b"go\n")
    line = (await process.stdout.read()).decode()
    after = cpu_by_part(server, database)
    if await process.wait() != 0:
        raise RuntimeError("the load generator failed")
    result: dict[str, Any] = json.loads(line)
    answered = max(sum(result["statuses"].values()), 1)
    result["server_cpu"] = (after[0] - before[0]) / answered
    result["database_cpu"] = (after[1] - before[1]) / answered
    return result


def configuration(folder: Path, *more: str, rules: str = "") -> dict[str, str]:
    """The environment of a Tocsin with one endpoint, its data in `folder`, and the ready-made rules.

    `more` is further YAML of the configuration, `rules` of a file of rules beside the ready-made ones.
    """
    lines = [
        "endpoints:",
        f"  - {{name: benchmark, secrets: [{SECRET}]}}",
        f"rules: [{json.dumps(str(ROOT / 'rules'))}, {json.dumps(str(folder / 'rules'))}]",
        f"data: {json.dumps(str(folder / 'data'))}",
        *more,
    ]
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "benchmark.yaml").write_text(rules or "rules: []\n")
    (folder / "config.yaml").write_text("\n".join([*lines, ""]))
    return {"TOCSIN_CONFIG": str(folder / "config.yaml")}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that the database may enter too: run by root, it is another user's."""
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as name:
        made = Path(name)
        made.chmod(0o755)
        yield made


def say(progress: str) -> None:
    """What is going on, on a line that the next one replaces; nothing where nobody is watching."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)


def one_request(path: str = "/webhooks/stripe") -> bytes:
    """A single signed request that closes its connection."""
    requests = Requests(path, int(time.time()))
    requests.add(template(QUIET))
    return requests.request(QUIET, f"evt_{run_name()}").replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
