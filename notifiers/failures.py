"""Why Apprise could not send: read from its log, the only place where it says so.

The log also holds URLs, tokens and addresses, so nothing of its text is kept: a note is a status or one of a closed
set of words.
"""

import re
from http import HTTPStatus

from engine.model.outcome import Outcome, Refused, Retry
from notifiers.answers import RETRIED, phrase

# "Failed to send JSON POST notification: Bad Request, error=400."; 211 plugins, one habit
_HTTP = re.compile(r"\berror=([1-5][0-9]{2})\b")
# smtplib: "(535, b'5.7.8 bad login')", "{'a@x': (550, b'no such user')}", and Apprise: "was refused: 550 b'..'"
_SMTP = re.compile(r"(?:\(|was refused: )([245][0-9]{2})\b,? ?b?['\"]")

# What requests, urllib3, smtplib, ssl and the socket module say, in the order in which it decides.
_WORDS: tuple[tuple[str, str, bool], ...] = (
    (r"ConnectTimeout|connect timeout", "no connection in time", False),
    (
        r"NameResolution|Name or service not known|getaddrinfo|Temporary failure in name",
        "its name does not resolve",
        False,
    ),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", "its certificate is not valid", False),
    (r"SSLError|WRONG_VERSION_NUMBER|SSL:", "no TLS connection could be made", False),
    (r"Connection refused|Errno 111|Errno 61\b", "connection refused", False),
    (r"No route to host|Network is unreachable|Errno 113|Errno 101", "its network cannot be reached", False),
    (r"[Rr]ead timed out|ReadTimeout|timed out", "no answer in time", True),
    (
        r"RemoteDisconnected|Connection aborted|unexpectedly closed|reset by peer|EOF|BrokenPipe",
        "the connection broke",
        True,
    ),
)
_COMPILED = tuple((re.compile(pattern), said, sent) for pattern, said, sent in _WORDS)
_CONNECTION = re.compile(r"[Cc]onnection error", re.ASCII)


class Notes:
    """What the log of one send told: `http` and `smtp` are statuses, `words` a reason, None where it told none.

    `sent`: the message was on its way when it went wrong, so it may have arrived.
    """

    def __init__(self) -> None:
        self.http: int | None = None
        self.smtp: int | None = None
        self.words: str | None = None
        self.sent = False

    def add(self, line: str) -> None:
        """Read one line of the log; of several, the first that says anything counts."""
        found = _HTTP.search(line)
        if found and self.http is None:
            self.http = int(found[1])
        if "Exception" not in line and "was refused" not in line:
            if self.words is None and _CONNECTION.search(line):
                self.words, self.sent = "the connection failed", True
            return
        reply = _SMTP.search(line)
        if reply and self.smtp is None:
            self.smtp = int(reply[1])
        for pattern, said, sent in _COMPILED:
            if pattern.search(line):
                self.words, self.sent = said, sent
                return


def judge_failure(who: str, notes: Notes, *, several: bool) -> Outcome:
    """The outcome of a send that Apprise calls failed. `several`: it was for several recipients in one, so some may
    have it already.

    | told | means |
    |---|---|
    | HTTP 408 409 421 423 425 429, 5xx | retry |
    | any other HTTP status | refused: the URL, its token or the message is wrong, and a person must look |
    | SMTP 4xx | retry (RFC 5321 4.2.1: transient) |
    | SMTP 5xx, a login among them | refused |
    | a connection that failed, or nothing | retry: when in doubt an alert is sent rather than lost |
    """
    if notes.smtp is not None and notes.smtp >= 400:
        reason = f"{who}: {_SMTP_SAYS.get(notes.smtp, 'the mail server said no')} (SMTP {notes.smtp})"
        if notes.smtp >= 500:
            return Refused(reason=reason, status=notes.smtp)
        return Retry(reason=reason, status=notes.smtp, maybe_delivered=several)
    if notes.http is not None:
        reason = f"{who} answered {phrase(notes.http)}"
        if notes.http in RETRIED or notes.http >= 500:
            return Retry(reason=reason, status=notes.http, maybe_delivered=several)
        return Refused(reason=reason + _HTTP_SAYS.get(notes.http, ""), status=notes.http)
    reason = f"{who}: {notes.words or 'the message was not accepted, and Apprise does not say why'}"
    return Retry(reason=reason, maybe_delivered=several or notes.sent)


_HTTP_SAYS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "; check the token in the channel's URL",
    HTTPStatus.FORBIDDEN: "; check the token in the channel's URL and what it may do",
    HTTPStatus.NOT_FOUND: "; the webhook or room in the channel's URL is gone",
    HTTPStatus.GONE: "; the webhook or room in the channel's URL is gone",
}
_SMTP_SAYS = {
    421: "the mail server is not available",
    450: "the mailbox is busy",
    451: "the mail server has trouble",
    452: "the mail server is out of space",
    454: "the login failed for now",
    530: "the mail server wants a login",
    534: "the login was refused",
    535: "the login was refused",
    550: "the mailbox does not exist, or the mail is not wanted",
    551: "the mailbox is elsewhere",
    552: "the mailbox is full",
    553: "the address is not valid",
    554: "the mail was refused",
}
