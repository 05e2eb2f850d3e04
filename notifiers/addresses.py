"""Which addresses a callback may reach: public ones, unless its configuration says otherwise.

The check stands where the connection is made, on the address itself, so that neither a name that resolves to a
private address nor one that resolves differently the second time gets past it.
"""

import ipaddress
import socket
from typing import Any

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215: reaches what the operator's translator decides
_V4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 2.5.5.1, deprecated: some systems still route it as IPv4

NOT_PUBLIC = "is not a public address"


class PrivateAddress(PermissionError):
    """A connection that was refused before it was made, because of where it would have led."""


def is_public(address: str) -> bool:
    """Whether an IP address literal, with or without a zone, leads to the public internet.

    False for private, loopback, link-local, shared (CGNAT), multicast, reserved and unspecified addresses, and for
    IPv6 addresses that only carry such an IPv4 one (mapped, compatible, NAT64, 6to4). Teredo is never public.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _carried(parsed)
        if inner is not None:
            return is_public(str(inner))
        if parsed.is_site_local or parsed in _NAT64_LOCAL or parsed.teredo is not None:
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket for one resolved address (`getaddrinfo`'s tuple), as aiohttp's `socket_factory` wants it.

    Raises PrivateAddress instead, when the address is not public.
    """
    family, kind, protocol, _, address = info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(address[0])):
        raise PrivateAddress(f"{address[0]} {NOT_PUBLIC}")
    return socket.socket(family=family, type=kind, proto=protocol)
