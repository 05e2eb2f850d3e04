"""One HTTP request, bounded in every direction: time, size of the answer, where it may connect, redirects.

aiohttp is imported with the first request (0.25 s), or by `Http.warm`.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from notifiers.addresses import NOT_PUBLIC, PrivateAddress, public_socket

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read; what is longer is cut, and the connection closed."""

CONNECTIONS = 256
"""Open connections of one kind (public, private): as many as callbacks are under way. How many of them go to one host
is decided before they begin; waiting for a connection here would count as waiting for its answer."""

CONNECT_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer. Header names are in lower case; `body` has at most MAX_ANSWER bytes, `whole` says if that is all."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """No answer. `sent`: the request was on its way, so it may have arrived. `forbidden`: the address may not be
    called. `reason` has no URL and no secret in it."""

    reason: str
    sent: bool = False
    forbidden: bool = False


class Http:
    """Connections to callbacks, kept open between requests. With `public_only`, every address is checked as the
    connection to it is made (`notifiers.addresses`). Proxies, cookies and credentials of the environment are not used.
    """

    def __init__(self, *, public_only: bool) -> None:
        self._public_only = public_only
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, within: float
    ) -> Answered | Unanswered:
        """One request in `within` seconds in all. Never raises for what the other side does.

        A request that met a kept-open connection just as the other side closed it is sent once more over a new one.
        """
        import aiohttp

        for again in (False, True):
            trace = SimpleNamespace(sent=False, reused=False)
            limits = aiohttp.ClientTimeout(total=within, connect=None, sock_connect=min(CONNECT_TIMEOUT, within))
            try:
                async with self._open().request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    timeout=limits,
                    allow_redirects=False,
                    trace_request_ctx=trace,
                ) as response:
                    content, whole = await _read(response)
                    found = {name.lower(): value for name, value in response.headers.items()}
                    return Answered(status=response.status, headers=found, body=content, whole=whole)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError) as error:
                if trace.reused and not again:
                    continue
                return Unanswered(reason=_reason(error, within), sent=trace.sent)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                return _unanswered(error, trace.sent, within)
        raise AssertionError("the loop returns")

    async def warm(self) -> None:
        """Import what the first request needs, in a thread."""
        await asyncio.to_thread(__import__, "aiohttp")

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            check: Callable[[Any], socket.socket] | None = public_socket if self._public_only else None
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, socket_factory=check),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                trace_configs=[_tracing(aiohttp)],
            )
        return self._session


def _tracing(aiohttp: Any) -> Any:
    """Notes on the request whether it left, and whether over a connection that was already open."""

    async def sent(_: Any, context: Any, __: Any) -> None:
        context.trace_request_ctx.sent = True

    async def reused(_: Any, context: Any, __: Any) -> None:
        context.trace_request_ctx.reused = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(sent)
    config.on_connection_reuseconn.append(reused)
    return config


async def _read(response: "aiohttp.ClientResponse") -> tuple[bytes, bool]:
    """The body, cut at MAX_ANSWER, and whether it was all. The status has been given: a body that breaks off or
    never ends does not change what it said."""
    import aiohttp

    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_ANSWER:
                response.close()
                return b"".join(pieces)[:MAX_ANSWER], False
    except (aiohttp.ClientError, OSError):
        response.close()
        return b"".join(pieces), False
    return b"".join(pieces), True


def _unanswered(error: Exception, sent: bool, within: float) -> Unanswered:
    import aiohttp

    text = str(error)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Unanswered(reason="its URL or a header cannot be sent", forbidden=True)
    private = isinstance(getattr(error, "os_error", error), PrivateAddress) or NOT_PUBLIC in text
    if private and "Connect call failed" not in text:
        return Unanswered(reason="its name leads to an address that is not public", forbidden=True)
    return Unanswered(reason=_reason(error, within), sent=sent)


def _reason(error: Exception, within: float) -> str:
    """What went wrong, in words without addresses, URLs or values."""
    import aiohttp

    inner = getattr(error, "os_error", error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection within {min(CONNECT_TIMEOUT, within):g} s"
    if isinstance(error, TimeoutError):
        return f"no answer within {within:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "its name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorCertificateError) or isinstance(inner, ssl.SSLCertVerificationError):
        return "its certificate is not valid: " + str(getattr(inner, "verify_message", "verification failed"))
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(inner, ssl.SSLError):
        return "no TLS connection could be made"
    if isinstance(inner, ConnectionRefusedError) or "Connect call failed" in str(error):
        return "connection refused"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    if isinstance(inner, ConnectionResetError) or getattr(inner, "errno", None) in (errno.ECONNRESET, errno.EPIPE):
        return "the connection was reset"  # aiohttp may wrap it in an error of its own, which has only the number
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "the answer was not HTTP"
    return f"the connection failed ({type(inner).__name__})"
