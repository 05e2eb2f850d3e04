"""A folder of rules that a reloader follows."""

from pathlib import Path

import pytest

from tests.rulebook.folders import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty one."""
    return Folder(tmp_path)
