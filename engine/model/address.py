"""IP addresses as they stand in URLs, and which of them lead to the public internet."""

import ipaddress
import socket

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215: reaches what the operator's translator decides
_V4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 2.5.5.1, deprecated: some systems still route it as IPv4


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


def is_private_host(host: str) -> bool:
    """Whether the host of a URL is certain not to be a public one: this machine's name, or a literal address that is
    not public, also as one number or in parts (`2130706433`, `0x7f.1`), as resolvers read them."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        literal = str(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        try:
            literal = socket.inet_ntoa(socket.inet_aton(name)) if not any(map(str.isspace, name)) else ""
        except (OSError, UnicodeError):
            return False
    return not is_public(literal)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
