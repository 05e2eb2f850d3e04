"""The keys of time, state and noise as data: what each says, and what it is when it says nothing."""

from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from engine.match import compile_condition
from engine.match.subjects import AfterSteps
from engine.model.condition import Money, Reference
from engine.model.rule import Rule, Severity, When
from engine.model.timing import (
    BY_ACCOUNT,
    BY_ID,
    DAY,
    NO_TIMING,
    WEEK,
    Calendar,
    Digest,
    Escalation,
    Incident,
    Quiet,
    QuietDo,
    Reminder,
    Threshold,
    Throttle,
    Timing,
)
from engine.rulebook import load
from engine.rulebook.effects import effects_of
from tests.builders import event
from tests.rulebook.books import KNOWN, rule

ACCOUNT = BY_ACCOUNT[0]
CALENDARS = 'calendars: {nights: {timezone: Europe/Berlin, from: "22:00", until: "07:00"}}\n'
HOUR = timedelta(hours=1)


def sound(*texts: str) -> tuple[Rule, ...]:
    """The rules of files without a mistake."""
    loaded = load({f"{number}.yaml": text for number, text in enumerate(texts)}, KNOWN)
    assert [str(mistake) for mistake in loaded.mistakes] == []
    return loaded.rulebook.rules


def timing(more: str, when: str = "payout.failed", then: str = "{notify: payments}", before: str = "") -> Timing:
    """The timing of a rule with that key."""
    (found,) = sound(before + rule(when=when, then=then, more=more))
    return found.timing


def path(text: str) -> Reference:
    return Reference(path=text)


def test_a_rule_without_any_key_has_none() -> None:
    assert sound(rule())[0].timing is NO_TIMING


def test_max_age() -> None:
    assert timing("max_age: 36h").max_age == timedelta(hours=36)


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ("account", (ACCOUNT,)),
        ("destination", (path("destination"),)),
        ("[account, metadata.shop, $.data.object.type]", (ACCOUNT, path("metadata.shop"), path("$.data.object.type"))),
        ("$event.type", (path("$event.type"),)),
    ],
)
def test_per_is_the_account_a_path_or_several(per: str, expected: tuple[Reference, ...]) -> None:
    assert timing(f"throttle: {{max: 2, every: 1h, per: {per}}}").throttle == Throttle(max=2, every=HOUR, per=expected)


def test_what_counts_by_fields_of_the_account_has_them_read() -> None:
    """And a path of the object is asked for of thin events, too."""
    (found,) = sound(rule(more="throttle: {max: 1, every: 1h, per: $account.country}"))
    assert found.when[0].fetch is not None
    assert found.when[0].fetch.account
    assert not found.reads_object
    (other,) = sound(rule(more="throttle: {max: 1, every: 1h, per: destination}"))
    assert other.reads_object


def test_per_may_be_the_cell_of_a_table() -> None:
    table = "tables: {accounts: {file: accounts.csv, key: account}}\n"
    text = table + rule(more="throttle: {max: 1, every: 1h, per: $tables.accounts.csm}")
    loaded = load({"a.yaml": text, "accounts.csv": "account,csm\nacct_1,Ann\n"}, KNOWN)
    throttle = loaded.rulebook.rules[0].timing.throttle
    assert throttle is not None
    assert throttle.per[0].column is not None
    assert throttle.per[0].column.cells == {"acct_1": "Ann"}


def test_threshold_with_all_it_may_ask_for() -> None:
    found = timing(
        "threshold: {within: 10m, per: customer, count: 20, distinct: {payment_method: 5}, "
        "sum: {amount: 10000.50 USD}, ratio: {gte: 12.5%, min: 50, "
        "of: [charge.failed, {type: charge.succeeded, where: {amount: {gt: 0}}}]}}",
        when="charge.failed",
    ).threshold
    assert found is not None
    ratio = found.ratio
    assert ratio is not None
    assert found == Threshold(
        within=timedelta(minutes=10),
        per=(path("customer"),),
        count=20,
        distinct=((path("payment_method"), 5),),
        sums=((path("amount"), Money(amount=Decimal("10000.50"), currency="usd", minor=1_000_050)),),
        ratio=ratio,
    )
    assert (ratio.gte, ratio.min) == (Decimal("0.125"), 50)
    assert [when.types for when in ratio.of] == [("charge.failed",), ("charge.succeeded",)]
    assert all((when.livemode, when.livemode_source) == (None, "trigger") for when in ratio.of)


