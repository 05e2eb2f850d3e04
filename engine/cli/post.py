"""Posting a signed body, as Stripe does: one connection, no redirects, the answer read with a bound."""

import http.client
import json
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import SplitResult, urlsplit

from engine.errors import TocsinError
from engine.model.event import Json

TIMEOUT = 20.0
"""Seconds for an answer; Stripe gives up after about as many."""

_LONGEST_ANSWER = 64 * 1024


class Unreachable(TocsinError):
    """Nothing answers at the address; the message says what went wrong, `refused` that nobody listens there."""

    def __init__(self, message: str, *, refused: bool) -> None:
        self.refused = refused
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said. `content` is its JSON, None where it is none; `text` at most 64 KiB as it came."""

    status: int
    content: Json
    text: str

    @property
    def ok(self) -> bool:
        """Whether Stripe would count it as received."""
        return 200 <= self.status < 300


class Poster:
    """A kept connection to one address. Raises ValueError for what is no http or https URL."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not _has_usable_port(parts):
            raise ValueError(f"'{url}' is not an http or https URL, with a port from 1 to 65535 if any")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._place = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")

    def post(self, body: bytes, signature: str) -> Answer:
        """One POST. Raises Unreachable."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
        headers["User-Agent"] = "tocsin-simulate/1"
        try:
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            text = response.read(_LONGEST_ANSWER).decode("utf-8", "replace")
            if not response.isclosed():
                self._connection.close()
        except ConnectionRefusedError:
            raise Unreachable(f"nothing listens at {self._place}", refused=True) from None
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self._place} did not answer: {reason}", refused=False) from None
        return Answer(status=response.status, content=_json(text), text=text)

    def __enter__(self) -> "Poster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def _has_usable_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _json(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return None
