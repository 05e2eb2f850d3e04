"""From a step to its destinations."""

from types import SimpleNamespace
from typing import Any, cast

from engine.model.rule import Severity, Verb
from engine.settings import Channel, Settings
from notifiers import Destination, expand
from tests.notifiers.deliveries import channel, step

MAIL = "mailto://u:p@example.com?to=a@x.com,b@x.com"


def configured(*channels: Channel) -> Settings:
    """The part of the settings that `expand` reads."""
    return cast("Settings", SimpleNamespace(channels={each.name: each for each in channels}))


def places(settings: Settings, *targets: str, verb: Verb = Verb.NOTIFY, **fields: Any) -> tuple[Destination, ...]:
    given = {"severity": Severity.MEDIUM, "livemode": True, **fields}
    return expand(step(verb, *targets), settings=settings, **given)


def test_a_channel_with_recipients_is_one_destination_each() -> None:
    found = places(configured(channel("risk", MAIL), channel("chat", "json://localhost")), "risk", "chat")
    assert [each.name for each in found] == ["risk/a@x.com", "risk/b@x.com", "chat"]
    assert all(each.skipped is None for each in found)


def test_below_its_severity_a_channel_is_skipped_with_the_reason() -> None:
    settings = configured(channel("on-call", MAIL, min_severity=Severity.HIGH))
    assert places(settings, "on-call") == (
        Destination(name="on-call", skipped="on-call takes severity high and above, and the rule's is medium"),
    )
    assert places(settings, "on-call", severity=Severity.CRITICAL)[0].skipped is None


def test_a_channel_of_the_other_mode_is_skipped_with_the_reason() -> None:
    settings = configured(
        channel("live", livemode=True), channel("test", livemode=False), channel("any", MAIL + ",c@x.com")
    )
    live = {each.name: each.skipped for each in places(settings, "live", "test")}
    assert live == {"live": None, "test": "test takes test events only, and this is a live event"}
    test = {each.name: each.skipped for each in places(settings, "live", "test", livemode=False)}
    assert test == {"live": "live takes live events only, and this is a test event", "test": None}
    for livemode in (True, False):
        assert all(each.skipped is None for each in places(settings, "any", livemode=livemode))


def test_two_names_of_one_place_get_one_message() -> None:
    settings = configured(channel("payments"), channel("risk"), channel("a", MAIL), channel("b", MAIL))
    found = places(settings, "payments", "risk", "payments", "a", "b")
    assert [(each.name, each.skipped) for each in found] == [
        ("payments", None),
        ("risk", "risk leads to the same place as payments, which has the message"),
        ("a/a@x.com", None),
        ("a/b@x.com", None),
        ("b", "b leads to the same place as a, which has the message"),
    ]


def test_a_skipped_name_does_not_stand_in_for_another_of_the_same_place() -> None:
    settings = configured(channel("loud", min_severity=Severity.HIGH), channel("quiet"))
    assert [each.skipped is None for each in places(settings, "loud", "quiet")] == [False, True]


def test_a_channel_that_is_gone_is_still_a_destination_that_can_be_refused() -> None:
    assert places(configured(), "gone") == (Destination(name="gone"),)


def test_callbacks_and_operations_are_one_destination() -> None:
    assert places(configured(), "case-system", verb=Verb.CALLBACK) == (Destination(name="case-system"),)
    assert places(configured(), "refunds.create", verb=Verb.STRIPE) == (Destination(name="refunds.create"),)
