"""What deliveries go to as one, and what bounds it."""

from pathlib import Path

import pytest

from engine.model.destination import BreakerPolicy
from engine.model.rule import Verb
from engine.settings import load_settings
from engine.work.destinations import Destinations

CONFIG = """\
endpoints: [{name: connect, secrets: [whsec_x]}]
stripe: {keys: {test: sk_test_x}, rates: {account: 2/s}}
breaker: {requests: 20, wait: 1m}
channels:
  ops: "json://127.0.0.1:9/a"
  risk: {url: "json://127.0.0.1:9/a", rate: 30/m}
  quiet: {url: "json://127.0.0.1:9/b", breaker: off, concurrency: 2}
callbacks:
  cases:
    url: https://cases.example.com/hook
    secret: whsec_Y2FzZXMgYXJlIGEgc2VjcmV0IG9mIDMyIGJ5dGVzISE=
    rate: 10/s
    concurrency: 3
    breaker: {wait: 10s, share: 80%}
callback_hosts: [hooks.example.com]
default_channel: ops
"""
ALL = BreakerPolicy(requests=20, wait=BreakerPolicy().wait * 2)


def destinations(folder: Path, config: str = CONFIG) -> Destinations:
    (folder / "config.yaml").write_text(config)
    return Destinations(load_settings(folder / "config.yaml", {}))


def test_recipients_and_channels_with_one_url_are_one_destination(tmp_path: Path) -> None:
    known = destinations(tmp_path)
    for name in ("ops", "risk", "payments", "onboarding/kim@example.com"):
        assert known.to(Verb.NOTIFY, name, True).name == "notify ops"
    assert known.to(Verb.NOTIFY, "ops", True).breaker == ALL
    (rate,) = known.to(Verb.NOTIFY, "risk", True).rates
    assert (rate[0], str(rate[1])) == ("notify ops", "30/m")


def test_the_console_and_what_is_not_configured_have_no_bounds(tmp_path: Path) -> None:
    known = destinations(tmp_path)
    for name in ("console", "gone"):
        assert known.to(Verb.NOTIFY, name, True).breaker is None
    assert known.to(Verb.CALLBACK, "gone", True).breaker is None


def test_a_destination_has_its_own_breaker_where_it_says_so(tmp_path: Path) -> None:
    known = destinations(tmp_path)
    assert known.to(Verb.NOTIFY, "quiet", True).breaker is None
    own = known.to(Verb.CALLBACK, "cases", True).breaker
    assert own is not None
    assert (own.share, own.requests, own.wait.seconds) == (80, 20, 10)


def test_breakers_off_for_all_leave_those_that_are_configured(tmp_path: Path) -> None:
    known = destinations(tmp_path, CONFIG.replace("breaker: {requests: 20, wait: 1m}", "breaker: off"))
    assert known.to(Verb.NOTIFY, "ops", True).breaker is None
    assert known.to(Verb.STRIPE, "accounts.update", True).breaker is None
    assert known.to(Verb.CALLBACK, "cases", True).breaker is not None


def test_a_host_that_rules_name_is_one_destination(tmp_path: Path) -> None:
    known = destinations(tmp_path)
    for path in ("a", "b?c=d"):
        found = known.to(Verb.CALLBACK, f"https://hooks.example.com/{path}", True)
        assert (found.name, found.breaker) == ("callback hooks.example.com", ALL)


def test_stripe_has_rates_for_a_mode_and_in_it_for_an_account(tmp_path: Path) -> None:
    known = destinations(tmp_path)
    for verb in (Verb.STRIPE, Verb.FETCH):
        found = known.to(verb, "accounts.update", False, "acct_1")
        assert found.name == "stripe test"
        assert [(name, str(rate)) for name, rate in found.rates] == [
            ("stripe test", "20/s"),
            ("stripe test acct_1", "2/s"),
        ]


@pytest.mark.parametrize(
    ("verb", "place", "at_once"),
    [("callback", "cases", 3), ("notify", "quiet", 2), ("notify", "ops", None), ("stripe", "accounts.update", None)],
)
def test_how_many_at_once_is_the_configurations(tmp_path: Path, verb: str, place: str, at_once: int | None) -> None:
    assert destinations(tmp_path).concurrency(verb, place) == at_once


def test_only_the_console_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Not a channel that is somewhere else, nor a callback of the same name."""
    found = destinations(tmp_path)
    assert found.is_console(Verb.NOTIFY, "console"), "it is built in"
    assert not found.is_console(Verb.NOTIFY, "quiet")
    assert not found.is_console(Verb.CALLBACK, "console")
