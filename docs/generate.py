"""Writes the generated parts of the docs, between `<!-- generated: NAME -->` and `<!-- end -->`.

`python docs/generate.py` rewrites them; `--check` says which are stale and changes nothing. tests/test_docs.py holds
them to the code.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from engine.match import OPERATORS
from engine.observe import Metrics
from engine.rulebook.codes import CODES
from engine.settings import describe

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings() -> str:
    """Every key of the configuration, its default and what it is for."""
    rows = [f"| `{key}` | {_code(default)} | {text} |" for key, default, text in describe()]
    return "\n".join(["| key | default | |", "|---|---|---|", *rows])


def metrics() -> str:
    """Every metric, its labels and what it counts."""
    rows = [
        f"| `{name}` | {', '.join(f'`{label}`' for label in labels)} | {text} |"
        for name, labels, text in Metrics().describe()
    ]
    return "\n".join(["| metric | labels | |", "|---|---|---|", *rows])


def operators() -> str:
    """Every operator, what it is for and what it means."""
    rows = [f"| `{op.name}` | {op.on} | {op.doc} |" for op in OPERATORS.values()]
    return "\n".join(["| operator | on | holds when |", "|---|---|---|", *rows])


def codes() -> str:
    """Every mistake that check finds, under a heading of its own."""
    return "\n\n".join(f"## {code}\n\n{text}" for code, text in sorted(CODES.items()))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "operators": operators,
    "codes": codes,
}


def rendered(text: str) -> str:
    """The page with its generated parts as the code has them now."""
    return BLOCK.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)


def main() -> int:
    """Rewrite, or with --check only tell."""
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        fresh = rendered(text)
        if fresh != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(fresh)
    print("\n".join(stale) or "the docs are as the code is")
    return bool(stale) and "--check" in sys.argv


if __name__ == "__main__":
    raise SystemExit(main())
