"""The cluster, as PostgreSQL calls a data directory with its server: made with initdb, started, its log read."""

import asyncio
import os
import shutil
import subprocess
import threading
import time

from engine.errors import EmbeddedServerError
from engine.store.place import PORT, Place
from engine.store.postmaster import Postmaster, alive, read_postmaster

ROLE = "tocsin"
"""The one role, which `peer` authentication gives to the users we know and to nobody else."""

START_PATIENCE = 60.0
"""Seconds for a server to become ready; after a crash it first replays its log."""

LOG_LIMIT = 4 * 1024 * 1024
"""Bytes of the server's log after which a start sets it aside as `log.1`."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "autovacuum_naptime": "10s",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "tocsin",
}


def initialise(place: Place) -> None:
    """Make the cluster if there is none, whole or not at all, and say who may connect."""
    if not (place.cluster / "PG_VERSION").exists():
        for half in place.home.glob("cluster.new-*"):  # of a start that was killed
            shutil.rmtree(half)
        fresh = place.home / f"cluster.new-{os.getpid()}"
        _run(
            place,
            "initdb",
            "-D",
            str(fresh),
            "-U",
            ROLE,
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=peer",
            "--no-instructions",
        )
        fresh.rename(place.cluster)
    names = sorted({place.user.pw_name, _own_name(place)})
    _write(place, "pg_hba.conf", f"local all all peer map={ROLE}\n")
    _write(place, "pg_ident.conf", "".join(f'{ROLE} "{name}" {ROLE}\n' for name in names))
    if place.log.exists() and place.log.stat().st_size > LOG_LIMIT:
        place.log.replace(place.log.with_name("log.1"))


def _own_name(place: Place) -> str:
    return "root" if place.other else place.user.pw_name


def _write(place: Place, name: str, text: str) -> None:
    path = place.cluster / name
    if path.read_text() != text:
        path.write_text(text)


def _run(place: Place, program: str, *arguments: str) -> None:
    """Run one of the wheel's programs to its end. Raises EmbeddedServerError with what it said."""
    done = subprocess.run(  # noqa: S603  the program is the wheel's own, the arguments are ours
        [str(place.binaries / program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        cwd=place.home,
        env=_environment(place),
        umask=0o077,
        user=place.user.pw_uid if place.other else None,
        group=place.user.pw_gid if place.other else None,
        extra_groups=() if place.other else None,
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise EmbeddedServerError(f"{program} failed with exit code {done.returncode}:\n{said[-2000:]}")


def _environment(place: Place) -> dict[str, str]:
    # Nothing of ours: PGDATA, PGOPTIONS or a locale without its files would change or stop the server.
    return {"PATH": f"{place.binaries}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


async def launch(place: Place) -> Postmaster:
    """Start the server and wait until it is ready."""
    deadline = time.monotonic() + START_PATIENCE
    while True:
        mark = place.log.stat().st_size if place.log.exists() else 0
        process = await asyncio.to_thread(_spawn, place)
        while process.poll() is None:
            found = read_postmaster(place.cluster)
            # Both: after a SIGKILL the old file is still there, and still says ready.
            if found is not None and found.pid == process.pid and found.ready:
                threading.Thread(target=process.wait, name="postgres-reaper", daemon=True).start()
                return found
            if time.monotonic() > deadline:
                process.terminate()
                raise failed(place, f"PostgreSQL was not ready within {START_PATIENCE:.0f} seconds", mark)
            await asyncio.sleep(0.005)
        if not _passes(place, mark) or time.monotonic() > deadline:
            raise failed(place, f"PostgreSQL ended with exit code {process.returncode}", mark)
        await asyncio.sleep(0.1)


def _passes(place: Place, mark: int) -> bool:
    """Whether the server only came too soon after another was killed.

    Its children need a moment to notice and let go of its memory; and until somebody has waited for it, it counts as
    running for PostgreSQL. Its postmaster.pid may not be removed: it guards that memory.
    """
    said = _tail(place, mark)
    if b"still in use" in said:
        return True
    found = read_postmaster(place.cluster)
    return b'"postmaster.pid" already exists' in said and found is not None and not alive(found.pid)


def _spawn(place: Place) -> subprocess.Popen[bytes]:
    settings = SETTINGS | {"unix_socket_directories": str(place.sockets).replace('"', '""').join('""')}
    command = [str(place.binaries / "postgres"), "-D", str(place.cluster), "-p", str(PORT)]
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with place.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603  the program is the wheel's own, the arguments are ours
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=place.home,
            env=_environment(place),
            umask=0o077,
            user=place.user.pw_uid if place.other else None,
            group=place.user.pw_gid if place.other else None,
            extra_groups=() if place.other else None,
        )


def failed(place: Place, problem: str, mark: int = 0) -> EmbeddedServerError:
    lines = _tail(place, mark).decode(errors="replace").strip().splitlines()[-15:]
    shown = "\n".join(f"    {line}" for line in lines) or "    (empty)"
    return EmbeddedServerError(f"{problem}; the end of its log {place.log}:\n{shown}")


def _tail(place: Place, mark: int) -> bytes:
    """The last 8 KB of the log, nothing from before byte `mark`."""
    if not place.log.exists():
        return b""
    with place.log.open("rb") as log:
        log.seek(max(mark, place.log.stat().st_size - 8192))
        return log.read()
