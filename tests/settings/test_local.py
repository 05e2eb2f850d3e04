"""The secret that is generated: made once, for its owner alone, whoever races for it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.settings import local_secret
from engine.settings.local import FILE


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    secret = local_secret(data)
    assert (data.stat().st_mode & 0o777, (data / FILE).stat().st_mode & 0o777) == (0o700, 0o600)
    assert local_secret(data).get_secret_value() == secret.get_secret_value()
    assert [path.name for path in data.iterdir()] == [FILE]


def test_threads_that_race_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = {secret.get_secret_value() for secret in pool.map(local_secret, [tmp_path / "data"] * 32)}
    assert len(found) == 1


def test_processes_that_race_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.settings.local import local_secret;"
        "sys.stdin.read(1); print(local_secret(Path(sys.argv[1])).get_secret_value())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"x")
        racer.stdin.flush()
    found = {racer.communicate(timeout=60)[0] for racer in racers}
    assert len(found) == 1
    assert found.pop().startswith(b"whsec_")


def test_a_file_that_holds_no_secret_is_never_used(tmp_path: Path) -> None:
    for content in ("", "whsec_", "something"):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(ConfigError, match="delete it"):
            local_secret(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot make the data folder"):
        local_secret(tmp_path / "file" / "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot keep a secret"):
        local_secret(tmp_path)
