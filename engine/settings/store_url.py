"""The URL of a database: libpq's form, with one host or several. What is wrong with one is said without any part of it,
for it may hold a password."""

import re

SCHEMES = ("postgresql", "postgres")
EMBEDDED = "embedded"

_PORT = re.compile(r"0*[1-9]\d{0,4}", re.ASCII)
_ESCAPES = "in a password write # as %23, / as %2F, ? as %3F, @ as %40 and a blank as %20"


def store_url_problem(url: str) -> tuple[str, str | None] | None:
    """Why this is no URL of PostgreSQL, and what to write instead; None where it is one."""
    scheme, separator, rest = url.partition("://")
    if scheme not in SCHEMES or not separator:
        return "expected embedded, or a postgresql:// URL", None
    if any(char.isspace() for char in url):
        return "a URL holds no blanks", _ESCAPES
    if "#" in rest:
        return "a # ends the URL", _ESCAPES
    place = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "@" not in place and "@" in rest[len(place) :].partition("=")[0]:
        return "a / or a ? in the user or the password ends the host", _ESCAPES
    for host in place.rpartition("@")[2].split(","):
        problem = _host_problem(host)
        if problem:
            return problem
    return None


def _host_problem(host: str) -> tuple[str, str | None] | None:
    if host.startswith("["):
        _, closed, port = host.partition("]")
        if not closed or (port and not port.startswith(":")):
            return "an IPv6 address stands in brackets", "write [::1]:5432"
        port = port.removeprefix(":")
    else:
        _, _, port = host.partition(":")
    if ":" in port:
        return "a host has one port at the most", "write an IPv6 address in brackets: [::1]:5432"
    if port and (not _PORT.fullmatch(port) or int(port) > 65535):
        return "a port is a number from 1 to 65535", f"write host:5432; {_ESCAPES}"
    return None