def test_an_event_that_came_before() -> None:
    found = timing("preceded_by: {type: [payout.created, payout.updated], within: 24h, where: {method: instant}}")
    other = found.preceded_by
    assert other is not None
    assert other.within == DAY
    assert other.same == ((ACCOUNT, ACCOUNT),)
    assert other.when[0].types == ("payout.created", "payout.updated")
    assert (other.when[0].scopes, other.when[0].livemode) == (None, None)
    assert not compile_condition(other.when[0].where)(event("payout.created", object={"method": "standard"}))


@pytest.mark.parametrize(
    ("same", "expected"),
    [
        ("account", ((ACCOUNT, ACCOUNT),)),
        ("id", ((path("id"), path("id")),)),
        ("{id: charge, account: account}", ((path("id"), path("charge")), (ACCOUNT, ACCOUNT))),
        ("[account, currency]", ((ACCOUNT, ACCOUNT), (path("currency"), path("currency")))),
    ],
)
def test_what_two_events_have_in_common(same: str, expected: object) -> None:
    found = timing(
        f"preceded_by: {{type: charge.dispute.created, within: 3d, same: {same}}}", when="charge.succeeded"
    ).preceded_by
    assert found is not None
    assert found.same == expected
    assert found.when[0].reads_object == (same != "account")


def test_what_must_not_follow_is_one_or_a_list() -> None:
    one = timing("not_followed_by: {type: payout.paid, within: 3d, restart: true, scope: platform}").not_followed_by
    assert [absence.restart for absence in one] == [True]
    assert one[0].other.within == timedelta(days=3)
    several = timing("not_followed_by: [{type: payout.paid, within: 3d}, {type: payout.canceled, within: 1d}]")
    assert [absence.restart for absence in several.not_followed_by] == [False, False]


def test_incident_and_its_steps() -> None:
    more = (
        "incident: {per: destination, resolve: {type: payout.paid, same: destination}, resolve_after: 2h}\n"
        "    on_update: {notify: payments, title: '{{ incident.first.object.id }}'}\n"
        "    on_resolve: [{notify: payments, id: over, text: '{{ object.id }}'}, {callback: case-system}]\n"
        "    escalate:\n"
        "      - {after: 15m, then: [{notify: risk}, {callback: case-system}]}\n"
        "      - {after: 1h, then: {notify: risk}}"
    )
    (found,) = sound(rule(more=more))
    of = found.timing
    assert of.incident is not None
    assert of.incident == Incident(
        per=(path("destination"),), resolve=of.incident.resolve, resolve_after=timedelta(hours=2)
    )
    assert of.incident.resolve is not None
    assert of.incident.resolve.within is None
    assert [escalation.after for escalation in of.escalate] == [timedelta(minutes=15), HOUR]
    assert [step.id for step in found.every_step] == [
        "notify-1",
        "on-update-notify-1",
        "over",
        "on-resolve-callback-2",
        "escalate-1-notify-1",
        "escalate-1-callback-2",
        "escalate-2-notify-1",
    ]


def test_one_escalation_needs_no_list() -> None:
    found = timing("incident: {per: account}\n    escalate: {after: 15m, then: {notify: risk}}")
    assert found.incident == Incident()
    assert [type(each) for each in found.escalate] == [Escalation]


def test_remind_sorts_its_lead_times() -> None:
    more = "remind: {before: evidence_details.due_by, at: [24h, 3d], until: {type: charge.dispute.closed, same: id}}"
    found = timing(more, when="charge.dispute.created").remind
    assert found is not None
    assert found == Reminder(
        before=path("evidence_details.due_by"), at=(timedelta(days=3), DAY), until=found.until, same=BY_ID
    )
    short = timing("remind: {before: arrival_date, at: 1h, same: [account, destination]}").remind
    assert short == Reminder(before=path("arrival_date"), at=(HOUR,), same=(ACCOUNT, path("destination")))


