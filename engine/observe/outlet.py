"""A stream that nobody may be reading, written by a thread of its own: who has something to say does not wait for it.

A pipe takes 64 KB and then holds up whoever writes to it until somebody reads; so do a socket, and a terminal that was
stopped with Ctrl-S. What gathers while one write is under way is the next one, and wakes the event loop once.

Log and alerts often go to one pipe (`2>&1`), and a long write to a pipe is not one: another writer may come between.
So there is one outlet for each open file, and texts are joined only up to what a pipe takes as a whole.
"""

import asyncio
import os
import select
import stat
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

AT_ONCE = 16
"""Texts taken at a time: what a write that hangs may hold, and may have written."""

MOST = 4 * 1024 * 1024
"""Characters that may wait, of texts that somebody waits for and of others each; what is beyond is not taken."""

PATIENCE = 0.5
"""Seconds after which a write that is not done counts as stuck."""


class Unread(Exception):
    """Nobody reads what was to be written before; nothing of this was."""


@dataclass(slots=True, eq=False)
class Piece:
    """A text on its way. `written` is done when it is out, or with why not; `begun`: it may be out in part;
    `withdrawn`: it is not to be written any more, unless it is begun."""

    text: str
    written: "asyncio.Future[Exception | None] | None" = None
    begun: bool = False
    withdrawn: bool = False


