"""What the help of every command ends with, and the exit codes it speaks of."""

import re

FAILED = 1
USAGE = 2
STRICT = 3
INTERRUPTED = 130


def ending(*examples: str, **exits: str) -> str:
    """The end of a command's help: its examples, a line each, then its exit codes as `_0="fine"`."""
    title = "Example:" if len(examples) == 1 else "Examples:"
    parts = ["\n".join(["\b", title, *(f"  {example}" for example in examples)])]
    if exits:
        codes = [f"  {name.removeprefix('_')}  {meaning}" for name, meaning in exits.items()]
        parts.append("\n".join(["\b", "Exit codes:", *codes]))
    return "\n\n".join(parts)


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 rule`, `2 rules`, `1,000 rules`; `many` where adding an s is not the plural."""
    return f"{count:,} {noun if count == 1 else many or re.sub('(?<![aeiou])y$', 'ie', noun) + 's'}"
