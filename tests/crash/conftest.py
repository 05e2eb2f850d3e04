"""Tests that kill run one after the other, in one process where there are several: each wants the machine's time."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One group of all tests of this folder; `items` are those of every folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("crash"))