class Outlet:
    """Writes texts to one stream, past whatever the stream itself buffers, in the order they came, but first those that
    somebody waits for: a log that is read slowly must not keep alerts back for ever.

    Where `written` of its pieces is given, all are of one event loop.
    """

    def __init__(self, stream: TextIO) -> None:
        self._file = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._lock = threading.RLock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._awaited, self._others = Line(), Line()
        self._idle = True
        self._over = False
        self._since: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def stuck(self) -> bool:
        """Whether a write has been under way for so long that nobody may be reading."""
        since = self._since
        return since is not None and time.monotonic() - since > PATIENCE

    async def write(self, text: str, within: float) -> None:
        """Have it written, and wait until it is.

        Raises Unread where that is not begun within PATIENCE, TimeoutError where it then takes longer than `within`,
        and what the stream raises.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[Exception | None] = loop.create_future()
        piece = Piece(text, written)
        if self.stuck or not self.put(piece):
            raise Unread
        # A timer each and no task: it is one of hundreds a second.
        timer = loop.call_later(PATIENCE, self._look, piece, within)
        try:
            error = await written
        finally:
            timer.cancel()
            piece.withdrawn = True
        if error is not None:
            raise error

    def _look(self, piece: Piece, within: float) -> None:
        """Give up what has not begun; what has may take longer."""
        written = piece.written
        if written is None or written.done():
            return
        if self.withdraw(piece):
            written.set_result(Unread())
        else:
            loop = written.get_loop()
            loop.call_later(within, lambda: None if written.done() else written.set_result(TimeoutError()))

    def put(self, piece: Piece) -> bool:
        """Have it written; False: too much waits already, or nothing is written any more."""
        with self._lock:
            if self._over:
                return piece.written is None and self._last(piece)
            if not (self._others if piece.written is None else self._awaited).put(piece):
                return False
            wake, self._idle = self._idle, False
        if wake:
            if self._thread is None:  # a daemon: a write that hangs must not keep the process from ending
                self._thread = threading.Thread(target=self._run, name="tocsin-outlet", daemon=True)
                self._thread.start()
            self._wake.release()
        return True

    def drained(self, within: float) -> bool:
        """Wait until all is written; whether it was in time."""
        deadline = time.monotonic() + within
        while not self._idle and time.monotonic() < deadline:
            time.sleep(0.005)
        return self._idle

    def finish(self, within: float) -> bool:
        """As `drained`, at the end: from now on a text for which nobody waits is written at once or not at all."""
        self.drained(within)
        with self._lock:
            self._over = True
        return self._idle

    def _last(self, piece: Piece) -> bool:
        """After `finish` there may be no time for a thread; the stream may have room all the same.

        A pipe that can be written has room for PIPE_BUF bytes, and more would wait for its reader. What finds none
        within PATIENCE is dropped, and all that comes after it.
        """
        if not self._idle:
            return False
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        left = memoryview(self._encoded(piece))
        deadline, begun = 0.0, False
        try:
            while left and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                left = left[os.write(self._file, left[: select.PIPE_BUF]) :]
                if not begun:
                    deadline, begun = time.monotonic() + PATIENCE, True
        except OSError:
            return False
        self._idle = not (left and begun)
        return not left

    def _run(self) -> None:
        while self._wake.acquire():
            while pieces := self._take():
                self._since = time.monotonic()
                error = self._write(pieces)
                self._since = None
                _tell(pieces, error)

    def _take(self) -> list[Piece]:
        """The next texts to write; none: it is idle from now on."""
        with self._lock:
            taken: list[Piece] = []
            while len(taken) < AT_ONCE and (piece := self._awaited.take() or self._others.take()):
                piece.begun = not piece.withdrawn
                if piece.begun:
                    taken.append(piece)
            self._idle = not taken
            return taken

    def withdraw(self, piece: Piece) -> bool:
        """Do not write it; False: it is begun."""
        with self._lock:
            piece.withdrawn = True
            return not piece.begun

    def _write(self, pieces: Sequence[Piece]) -> OSError | None:
        try:
            for whole in _joined(map(self._encoded, pieces)):
                left = memoryview(whole)
                while left:
                    try:
                        left = left[os.write(self._file, left) :]
                    except BlockingIOError:  # somebody else who has the file has made it so
                        select.select([], [self._file], [])
        except OSError as error:
            return error
        return None

    def _encoded(self, piece: Piece) -> bytes:
        return piece.text.encode(self._encoding, "backslashreplace")

    def writes_to(self, device: int, inode: int) -> bool:
        """Whether it may be given texts for that file: it is not finished, and its own number still means the file."""
        try:
            status = os.fstat(self._file)
        except OSError:
            return False
        return not self._over and (status.st_dev, status.st_ino) == (device, inode)


class Line:
    """Pieces that wait, and how much they hold."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._held = 0

    def put(self, piece: Piece) -> bool:
        """Have it wait; False: too much does."""
        if self._held + len(piece.text) > MOST:
            return False
        self._held += len(piece.text)
        self._pieces.append(piece)
        return True

    def take(self) -> Piece | None:
        """The first; None: there is none."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._held -= len(piece.text)
        return piece


_outlets: dict[tuple[int, int], Outlet] = {}
_making = threading.Lock()


def outlet(stream: TextIO) -> Outlet | None:
    """What writes to that stream, one for all streams to the same pipe, socket or terminal; None: it is a file or a
    buffer, which waits for no reader."""
    try:
        file = stream.fileno()
        status = os.fstat(file)
        waits = stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode) or os.isatty(file)
    except (OSError, ValueError):  # a buffer has no number, and a closed stream none any more
        return None
    if not waits:
        return None
    key = (status.st_dev, status.st_ino)
    with _making:
        known = _outlets.get(key)
        if known is None or not known.writes_to(*key):
            known = _outlets[key] = Outlet(stream)
        return known


def _joined(texts: Iterable[bytes]) -> Iterator[bytes]:
    """The texts, as many in one as are written as a whole; a longer one by itself."""
    held = b""
    for text in texts:
        if held and len(held) + len(text) > select.PIPE_BUF:
            yield held
            held = b""
        held += text
    if held:
        yield held


def _tell(pieces: Sequence[Piece], error: OSError | None) -> None:
    waiting = [piece.written for piece in pieces if piece.written is not None]

    def settle() -> None:
        for each in waiting:
            if not each.done():
                each.set_result(error)

    if waiting:
        try:
            waiting[0].get_loop().call_soon_threadsafe(settle)
        except RuntimeError:
            return  # the loop has closed: nobody waits any more