def test_quiet_names_calendars() -> None:
    found = timing("quiet: {during: nights, do: drop, except: {severity: critical}}", before=CALENDARS).quiet
    assert found is not None
    assert found == Quiet(during=found.during, do=QuietDo.DROP, bar=Severity.CRITICAL)
    (nights,) = found.during
    assert nights == Calendar(
        name="nights", timezone="Europe/Berlin", begin=time(22), end=time(7), position=nights.position
    )
    plain = timing("quiet: {during: [nights]}", before=CALENDARS).quiet
    assert plain is not None
    assert (plain.do, plain.bar) == (QuietDo.HOLD, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{timezone: UTC, weekdays: [sat, Sunday]}", Calendar(name="x", timezone="UTC", weekdays=frozenset({5, 6}))),
        ("{timezone: UTC, weekdays: mon-thu}", Calendar(name="x", timezone="UTC", weekdays=frozenset(range(4)))),
        ("{timezone: UTC, weekdays: [fri-mon]}", Calendar(name="x", timezone="UTC", weekdays=frozenset({4, 5, 6, 0}))),
        (
            "{timezone: UTC, dates: [2026-12-26, 2024-02-29]}",
            Calendar(name="x", timezone="UTC", dates=(date(2024, 2, 29), date(2026, 12, 26))),
        ),
        (
            "{timezone: America/New_York, from: 18:30, until: '24:00'}",
            Calendar(name="x", timezone="America/New_York", begin=time(18, 30), end=time()),
        ),
    ],
)
def test_calendars_have_days_dates_and_times(text: str, expected: Calendar) -> None:
    found = timing("quiet: {during: x}", before=f"calendars: {{x: {text}}}\n").quiet
    assert found is not None
    (calendar,) = found.during
    assert (calendar.timezone, calendar.weekdays, calendar.dates) == (
        expected.timezone,
        expected.weekdays,
        expected.dates,
    )
    assert (calendar.begin, calendar.end) == (expected.begin, expected.end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{every: 1h}", Digest(every=HOUR)),
        ("{every: 1d}", Digest(every=DAY)),
        ("{every: day}", Digest(every=DAY, at=time(9))),
        ("{every: day, at: 00:00}", Digest(every=DAY, at=time())),
        (
            '{every: week, at: "17:30", weekday: fri, timezone: Europe/Paris}',
            Digest(every=WEEK, at=time(17, 30), weekday=4, timezone="Europe/Paris"),
        ),
        (
            "{every: 15m, per: account, max_items: 10, group_by: failure_code}",
            Digest(every=timedelta(minutes=15), per=BY_ACCOUNT, max_items=10, group_by=path("failure_code")),
        ),
    ],
)
def test_digest(text: str, expected: Digest) -> None:
    """By the clock it has an hour, nine o'clock if it does not say; after a span it has none."""
    assert timing(f"digest: {text}").digest == expected


def test_a_digest_shows_columns_of_paths_and_texts() -> None:
    then = (
        '{notify: payments, title: "{{ digest.count }} payouts failed", text: "{% for item in digest.items %}'
        '{{ item.object.id }}{% endfor %}", table: {Account: $account.id, Amount: "{{ object | money }}"}}'
    )
    (found,) = sound(rule(then=then, more="digest: {every: day}"))
    assert found.steps[0].options["table"] == {"Account": "$account.id", "Amount": "{{ object | money }}"}
    (held,) = sound(CALENDARS + rule(then="{notify: risk, table: {Id: id}}", more="quiet: {during: nights}"))
    assert held.steps[0].options["table"] == {"Id": "id"}


def test_variables_may_stand_for_all_of_it() -> None:
    variables = (
        "vars: {window: 10m, most: 3, share: 20%, hours: [72h, 24h], big: 500 USD, key: [account, destination], "
        "followed: {type: payout.paid, within: 3d}}\n"
    )
    found = timing("throttle: {max: $vars.most, every: $vars.window, per: $vars.key}", before=variables).throttle
    assert found == Throttle(max=3, every=timedelta(minutes=10), per=(ACCOUNT, path("destination")))
    sums = timing("threshold: {sum: {amount: $vars.big}, within: $vars.window}", before=variables).threshold
    assert sums is not None
    assert sums.sums[0][1].minor == 50_000
    assert len(timing("not_followed_by: $vars.followed", before=variables).not_followed_by) == 1
    assert timing("remind: {before: arrival_date, at: $vars.hours}", before=variables).remind is not None
    more = "incident: {per: account}\n    escalate: {after: $vars.window, then: {notify: risk}}"
    late = timing(more, before=variables)
    assert late.escalate[0].after == timedelta(minutes=10)


def test_defaults_lie_under_them() -> None:
    """Maps merge one level, lists replace, and `none` takes away."""
    defaults = (
        "defaults: {throttle: {max: 1, every: 1h, per: [account, destination]}, incident: {per: account, "
        "resolve_after: 2h}, max_age: 1h, on_update: {notify: risk}}\n"
    )
    body = (
        "rules:\n"
        "  - {id: a, when: payout.failed, then: {notify: risk}}\n"
        "  - {id: b, when: payout.paid, then: {notify: risk}, throttle: {max: 5, per: [type]}, max_age: none}\n"
        "  - {id: c, when: payout.created, then: {notify: risk}, throttle: none, incident: {resolve_after: none}}\n"
        "  - {id: d, when: topup.failed, then: {notify: risk}, throttle: none, incident: none, on_update: none, "
        "max_age: none}\n"
    )
    first, second, third, fourth = (found.timing for found in sound(defaults + body))
    assert first.throttle == Throttle(max=1, every=HOUR, per=(ACCOUNT, path("destination")))
    assert first.max_age == HOUR
    assert second.throttle == Throttle(max=5, every=HOUR, per=(path("type"),))
    assert second.max_age is None
    assert third.throttle is None
    assert third.incident == Incident()
    assert [step.id for step in third.on_update] == ["on-update-notify-1"]
    assert fourth is NO_TIMING or fourth == NO_TIMING


