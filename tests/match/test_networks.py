"""Addresses and networks."""

from engine.match import networks
from engine.match.networks import better_network, in_network, parse_address, parse_network


def test_what_is_no_address_is_none() -> None:
    """Whatever a text is, nothing is raised."""
    for text in ("", "ten", "10.0.0.256", "10.0.0.1/8", "\ud800", "1" * 10_000):
        assert parse_address(text) is None
    assert parse_network("10.0.0.1/8") is None
    assert better_network("10.0.0.1/8") == "10.0.0.0/8"


def test_an_address_is_in_networks_of_its_own_version() -> None:
    """But an IPv4 one that is written as IPv6 is an IPv4 one."""
    network = parse_network("10.0.0.0/8")
    assert network is not None
    assert in_network("10.255.0.1", network)
    assert in_network("::ffff:10.0.0.1", network)
    assert not in_network("2001:db8::1", network)


def test_long_texts_of_events_are_not_remembered() -> None:
    """A cache of thousands of them would be gigabytes."""
    before = networks._address.cache_info().currsize, networks._network.cache_info().currsize
    parse_address("1" * 1_000_000)
    parse_network("1" * 1_000_000)
    assert (networks._address.cache_info().currsize, networks._network.cache_info().currsize) == before
