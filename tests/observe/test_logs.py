"""The log: one pipe for everybody, readable by people or machines, and never a secret in it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.observe import Redactor, logs

SECRET = "hunter2XYZ"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(**options: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream=stream, **options)
    return stream


def test_elsewhere_than_on_a_terminal_a_line_is_json() -> None:
    stream = configured()
    structlog.get_logger("tocsin.x").info("event_stored", id="evt_1", number=3)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"], line["id"], line["number"]) == (
        "event_stored",
        "info",
        "tocsin.x",
        "evt_1",
        3,
    )
    assert line["timestamp"].endswith("Z")


def test_on_a_terminal_a_line_is_for_people() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    logs.configure(stream=stream)
    structlog.get_logger("tocsin.x").info("event_stored", id="evt_1")
    assert "event_stored" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()
    logs.configure(stream=stream, log_format="json")
    structlog.get_logger("tocsin.x").info("again")
    assert json.loads(stream.getvalue().splitlines()[-1])["event"] == "again"


def test_what_is_below_the_level_is_not_written() -> None:
    stream = configured(level="warning")
    structlog.get_logger("tocsin.x").info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    structlog.get_logger("tocsin.x").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_other_loggers_come_through_the_same_pipe() -> None:
    own = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(own))
    stream = configured(secrets=[SECRET])
    logging.getLogger("uvicorn.error").info("Started %s", SECRET)
    logging.getLogger("uvicorn.access").info("GET /webhooks/stripe")
    logging.getLogger("pgqueuer").info("chatter")
    logging.getLogger("pgqueuer").warning("failed")
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("uvicorn.error", "Started [redacted]"),
        ("pgqueuer", "failed"),
    ]
    assert own.getvalue() == ""


def test_configuring_again_does_not_write_twice() -> None:
    configured()
    stream = configured()
    structlog.get_logger("tocsin.x").info("once")
    assert len(lines(stream)) == 1


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_reaches_a_line(log_format: str) -> None:
    """In fields, nested fields, keys, tracebacks and other loggers' lines, whatever the format."""
    stream = configured(log_format=log_format, secrets=[SECRET, "slack://TOKENAAAA/BBBBBBBBB/CCCCCCCCC"])
    log = structlog.get_logger("tocsin.x")
    log.info("a", text=SECRET, nested={"k": [SECRET, {SECRET: 1}]}, raw=SECRET.encode(), odd=ValueError(SECRET))
    log.info("b", key="sk_live_51abcdef", other="whsec_c2VjcmV0", url="postgresql://me:pw12345@h/d")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("c")
        logging.getLogger("elsewhere").exception("POST https://hooks.slack.com/services/TOKENAAAA/BBBBBBBBB/CCCCCCCCC")
    shown = stream.getvalue()
    assert "ValueError" in shown
    for secret in (SECRET, "51abcdef", "c2VjcmV0", "pw12345", "TOKENAAAA", "BBBBBBBBB", "CCCCCCCCC"):
        assert secret not in shown


def test_nobody_moves_the_cursor_through_a_value() -> None:
    stream = configured(log_format="console")
    structlog.get_logger("tocsin.x").info("a", text="x\x1b[2J\ny")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[2J" not in stream.getvalue()


def test_anything_can_be_logged_as_json() -> None:
    stream = configured(log_format="json")
    structlog.get_logger("tocsin.x").info("a", number=2**70, thing=object(), both={1: (2, {3})}, bad="\ud800")
    assert len(stream.getvalue().splitlines()) == 1


def test_short_secrets_do_not_blank_the_log() -> None:
    assert Redactor(["abc", ""]).text("abc of the alphabet") == "abc of the alphabet"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=6, max_size=20), max_size=5), st.text(), st.text())
def test_a_known_secret_is_found_wherever_it_stands(secrets: list[str], before: str, after: str) -> None:
    redactor = Redactor(secrets)
    for secret in secrets:
        assert redactor.text(secret) != secret
        assert secret not in redactor.text(f"\0{secret}\0")
    redactor.text(before + after)
