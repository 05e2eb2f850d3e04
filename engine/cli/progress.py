"""How far long work has come, on standard error of a terminal; anywhere else nothing is said."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from engine.cli.report import console


@contextlib.contextmanager
def progress(doing: str, what: str) -> Iterator[Callable[[int], None]]:
    """Shows `doing 1,500 what` until it ends, and then nothing; yields what is told how many there are by now."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    with console(stderr=True).status(f"{doing} {what}") as status:
        yield lambda count: status.update(f"{doing} {count:,} {what}")
