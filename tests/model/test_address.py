"""Hosts of URLs that are certain to be refused."""

import pytest

from engine.model.address import is_private_host


@pytest.mark.parametrize(
    "host",
    [
        *("10.0.0.1", "127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "169.254.169.254"),
        *("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "LOCALHOST.", "app.localhost"),
    ],
)
def test_a_host_that_is_not_public(host: str) -> None:
    assert is_private_host(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "134744072", "hooks.example.com", "10.example.com", ""])
def test_a_name_or_a_public_address_may_be_reached(host: str) -> None:
    """What a name resolves to is looked at when the connection is made."""
    assert not is_private_host(host)
