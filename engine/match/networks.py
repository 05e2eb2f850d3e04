"""IP addresses and networks, as `cidr` compares them."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_LONGEST = 64


def parse_network(text: str) -> Network | None:
    """The network of `10.0.0.0/8`, or of a single address; None where the text is neither.

    Raises nothing; a network with bits set behind its mask (`10.0.0.1/8`) is none.
    """
    return _network(text) if len(text) <= _LONGEST else None


def parse_address(text: str) -> Address | None:
    """The address, None where the text is none. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 one."""
    return _address(text) if len(text) <= _LONGEST else None


# Behind the length checks, so that no cache keeps a text that an event made long.


@lru_cache(maxsize=4_096)
def _network(text: str) -> Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def in_network(text: str, network: Network) -> bool:
    """Whether a text is an address in that network."""
    address = parse_address(text)
    return address is not None and address in network


def better_network(text: str) -> str | None:
    """The network that an address with a mask is in: `10.1.0.0/8` is `10.0.0.0/8`; None where it is neither."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return None
