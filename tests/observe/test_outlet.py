"""A stream that nobody reads: who has something to say does not wait for it, and nothing that was taken is lost."""

import asyncio
import io
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from engine.observe import logs
from engine.observe.outlet import AT_ONCE, MOST, PATIENCE, Outlet, Piece, Unread, outlet

FULL = 64 * 1024
"""Bytes that a pipe takes before it holds up who writes."""


class Pipe:
    """A pipe, and what was read of it once somebody reads."""

    def __init__(self) -> None:
        self._from, to = os.pipe()
        self.stream: TextIO = os.fdopen(to, "w")
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._follow, daemon=True)

    def _follow(self) -> None:
        while data := os.read(self._from, FULL):
            self._read.append(data)

    def read(self) -> None:
        """Read from now on."""
        self._reader.start()

    def all(self) -> str:
        """Everything that came, once the other end is closed."""
        if not self._reader.is_alive():
            self.read()
        self.stream.close()
        self._reader.join(10)
        return b"".join(self._read).decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.stream.close()


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def settled(pieces: list[Piece]) -> list[Exception | None]:
    """How each ended, in time."""
    async with asyncio.timeout(10):
        return [await piece.written for piece in pieces if piece.written is not None]


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  of a thread
            await asyncio.sleep(0.01)


def waited_for(text: str) -> Piece:
    return Piece(text, asyncio.get_running_loop().create_future())


async def test_what_comes_is_written_in_order_once_somebody_reads(pipe: Pipe) -> None:
    out = Outlet(pipe.stream)
    pieces = [waited_for(f"{number:04d}" + "x" * 1000 + "\n") for number in range(300)]
    began = time.monotonic()
    assert all(out.put(piece) for piece in pieces)
    assert time.monotonic() - began < PATIENCE, "nobody waits"
    await until(lambda: out.stuck)
    assert not out.drained(0.05)
    pipe.read()
    assert await settled(pieces) == [None] * 300
    await until(lambda: not out.stuck)
    assert pipe.all() == "".join(piece.text for piece in pieces)


async def test_what_is_not_begun_can_be_withdrawn(pipe: Pipe) -> None:
    out = Outlet(pipe.stream)
    first, second = waited_for("1" * 2 * FULL), waited_for("2")
    out.put(first)
    await until(lambda: first.begun)
    out.put(second)
    assert not out.withdraw(first)
    assert out.withdraw(second)
    pipe.read()
    assert await settled([first]) == [None]
    assert out.finish(5)
    assert pipe.all() == first.text


async def test_an_end_that_is_closed_is_told(pipe: Pipe) -> None:
    out = Outlet(pipe.stream)
    os.close(pipe._from)
    piece = waited_for("nobody there")
    out.put(piece)
    [error] = await settled([piece])
    assert isinstance(error, BrokenPipeError)
    pipe.stream.close()


