"""Links in messages that let whoever has the message act on an incident: signed, and good for a week.

A link says which incident and until when; a keyed hash (HMAC-SHA256, RFC 2104) says that it is ours. It is looked at by
a GET and acted on by a POST alone, for mail scanners and previews follow every link.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

LIFE = timedelta(days=7)
PATH = "/ack"


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links below the address that people reach the service at."""

    base: str
    secret: SecretStr

    def to(self, incident: str, now: datetime) -> str:
        """The link that acknowledges an incident, written at that moment."""
        expires = int((now + LIFE).timestamp())
        return f"{self.base}{PATH}/{incident}.{expires:x}.{self._mac(incident, expires)}"

    def read(self, token: str, now: datetime) -> str | None:
        """The incident of the last part of a link, None where it is not ours or no longer good."""
        incident, _, rest = token.partition(".")
        until, _, mac = rest.partition(".")
        try:
            expires = int(until[:16], 16)
        except ValueError:
            return None
        ours = hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(incident, expires).encode())
        return incident if ours and now.timestamp() < expires else None

    def expires(self, token: str) -> datetime:
        """When the link of a token that was read is no longer good."""
        return datetime.fromtimestamp(int(token.split(".")[1], 16), UTC)

    def _mac(self, incident: str, expires: int) -> str:
        said = f"acknowledge\0{incident}\0{expires}".encode("utf-8", "replace")
        digest = hmac.new(self.secret.get_secret_value().encode(), said, hashlib.sha256).digest()
        return digest[:16].hex()  # what ends in - or _ is cut off by those who make links of text
