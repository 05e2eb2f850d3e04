"""Connections that end without a request being lost: uvicorn's protocol, with patience at the end.

Asked to stop, uvicorn closes every connection on which nothing is being answered: also one that it accepted a moment
ago and has not read from yet, whose request may be on its way. `tocsin serve` and `make run` use this one instead, as
does `uvicorn engine.main:app --http engine.connections:PatientProtocol`.
"""

from uvicorn.protocols.http.auto import AutoHTTPProtocol

PATIENCE = 0.5
"""Seconds in which a connection that was accepted before the end may still make its first request."""


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # one of two classes, chosen at import
    """An HTTP connection."""

    def shutdown(self) -> None:
        """Asked by the server to end: at once, but for a connection on which nothing has been asked yet."""
        if self.cycle is None:
            self.loop.call_later(PATIENCE, super().shutdown)
        else:
            super().shutdown()
