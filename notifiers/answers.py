"""What an HTTP answer means for a delivery, the same for every verb.

| answer | means | why |
|---|---|---|
| 2xx (or what `success:` says) | delivered | |
| 408 425 429 | retry | the server asks for it (RFC 9110, RFC 8470, RFC 6585); `Retry-After` is honoured |
| 409 423 | retry | a conflict or lock on the other side passes, and the fixed id makes the repeat harmless |
| 421 | retry | the wrong server behind a balancer; a new connection may reach the right one (RFC 9110 15.5.20) |
| 5xx | retry | the server's trouble, not the request's; `Retry-After` is honoured |
| 3xx | refused | redirects are not followed: a signed body goes where the configuration says and nowhere else |
| 410 | refused | gone for good, as Standard Webhooks has it |
| other 4xx | refused | the same request will get the same answer; after a fix, `tocsin retry` sends it |
| none: refused, reset, timeout | retry | if the request was sent, it may have arrived |
"""

import email.utils
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from engine.model.outcome import Delivered, Refused, Retry

RETRIED = frozenset({408, 409, 421, 423, 425, 429})
LONGEST_WAIT = timedelta(hours=24)
EXCERPT = 1_000

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def judge(
    status: int,
    *,
    who: str,
    excerpt: str | None = None,
    retry_after: str | None = None,
    location: str | None = None,
    success: tuple[tuple[int, int], ...] = ((200, 299),),
    now: datetime | None = None,
) -> Delivered | Retry | Refused:
    """The outcome of an answer. `who` begins the reason; `retry_after` and `location` are header values as received;
    `success` are inclusive ranges of statuses that count as delivered."""
    if any(low <= status <= high for low, high in success):
        return Delivered(status=status, excerpt=excerpt)
    reason = f"{who} answered {phrase(status)}"
    if 300 <= status <= 399:
        to = f" to {where(location)}" if location else ""
        return Refused(reason=f"{reason}, a redirect{to}; redirects are not followed", status=status, excerpt=excerpt)
    if 200 <= status <= 299:
        return Refused(reason=f"{reason}, which 'success' does not include", status=status, excerpt=excerpt)
    if status in RETRIED or status >= 500:
        after = parse_retry_after(retry_after, now or datetime.now(UTC))
        return Retry(reason=reason, status=status, excerpt=excerpt, after=after)
    return Refused(reason=reason, status=status, excerpt=excerpt)


def phrase(status: int) -> str:
    """`503 Service Unavailable`, or only the number of an unregistered status."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that a `Retry-After` header asks for (RFC 9110 10.2.3: seconds or a date), at most a day.

    None without a header, for one that cannot be read, and for a time that has passed.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        wait = min(timedelta(seconds=int(text)), LONGEST_WAIT)
    else:
        try:
            date = email.utils.parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        wait = min((date if date.tzinfo else date.replace(tzinfo=UTC)) - now, LONGEST_WAIT)
    return wait if wait > timedelta() else None


def where(location: str) -> str:
    """The scheme and host of a URL; the rest, which may hold a secret, is left out."""
    found = re.match(r"(?:(https?):)?//(?:[^/?#@]*@)?([^/?#@\s]{1,255})", location, re.IGNORECASE)
    if found is None:
        return "another path"
    return clean(f"{found[1]}://{found[2]}" if found[1] else found[2])


def clean(text: str, limit: int = EXCERPT) -> str:
    """A text of the other side made fit for records and terminals: no control characters, at most `limit` long."""
    cleaned = _CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))
    cleaned = cleaned.encode("utf-8", "replace").decode()
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def read_excerpt(body: bytes, secrets: tuple[str, ...] = ()) -> str | None:
    """What an answer said, for people, without any of our own secrets that it may have echoed. None for nothing."""
    text = body[: 8 * EXCERPT].decode("utf-8", "replace").strip()
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return clean(text) or None
