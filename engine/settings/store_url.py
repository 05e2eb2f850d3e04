"""The URL of a database: libpq's form, with one host or several. What is wrong with one is said without any part of it,
for it may hold a password."""

import re
from ipaddress import IPv6Address
from urllib.parse import parse_qs

SCHEMES = ("postgresql", "postgres")
EMBEDDED = "embedded"
SESSIONS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
"""What `target_session_attrs` may be: which of several hosts is taken."""

_PORT = re.compile(r"0*[1-9]\d{0,4}", re.ASCII)
_ESCAPES = "in a password write # as %23, / as %2F, ? as %3F, @ as %40, [ as %5B, ] as %5D and a blank as %20"


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
    user, _, hosts = place.rpartition("@")
    if "@" in user:
        return "an @ in the user or the password ends them", _ESCAPES
    if "[" in user or "]" in user:
        return "a [ or a ] in the user or the password begins an IPv6 address", _ESCAPES
    return _hosts_problem(hosts) or _query_problem(rest.partition("?")[2])


def _hosts_problem(hosts: str) -> tuple[str, str | None] | None:
    several = hosts.split(",")
    if len(several) > 1 and not all(several):
        return "between two commas, and at either end, stands a host", "write one,two:5433"
    return next(filter(None, map(_host_problem, several)), None)


def _query_problem(query: str) -> tuple[str, str | None] | None:
    if not query:
        return None
    try:
        options = parse_qs(query, strict_parsing=True)
    except ValueError:
        return "after the ? stand options with their values", "write ?sslmode=require&target_session_attrs=read-write"
    if not set(options.get("target_session_attrs", ())) <= set(SESSIONS):
        return f"target_session_attrs is {', '.join(SESSIONS[:-1])} or {SESSIONS[-1]}", None
    return None


def _host_problem(host: str) -> tuple[str, str | None] | None:
    if host.startswith("["):
        address, closed, port = host[1:].partition("]")
        if not closed or (port and not port.startswith(":")) or not _is_ipv6(address):
            return "an IPv6 address stands in brackets", "write [::1]:5432"
        port = port.removeprefix(":")
    else:
        _, _, port = host.partition(":")
    if ":" in port:
        return "a host has one port at the most", "write an IPv6 address in brackets: [::1]:5432"
    if port and (not _PORT.fullmatch(port) or int(port) > 65535):
        return "a port is a number from 1 to 65535", f"write host:5432; {_ESCAPES}"
    return None


def _is_ipv6(address: str) -> bool:
    try:
        IPv6Address(address)
    except ValueError:
        return False
    return True
