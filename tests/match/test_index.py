"""Which rules look at a type."""

import tracemalloc

from engine.match import TypeIndex, compile_type_pattern


def test_a_v1_name_takes_its_thin_twin_and_not_the_other_way_round() -> None:
    """payout.failed and payout.* take v1.payout.failed; v1.payout.failed takes only the twin."""
    index = TypeIndex([(["payout.failed"], "name"), (["payout.*"], "glob"), (["v1.payout.failed"], "twin")])
    assert index["payout.failed"] == ("name", "glob")
    assert index["v1.payout.failed"] == ("name", "glob", "twin")


def test_only_the_star_is_special() -> None:
    """Brackets, dots and question marks are themselves."""
    name = "v2.core.account[requirements].updated"
    assert compile_type_pattern(name)(name)
    assert not compile_type_pattern(name)("v2.core.accountr.updated")
    assert compile_type_pattern("v2.core.account[*].updated")(name)
    assert not compile_type_pattern("payout?failed")("payout.failed")
    assert not compile_type_pattern("payout.*")("payouts.failed")


def test_a_pattern_never_takes_a_ping_but_its_name_does() -> None:
    """A ping is no business of a rule that says `*`."""
    ping = "v2.core.event_destination.ping"
    index = TypeIndex([(["*"], "all"), (["v2.*"], "v2"), ([ping], "name")])
    assert index[ping] == ("name",)


def test_a_hostile_pattern_is_linear() -> None:
    """Many stars against a long text that nearly fits: a backtracking matcher would not come back."""
    assert not compile_type_pattern("*a" * 100 + "b")("a" * 20_000)


def test_made_up_types_do_not_fill_the_memory() -> None:
    """What is remembered is bounded in number and in length, and real types keep working."""
    index = TypeIndex([(["payout.*"], "rule")])
    assert index["payout.failed"] == ("rule",)
    tracemalloc.start()
    for number in range(20_000):
        assert index[f"made.up.{number}"] == ()
    for number in range(200):
        assert index[f"payout.{number}" + "x" * 20_000] == ("rule",)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 1_000_000
    assert index["payout.failed"] == ("rule",)
