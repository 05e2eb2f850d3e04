"""What the docs tell a reader to type works as it stands, against the server that they tell him to start."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINES = [
    (path.name, line.partition("  #")[0].strip())
    for path in PAGES
    for block in FENCE.findall(path.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line.strip() and not line.startswith("#")
]
"""Every line of every shell block: `(page, line)`, in the order of reading, README first."""
COMMANDS = [(page, line) for page, line in LINES if not line.startswith("make ")]
PATIENCE = 60.0


@dataclass(kw_only=True)
class Server:
    """The app as the README starts it, in a folder that looks like a checkout; its output goes to a file."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str] = field(repr=False)

    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder / "output").read_text(encoding="utf-8")

    def shows(self, text: str) -> bool:
        """Whether it prints that in time."""
        until = time.monotonic() + PATIENCE
        while text not in self.output() and time.monotonic() < until and self.process.poll() is None:
            time.sleep(0.05)
        return text in self.output()

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line as a reader types it in a second terminal, `.venv` activated."""
        return subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            check=False,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """`uvicorn engine.main:app` with the ready-made rules, no configuration, and a database of its own."""
    # Not pytest's folder, which only its user may enter: the database runs as another one for root.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-readme-"))
    folder.chmod(0o755)
    try:
        shutil.copytree(ROOT / "rules", folder / "rules")
        (folder / ".venv").mkdir()
        (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        started = _start(folder)
        try:
            yield started
        finally:
            _end(started.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> Server:
    port = _free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "STRIPE_"))}
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**kept, "PATH": path, "PORT": str(port), "TOCSIN_DATA": str(folder / "data")}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [".venv/bin/uvicorn", "engine.main:app", "--port", str(port), "--no-access-log"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    started = Server(folder=folder, port=port, process=process, environment=environment)
    try:
        _await_ready(started)
    except BaseException:
        _end(process)
        raise
    return started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(server: Server) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert server.process.poll() is None, f"the server has ended:\n{server.output()}"
        try:
            with urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except URLError:
            time.sleep(0.1)
    pytest.fail(f"the server is not ready:\n{server.output()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, for this process alone."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def test_make_lines_name_targets_that_the_makefile_has() -> None:
    """Those lines install, or run for minutes; what they name must be there."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {line.split()[1] for _, line in LINES if line.startswith("make ")}
    assert {"run", "test"} <= named <= targets


def test_every_other_line_is_a_command_of_ours() -> None:
    """So that nothing else is run here, unseen."""
    assert [line for _, line in COMMANDS if line.split()[0] not in (".venv/bin/tocsin", "tocsin")] == []
    assert {"README.md", "operations.md"} <= {page for page, _ in COMMANDS}


def test_what_a_reader_types_works_and_the_alert_appears(server: Server) -> None:
    """In the order of the pages: an event is sent, the alert appears in the server's output, the rest looks at it."""
    assert server.shows("Tocsin is ready.")
    for page, line in COMMANDS:
        done = server.run(line)
        assert done.returncode == 0, f"{page}: {line}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip() or done.stderr.strip(), f"{page}: {line} prints nothing"
        if "simulate payout.failed --account acct_demo" in line:
            assert server.shows("[TEST] Payout of €4,200.50 to acct_demo failed"), server.output()
    assert "Traceback" not in server.output()


def test_explain_of_the_id_that_simulate_printed_shows_what_fired(server: Server) -> None:
    """The line of the README that no block can hold, because the id is new each time."""
    printed = server.run(".venv/bin/tocsin simulate payout.failed --account acct_demo").stdout
    found = re.search(r"tocsin explain evt_\w+", printed)
    assert found is not None, printed
    explained = server.run(found.group()).stdout
    assert re.search(r"payout-failed +FIRED", explained), explained
    assert "needs platform" in explained, explained


def test_the_listings_show_the_event_and_its_delivery(server: Server) -> None:
    assert server.run(".venv/bin/tocsin simulate payout.failed --account acct_listed").returncode == 0
    assert server.shows("to acct_listed failed")
    events = server.run(".venv/bin/tocsin events ls --account acct_listed").stdout
    assert re.search(r"payout\.failed +acct_listed +test .*fired payout-failed", events), events
    until = time.monotonic() + PATIENCE
    while True:
        deliveries = server.run(".venv/bin/tocsin deliveries ls --account acct_listed").stdout
        if "delivered" in deliveries or time.monotonic() > until:
            break
    assert re.search(r"dlv_\w+ +delivered +payout-failed +notify payments", deliveries), deliveries


def test_a_rule_that_is_saved_is_in_force_without_a_restart(server: Server) -> None:
    """As the tutorial of rules.md promises; and a file with a mistake does not end it."""
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    first = next(block for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    (server.folder / "rules" / "mine.yaml").write_text(first)
    assert _fires(server, "payout-came-back", "acct_mine")
    (server.folder / "rules" / "mine.yaml").write_text(first.replace("when:", "wehn:"))
    assert server.shows("rules_broken")
    assert server.run(".venv/bin/tocsin check").returncode == 1
    assert _fires(server, "payout-came-back", "acct_still")
    (server.folder / "rules" / "mine.yaml").unlink()


def _fires(server: Server, rule: str, account: str) -> bool:
    """Whether that rule alerts, for one of the events sent until then."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        server.run(f".venv/bin/tocsin simulate payout.failed --account {account}")
        if f"{account} · rule {rule} " in server.output():
            return True
        time.sleep(0.2)
    return False
