"""Writes the generated parts of the docs, between `<!-- generated: NAME -->` and `<!-- end -->`.

`python -m docs.generate` rewrites them; `--check` says which are stale and changes nothing. tests/test_docs.py holds
them to the code. What they show of Tocsin at work is in examples.py.
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs import examples, mistaken
from engine.match import OPERATORS
from engine.observe import Metrics
from engine.render.filters import FILTERS
from engine.rulebook import CODES as RULE_CODES
from engine.settings import CODES as CONFIG_CODES
from engine.settings import describe

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


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
    """Every operator, what it is for, what it means, and one use."""
    rows = [f"| `{op.name}` | {op.on} | {op.doc} | `{examples.OPERATORS[op.name]}` |" for op in OPERATORS.values()]
    return "\n".join(["| operator | on | holds when the value | example |", "|---|---|---|---|", *rows])


def filters() -> str:
    """Every filter of Tocsin's own with what it gives, then the names of jinja2's."""
    lines = [f"- **{name}**\n{_uses(uses)}" for name, uses in examples.FILTERS.items()]
    borrowed = ", ".join(f"`{name}`" for name in sorted(FILTERS.keys() - examples.FILTERS))
    return "\n".join([*lines, "", f"Of Jinja2's own there are {borrowed}."])


def _uses(uses: tuple[str, ...]) -> str:
    return "\n".join(f"  - `{use}` gives `{examples.filtered(use)}`" for use in uses)


def codes() -> str:
    """Every mistake that check finds, under a heading of its own; those in a file of rules as they are shown."""
    parts = [f"## {code}\n\n{_meaning(code)}{_shown(code)}" for code in sorted({*RULE_CODES, *CONFIG_CODES})]
    return "\n\n".join(parts)


def _shown(code: str) -> str:
    return f"\n\n{_fenced(mistaken.shown(code))}" if code in mistaken.FILES else ""


def _meaning(code: str) -> str:
    rule, config = RULE_CODES.get(code), CONFIG_CODES.get(code)
    if rule is not None and config is not None and rule != config:
        return f"In rules: {rule}.\n\nIn the configuration: {config}."
    text = rule or config or ""
    if rule and config:
        return f"{text[0].upper()}{text[1:]}."
    return f"In {'rules' if rule else 'the configuration'}: {text}."


def commands() -> str:
    """The help of every command, under a heading of its own."""
    return "\n\n".join(
        f"## tocsin {' '.join(words)}\n\n{_fenced(examples.run(*words, '--help'))}" for words in examples.COMMANDS
    )


def alert() -> str:
    """What the first rule of rules.md sends."""
    return _fenced(examples.alert_of("payout-came-back", examples.event("payout.failed")))


def explain() -> str:
    """How `explain` shows an amount that is too small."""
    return _fenced(examples.explained("large-dispute", examples.dispute()))


def tree() -> str:
    """How `explain --rule` shows all that a rule asks."""
    return _fenced(examples.explained("large-dispute", examples.dispute(), tree=True))


def why_not() -> str:
    """How `rules show` counts what kept a rule from firing."""
    return _fenced(examples.counted("large-dispute", examples.disputes()))


def failed_test() -> str:
    """How a test fails when the rule of the page asks for more."""
    return _fenced(examples.failed_test("dispute-over-500", "[500 USD, 450 EUR]", "[500 USD, 460 EUR]"))


def mistakes() -> str:
    """A file with mistakes, and what check says of it."""
    return "\n\n".join([_fenced(examples.MISTAKEN), "`tocsin check` says:", _fenced(examples.shown_mistakes())])


def _fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "operators": operators,
    "filters": filters,
    "codes": codes,
    "commands": commands,
    "alert": alert,
    "explain": explain,
    "tree": tree,
    "why-not": why_not,
    "failed-test": failed_test,
    "mistakes": mistakes,
}


def rendered(text: str) -> str:
    """The page with its generated parts as the code has them now."""
    return BLOCK.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)


def main() -> int:
    """Rewrite, or with --check only tell."""
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        fresh = rendered(text)
        if fresh != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(fresh, encoding="utf-8")
    print("\n".join(stale) or "the docs are as the code is")
    return bool(stale) and "--check" in sys.argv


if __name__ == "__main__":
    raise SystemExit(main())
