"""Which addresses a callback may reach: public ones, unless its configuration says otherwise.

The check stands where the connection is made, on the address itself, so that neither a name that resolves to a
private address nor one that resolves differently the second time gets past it.
"""

import socket
from typing import Any

from engine.model.address import is_public

NOT_PUBLIC = "is not a public address"


class PrivateAddress(PermissionError):
    """A connection that was refused before it was made, because of where it would have led."""


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket for one resolved address (`getaddrinfo`'s tuple), as aiohttp's `socket_factory` wants it.

    Raises PrivateAddress instead, when the address is not public.
    """
    family, kind, protocol, _, address = info
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(address[0])):
        raise PrivateAddress(f"{address[0]} {NOT_PUBLIC}")
    return socket.socket(family=family, type=kind, proto=protocol)
