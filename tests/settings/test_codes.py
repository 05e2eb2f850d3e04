"""Every code that is used is documented, and every documented one is used."""

import re
from pathlib import Path

import engine.settings
import engine.source
from engine.settings import CODES

CALLS = re.compile(
    r"""(?:_mistake|wrong)\(\s*"([a-z-]+)"|code="([a-z-]+)"|Finding\((?:loc|\s*\([^)]*\)),\s*"([a-z-]+)\""""
)


def test_codes_are_those_in_the_table() -> None:
    folders = [Path(package.__file__ or "").parent for package in (engine.settings, engine.source)]
    texts = [path.read_text() for folder in folders for path in folder.glob("*.py")]
    used = {code for text in texts for groups in CALLS.findall(text) for code in groups if code}
    assert used == set(CODES)