def test_a_digest_that_is_taken_away_is_none() -> None:
    """Texts of a rule without it are about one event again."""
    defaults = "defaults: {digest: {every: day}}\n"
    sound(defaults + rule(then="{notify: risk, title: '{{ object.id }}'}", more="digest: none"))


def test_what_ends_an_incident_is_read_where_its_object_is_asked_for() -> None:
    """By the texts and conditions of on_resolve, which are about it and not about the rule's event."""
    incident = "incident: {per: account, resolve: {type: payout.paid, same: account}}\n    on_resolve: "
    asked = (
        ("{notify: risk}", False),
        ("{notify: risk, title: '{{ object.id }}'}", True),
        ("{notify: risk, if: {amount: {gt: 0}}}", True),
    )
    for steps, reads in asked:
        found = timing(incident + steps).incident
        assert found is not None
        assert found.resolve is not None
        assert found.resolve.when[0].reads_object is reads
    (ends,) = sound(rule(more=incident + asked[1][0]))
    assert ends.reads_object, "it may end without an event, and then is told of the last match"
    loaded = load({"a.yaml": rule(more=incident.replace("payout.paid", "refund.created") + asked[1][0])}, KNOWN)
    assert not loaded.mistakes
    other = rule(more=incident.replace("payout.paid", "refund.created") + "{notify: risk, if: {arrival_date: 5}}")
    (mistake,) = load({"a.yaml": other}, KNOWN).mistakes
    assert "refund has no field 'arrival_date'" in mistake.message


def test_a_step_may_ask_what_came_of_the_window() -> None:
    """And of the incident and the digest, in rules that have them."""
    then = "[{notify: risk, if: {$window.count: {gte: 100}}, text: '{{ window.count }} in {{ incident.first.id }}'}]"
    (found,) = sound(rule(then=then, more="threshold: {count: 3, within: 1h}\n    incident: {per: account}"))
    holds = compile_condition(found.steps[0].condition)
    few, many = ({"window": {"count": count}} for count in (99, 100))
    assert holds(AfterSteps(event("payout.failed"), {}, many))
    assert not holds(AfterSteps(event("payout.failed"), {}, few))
    assert not holds(event("payout.failed"))


def test_what_steps_do_after_a_while_is_what_the_rule_may_do() -> None:
    """In what check says of its effects, and where two rules are held together."""
    more = "incident: {per: account}\n    escalate: {after: 1h, then: {callback: case-system}}"
    loaded = load({"a.yaml": rule(more=more)}, KNOWN)
    (found,) = loaded.rulebook.rules
    assert found.step("escalate-1-callback-1") is not None
    assert effects_of(found, lambda name: False).calls == ("case-system",)


def test_rules_are_alike_only_with_the_same_timing() -> None:
    """A rule of fewer events is not needless beside one that counts more of them."""

    def found(one: str, other: str, when: str = "payout.failed") -> list[str]:
        texts = {"a.yaml": rule("a", more=one), "b.yaml": rule("b", when=when, more=other)}
        return [mistake.code for mistake in load(texts, KNOWN).mistakes]

    assert found("", "") == ["duplicate-rule"]
    assert found("throttle: {max: 1, every: 1h}", "throttle: {every: 1h, max: 1}") == ["duplicate-rule"]
    assert found("throttle: {max: 1, every: 1h}", "") == []
    assert found("throttle: {max: 1, every: 1h}", "throttle: {max: 1, every: 2h}") == []
    narrow = "{type: payout.failed, scope: connected}"
    assert found("", "", narrow) == ["shadowed-rule"]
    assert found("threshold: {count: 3, within: 1h}", "threshold: {count: 3, within: 1h}", narrow) == []


def test_the_livemode_of_other_events_is_the_triggers() -> None:
    """Whatever the rule looks at, the other's `when` takes both, and the two are told apart by what they are."""
    found = timing("preceded_by: {type: payout.created, within: 1h}", when="{type: payout.failed, livemode: any}")
    assert found.preceded_by is not None
    assert isinstance(found.preceded_by.when[0], When)
    assert found.preceded_by.when[0].livemode is None
