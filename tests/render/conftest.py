"""The golden files of rendered digests."""

import pytest

from tests.golden_files import Golden


@pytest.fixture
def golden(update_golden: bool) -> Golden:
    """Those of tests/golden/digests."""
    return Golden("digests", update_golden)
