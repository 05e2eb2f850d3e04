"""The secret of the endpoint that is there without configuration, and the folder it is kept in."""

import contextlib
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from engine.errors import ConfigError
from engine.model.mistake import Mistake, MistakeLevel

FILE = "local-endpoint-secret"


def ensure_data(data: Path) -> None:
    """Make the data folder, for its owner alone, unless it is there. Raises ConfigError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise _failed(f"cannot make the data folder {data}: {problem.strerror}") from None


def local_secret(data: Path) -> SecretStr:
    """The secret kept in the data folder, made at first use; processes that race agree. Raises ConfigError."""
    ensure_data(data)
    path = data / FILE
    try:
        if not path.exists():
            _make(path)
        clear = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not text"
        raise _failed(f"cannot keep a secret in {path}: {reason}") from None
    if not clear.startswith("whsec_") or len(clear) < len("whsec_") + 32:
        raise _failed(f"{path} holds no signing secret; delete it, and a new one is made")
    return SecretStr(clear)


def _make(path: Path) -> None:
    """Written whole under another name and linked: nobody ever reads half a secret, and the first one stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"whsec_{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _failed(message: str) -> ConfigError:
    return ConfigError([Mistake(level=MistakeLevel.ERROR, code="data", message=message)])
