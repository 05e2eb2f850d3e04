"""What `postmaster.pid` and the process table say of a PostgreSQL server."""

import contextlib
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

LINUX = platform.system() == "Linux"
"""Elsewhere (macOS) there is no /proc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """A server as its `postmaster.pid` describes it, which outlives a killed server: see `is_postgres`."""

    pid: int
    sockets: str
    ready: bool


def read_postmaster(cluster: Path) -> Postmaster | None:
    """The server named by the cluster's `postmaster.pid`; None without one, or one that is still being written."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    lines += [""] * (8 - len(lines))
    return Postmaster(pid=pid, sockets=lines[4].strip(), ready=lines[7].strip() == "ready")


def alive(pid: int) -> bool:
    """Whether there is a process of that id, one that has not ended: a dead child that nobody waits for has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if LINUX:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    return True


def is_postgres(pid: int) -> bool:
    """Whether that process runs a program named postgres: a process id is soon given to someone else."""
    if LINUX:
        with contextlib.suppress(OSError):
            # A rebuilt virtual environment leaves "... (deleted)".
            return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name == "postgres"
        return False
    found = subprocess.run(  # noqa: S603  fixed program, the argument is a number
        ["/bin/ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return Path(found.stdout.strip()).name == "postgres"
