"""Committed files that rendered texts are held against; `pytest --update-golden` rewrites them."""

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


class Golden:
    """Compares a text with a committed file of one folder of tests/golden, or rewrites the file when asked to."""

    def __init__(self, folder: str, update: bool) -> None:
        self._folder = GOLDEN / folder
        self._update = update

    def check(self, name: str, text: str) -> None:
        """Assert that the text is the golden file's."""
        path = self._folder / name
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden file {path.name}: run pytest --update-golden here and read what it wrote"
        assert text == path.read_text(encoding="utf-8")
