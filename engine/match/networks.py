"""IP addresses and networks, as `cidr` compares them."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_LONGEST = 64


@lru_cache(maxsize=4_096)
def parse_network(text: str) -> Network | None:
    """The network of `10.0.0.0/8`, or of a single address; None where the text is neither.

    Raises nothing; a network with bits set behind its mask (`10.0.0.1/8`) is none.
    """
    try:
        return ip_network(text) if len(text) <= _LONGEST else None
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, None where the text is none. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 one."""
    if len(text) > _LONGEST:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def in_network(text: str, network: Network) -> bool:
    """Whether a text is an address in that network."""
    if len(text) > _LONGEST:  # before the cache, which would keep it
        return False
    address = parse_address(text)
    return address is not None and address in network


def better_network(text: str) -> str | None:
    """The network that an address with a mask is in: `10.1.0.0/8` is `10.0.0.0/8`; None where it is neither."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return None
