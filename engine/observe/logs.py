"""The log: structlog for us, and the standard library's loggers of what we depend on through the same pipe.

A line has a stable event name and fields. No secret reaches it, whoever logs: the redactor is the last step before
the line is rendered, after tracebacks have become text.
"""

import json
import logging
import sys
from collections.abc import Iterable
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.observe.outlet import Outlet, Piece, outlet
from engine.observe.redaction import Redactor

_QUIET = ("pgqueuer", "asyncio", "watchfiles", "aiohttp.access", "uvicorn.access", "stripe", "urllib3")
"""Their news is not ours: warnings and worse only. uvicorn's access log would be a second line for each event.
Apprise's is not here: `notifiers.channels` reads from it why a message was refused, and keeps it quiet itself."""

_ROUTED = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "pgqueuer", "stripe")
"""Loggers that may bring handlers of their own; theirs are taken off, so that everything is redacted."""


FINISH = 1.0
"""Seconds at the end in which what was logged may still be written."""


def configure(
    *,
    log_format: str = "auto",
    level: str = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    apart: bool = False,
) -> None:
    """Set up logging for the process; may be called again.

    `log_format` is console, json, or auto: console where `stream` (default: standard error) is a terminal.
    `secrets` are the values that may never be written, in clear. `apart`: nobody waits for a stream that is not read;
    lines beyond a bound are left out and counted. Call `finish` at the end then.
    """
    out = sys.stderr if stream is None else stream
    is_terminal = out.isatty()
    as_console = log_format == "console" or (log_format == "auto" and is_terminal)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    way = outlet(out) if apart else None
    handler = logging.StreamHandler(out) if way is None else Apart(way)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                Redaction(Redactor(secrets)),
                *(_console(colors=is_terminal) if as_console else _json()),
            ],
        )
    )
    _route(handler, threshold)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=False,
    )


def finish() -> None:
    """Wait for a moment until all lines are written; later ones are written only where they keep nobody waiting."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Apart):
            handler.finish()


class Apart(logging.Handler):
    """Hands lines to an outlet, and says how many it did not take once it takes lines again."""

    def __init__(self, way: Outlet) -> None:
        super().__init__()
        self._way = way
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """As StreamHandler's."""
        try:
            line = Piece(f"{self.format(record)}\n")
        except Exception:  # as logging has it: a line that cannot be written ends nothing
            self.handleError(record)
            return
        if not self._way.put(line):
            self._left_out += 1
        elif self._left_out:
            number, self._left_out = self._left_out, 0
            structlog.get_logger("tocsin.log").warning("log_lines_left_out", lines=number)

    def finish(self) -> None:
        """Wait for a moment until what was said is written; from now on nothing waits any more."""
        self._way.finish(FINISH)

    def drained(self, within: float) -> bool:
        """Wait until what was said is written; whether it was in time."""
        return self._way.drained(within)


class Redaction:
    """The structlog processor that takes secrets out of every field."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {key: self._redactor.value(value) for key, value in event.items()}


def _console(*, colors: bool) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=28
    )
    return [_printable, renderer]


def _json() -> list[Processor]:
    def dumps(event: EventDict, **_: object) -> str:
        first = {key: event[key] for key in ("timestamp", "level", "logger", "event") if key in event}
        return json.dumps({**first, **event}, default=str)

    return [structlog.processors.JSONRenderer(serializer=dumps)]


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Control characters in values become visible: nobody can move a terminal's cursor through a webhook."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            event[key] = "".join(char if char.isprintable() else repr(char)[1:-1] for char in value)
    return event


def _route(handler: logging.Handler, threshold: int) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in _ROUTED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
