"""The golden files of rendered alerts."""

import pytest

from tests.golden_files import Golden


@pytest.fixture
def golden(update_golden: bool) -> Golden:
    """Those of tests/golden/alerts."""
    return Golden("alerts", update_golden)
