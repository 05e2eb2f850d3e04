"""Secrets that are made where none is configured, and the folder they are kept in."""

import contextlib
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from engine.errors import ConfigError
from engine.model.mistake import Mistake, MistakeLevel

FILE = "local-endpoint-secret"
LINKS = "link-secret"


def ensure_data(data: Path) -> None:
    """Make the data folder, for its owner alone, unless it is there. Raises ConfigError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise _failed(f"cannot make the data folder {data}: {problem.strerror}") from None


def local_secret(data: Path) -> SecretStr:
    """The secret of the endpoint that is there without configuration. Kept in the data folder, made at first use;
    processes that race agree. Raises ConfigError."""
    return _kept(data / FILE, "whsec_", "signing secret")


def link_secret(data: Path) -> SecretStr:
    """The secret that links in messages are signed with, kept and made in the same way. Raises ConfigError."""
    return _kept(data / LINKS, "links_", "secret of links")


def _kept(path: Path, prefix: str, what: str) -> SecretStr:
    ensure_data(path.parent)
    try:
        if not path.exists():
            _make(path, prefix)
        clear = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not text"
        raise _failed(f"cannot keep a secret in {path}: {reason}") from None
    if not clear.startswith(prefix) or len(clear) < len(prefix) + 32:
        raise _failed(f"{path} holds no {what}; delete it, and a new one is made")
    return SecretStr(clear)


def _make(path: Path, prefix: str) -> None:
    """Written whole under another name and linked: nobody ever reads half a secret, and the first one stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{prefix}{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _failed(message: str) -> ConfigError:
    return ConfigError([Mistake(level=MistakeLevel.ERROR, code="data", message=message)])
