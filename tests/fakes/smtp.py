"""A real SMTP server on loopback (aiosmtpd) that keeps the mails it is given and refuses what it is told to refuse.

async with smtp_server() as smtp:
    smtp.refuse["b@example.com"] = "550 no such user"
    ... something sends to smtp.url(to="a@example.com,b@example.com") ...
    assert smtp.mails[0].recipients == ["a@example.com"]
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One accepted mail, as the envelope said and as it reads."""

    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["subject"])

    @property
    def text(self) -> str:
        """The readable body: plain text where there is any, else HTML."""
        body = self.message.get_body(("plain", "html"))
        return body.get_content() if body is not None else ""


class SmtpServer:
    """The running server, and the handler aiosmtpd calls; made by `smtp_server()`."""

    def __init__(self, password: str | None) -> None:
        self.mails: list[Mail] = []
        self.refuse: dict[str, str] = {}
        """Recipient to the reply it is refused with, such as `550 no such user`."""
        self.answer = "250 OK"
        """The reply to DATA; anything but a 2xx refuses the mail."""
        self.hang = False
        """Accept connections and mails, and never answer DATA."""
        self.port = 0
        self._password = password

    def url(self, to: str, *, user: str | None = None, password: str = "", extra: str = "") -> str:
        """The Apprise URL that mails through this server."""
        login = f"{user}:{password}@" if user else ""
        return f"mailto://{login}127.0.0.1:{self.port}?mode=insecure&from=tocsin@example.com&to={to}{extra}"

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Whether the password is the one expected."""
        given = getattr(data, "password", b"").decode()
        return AuthResult(success=given == self._password, handled=False)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the recipient unless it is to be refused."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail and answer as told."""
        if self.hang:
            await asyncio.Event().wait()
        if self.answer.startswith("2"):
            content = envelope.content
            raw = content if isinstance(content, bytes) else (content or "").encode()
            message = message_from_bytes(raw, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(
                Mail(sender=envelope.mail_from or "", recipients=list(envelope.rcpt_tos), message=message)
            )
        return self.answer


@contextlib.asynccontextmanager
async def smtp_server(*, password: str | None = None) -> AsyncIterator[SmtpServer]:
    """A running server; with a `password`, one that wants every sender to log in with it."""
    handler = SmtpServer(password)
    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        options: dict[str, Any] = {}
        if password is not None:
            options = {"authenticator": handler.authenticate, "auth_required": True, "auth_require_tls": False}
        protocols.append(SMTP(handler, hostname="smtp.test", loop=asyncio.get_running_loop(), **options))
        return protocols[-1]

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        tasks = [p._handler_coroutine for p in protocols if p._handler_coroutine is not None]
        for opened in protocols:
            if isinstance(opened.transport, asyncio.Transport):
                opened.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