def test_more_than_may_wait_is_not_taken(pipe: Pipe) -> None:
    out = Outlet(pipe.stream)
    out.put(Piece("x" * 2 * FULL))
    taken = sum(out.put(Piece("y" * FULL)) for _ in range(2 * MOST // FULL))
    assert MOST // FULL - 2 <= taken <= MOST // FULL + AT_ONCE
    pipe.read()
    assert out.finish(10)
    assert len(pipe.all()) == (taken + 2) * FULL


def slowly(pipe: Pipe) -> list[str]:
    """Its lines, read a little at a time, so that whoever writes waits for room again and again; 800 there are."""
    read = b""
    while read.count(b"\n") < 800:
        read += os.read(pipe._from, 1000)
        time.sleep(0.0005)
    return read.decode().splitlines()


LINES = ["a" * 700, "b" * 400]


def test_two_streams_to_one_pipe_have_one_outlet_that_cuts_no_text_with_another(pipe: Pipe) -> None:
    """As `2>&1` makes them."""
    with os.fdopen(os.dup(pipe.stream.fileno()), "w") as twin:
        out, other = outlet(pipe.stream), outlet(twin)
        assert out is not None
        assert out is other
        for line in LINES * 400:
            assert out.put(Piece(line + "\n"))
        assert sorted(slowly(pipe)) == sorted(LINES * 400)
        assert out.finish(5)
        assert outlet(twin) not in (None, out), "a finished one takes no more"


def test_another_pipe_has_another_outlet(pipe: Pipe) -> None:
    another = Pipe()
    assert outlet(another.stream) is not outlet(pipe.stream)
    another.stream.close()


def test_a_stream_is_not_given_the_outlet_of_one_that_was_closed(pipe: Pipe) -> None:
    """Its number may be another file's by now."""
    with os.fdopen(os.dup(pipe.stream.fileno()), "w") as twin:
        out = outlet(pipe.stream)
        pipe.stream.close()
        assert outlet(twin) not in (None, out)


def test_what_several_processes_write_to_one_pipe_is_not_cut_where_a_pipe_takes_it_whole(pipe: Pipe) -> None:
    """Workers have an outlet each."""
    outs = Outlet(pipe.stream), Outlet(pipe.stream)
    for _ in range(400):
        for out, line in zip(outs, LINES, strict=True):
            assert out.put(Piece(line + "\n"))
    assert sorted(slowly(pipe)) == sorted(LINES * 400)


async def test_what_somebody_waits_for_goes_before_the_others_and_has_room_of_its_own(pipe: Pipe) -> None:
    """A log that is read too slowly keeps no alert back."""
    out = Outlet(pipe.stream)
    while out.put(Piece("x" * FULL + "\n")):
        pass
    alert = waited_for("alert\n")
    assert out.put(alert)
    pipe.read()
    assert await settled([alert]) == [None]
    assert out.finish(10)
    assert pipe.all().splitlines().index("alert") <= 2 * AT_ONCE


def test_files_and_buffers_are_written_as_ever(tmp_path: Path) -> None:
    """They wait for no reader."""
    assert outlet(io.StringIO()) is None
    with (tmp_path / "log").open("w") as file:
        assert outlet(file) is None
    assert outlet(file) is None, "a closed one"


def test_at_the_end_a_text_that_finds_too_little_room_holds_up_nobody(pipe: Pipe) -> None:
    """Of what it began nothing more is written, and nothing behind it."""
    out = Outlet(pipe.stream)
    os.write(pipe.stream.fileno(), b"x" * (FULL - select.PIPE_BUF))
    assert out.finish(1)
    began = time.monotonic()
    assert not out.put(Piece("y" * 8_000 + "\n"))
    assert time.monotonic() - began < 4 * PATIENCE
    pipe.read()
    assert not out.put(Piece("z\n"))
    assert pipe.all() == "x" * (FULL - select.PIPE_BUF) + "y" * select.PIPE_BUF


def test_at_the_end_a_text_of_any_length_is_written_to_who_reads(pipe: Pipe) -> None:
    out = Outlet(pipe.stream)
    assert out.finish(1)
    pipe.read()
    text = "y" * 3 * FULL + "\n"
    assert out.put(Piece(text))
    assert pipe.all() == text


async def test_at_the_end_nobody_waits_for_what_is_not_taken(pipe: Pipe) -> None:
    out = Outlet(pipe.stream)
    out.finish(1)
    with pytest.raises(Unread):
        await out.write("alert\n", 1)
    assert pipe.all() == ""


@pytest.mark.usefixtures("logging_as_it_was")
def test_a_log_that_nobody_reads_holds_up_nobody_and_says_what_it_left_out(pipe: Pipe) -> None:
    logs.configure(stream=pipe.stream, apart=True)
    log = structlog.get_logger("tocsin.x")
    text, began = "x" * FULL, time.monotonic()
    for number in range(100):
        log.info("line", number=number, text=text)
    assert time.monotonic() - began < 10
    pipe.read()
    [handler] = [each for each in logging.getLogger().handlers if isinstance(each, logs.Apart)]
    assert handler.drained(10)
    log.info("after")
    logs.finish()
    log.info("at the very end")
    lines = pipe.all().splitlines()
    said = sum('"event": "line"' in line for line in lines)
    assert 50 < said < 100
    [left_out] = [line for line in lines if "log_lines_left_out" in line]
    assert f'"lines": {100 - said}' in left_out
    assert '"after"' in lines[-3]
    assert "at the very end" in lines[-1]
