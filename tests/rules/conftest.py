"""`--update-golden` rewrites the rendered alerts of tests/golden/ (run as `pytest tests/rules --update-golden`)."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden" / "alerts"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registered only when this folder is named on the command line; the fixture copes with its absence."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files from what is rendered now")


class Golden:
    """Compares a text with a committed file, or rewrites the file when asked to."""

    def __init__(self, update: bool) -> None:
        self._update = update

    def check(self, name: str, text: str) -> None:
        """Assert that the text is the golden file's."""
        path = GOLDEN / name
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), (
            f"no golden file {path.name}: run pytest tests/rules --update-golden and read what it wrote"
        )
        assert text == path.read_text(encoding="utf-8")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """The golden files of rendered alerts."""
    return Golden(bool(request.config.getoption("--update-golden", default=False)))
