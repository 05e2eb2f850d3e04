"""What goes on is told, whatever kept its beginning quiet: thresholds, mutes, quiet times, conditions."""

import pytest

from tests.rulebook.books import mistakes
from tests.testing.test_acting import problems_in, steps

NIGHT = 'calendars:\n  night: {timezone: UTC, from: "22:00", until: "07:00"}\n'
FAILED = "{event: payout.failed, account: acct_1, set: {amount: 1000, currency: usd}}"
PAID = "{event: payout.paid, account: acct_1}"


def rules(*keys: str, step: str = "{notify: payments}") -> str:
    """One rule for failed payouts, with calendars."""
    lines = "".join(f"    {key}\n" for key in keys)
    return f"{NIGHT}rules:\n  - id: failing\n    when: payout.failed\n{lines}    then: {step}\n"


def test_a_threshold_that_holds_opens_another_incident_once_one_is_over() -> None:
    text = rules("threshold: {count: 3, within: 1d}", "incident: {resolve: {type: payout.paid, same: account}}")
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, repeat: 3, every: 1m, expect: {{fires: 1}}',
        f"at: +1h, given: {PAID}",
        f"at: +1h, given: {FAILED}, repeat: 50, every: 10m, expect: {{fires: 1, sent: 1}}",
    )
    assert not problems_in(text, test)


def test_so_it_does_where_it_ended_by_itself() -> None:
    text = rules("threshold: {count: 3, within: 6h}", "incident: {resolve_after: 10m}")
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, repeat: 3, every: 1m, expect: {{fires: 1, sent: 1}}',
        f"at: +1h, given: {FAILED}, expect: {{fires: 1}}",
    )
    assert not problems_in(text, test)


def test_a_late_match_from_before_the_end_opens_none() -> None:
    text = rules("threshold: {count: 2, within: 1d}", "incident: {resolve: {type: payout.paid, same: account}}")
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, repeat: 2, every: 1m, expect: {{fires: 1}}',
        f"at: +1h, given: {PAID}",
        f"at: +5m, given: {FAILED}, late: 30m, expect: {{fires: 0, sent: 0}}",
        f"at: +5m, given: {FAILED}, expect: {{fires: 1, sent: 1}}",
    )
    assert not problems_in(text, test)


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("quiet: {during: night, do: drop}", f'at: "03:00", given: {FAILED}, expect: {{suppressed: 1}}'),
        ("owner: payments", f'at: "09:00", mute: 1h, given: {FAILED}, expect: {{suppressed: 1}}'),
    ],
)
def test_the_first_match_that_is_not_kept_quiet_tells_of_an_incident(key: str, first: str) -> None:
    """And those after it go on with it."""
    test = steps(
        "failing",
        first,
        f'at: "11:00", given: {FAILED}, repeat: 5, every: 1h, expect: {{fires: 5, sent: 1}}',
    )
    assert not problems_in(rules(key, "incident: {resolve_after: 12h}"), test)


def test_one_that_a_condition_keeps_back_is_told_by_the_first_that_it_does_not() -> None:
    text = rules("incident: {resolve_after: 6h}", step="{notify: payments, if: {amount: {gte: 1000 USD}}}")
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, expect: {{fires: 1, sent: 0}}',
        f"at: +1h, given: {FAILED.replace('1000', '900000')}, expect: {{fires: 1, sent: 1}}",
        f"at: +1h, given: {FAILED.replace('1000', '900000')}, expect: {{fires: 1, sent: 0}}",
    )
    assert not problems_in(text, test)


def test_one_that_is_taken_up_unheard_is_not_told() -> None:
    """Somebody knows of it."""
    test = steps(
        "failing",
        f'at: "09:00", mute: 1h, given: {FAILED}',
        "at: +30m, acknowledge: ada",
        f'at: "11:00", given: {FAILED}, expect: {{fires: 1, sent: 0}}',
    )
    assert not problems_in(rules("incident: {resolve_after: 12h}"), test)


def test_what_quiet_times_drop_does_not_count_for_a_throttle() -> None:
    text = rules("throttle: {max: 1, every: 6h}", "quiet: {during: night, do: drop}")
    test = steps(
        "failing",
        f'at: "06:30", given: {FAILED}, expect: {{sent: 0}}',
        f'at: "07:05", given: {FAILED}, expect: {{sent: 1}}',
    )
    assert not problems_in(text, test)


def test_what_a_condition_keeps_back_does_not_count_for_a_throttle() -> None:
    step = "{notify: payments, if: {amount: {gte: 1000 USD}}}"
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, expect: {{fires: 1, sent: 0}}',
        f"at: +1m, given: {FAILED.replace('1000', '900000')}, expect: {{sent: 1}}",
        f"at: +1m, given: {FAILED.replace('1000', '900000')}, expect: {{sent: 0}}",
    )
    assert not problems_in(rules("throttle: {max: 1, every: 6h}", step=step), test)


def test_what_was_left_out_is_said_also_where_what_comes_between_is_dropped() -> None:
    text = rules("throttle: {max: 1, every: 6h}", "quiet: {during: night, do: drop}")
    test = steps(
        "failing",
        f'at: "19:00", given: {FAILED}, expect: {{sent: 1}}',
        f"at: +10m, given: {FAILED}, repeat: 3, every: 1s, expect: {{sent: 0}}",
        f'at: "+1d 02:00", given: {FAILED}, expect: {{sent: 0}}',
        f'at: "12:00", given: {FAILED}, expect: {{sent: 2}}',
    )
    assert not problems_in(text, test)


def test_the_end_of_an_incident_is_told_once_to_each() -> None:
    """However often it escalated to them."""
    text = rules(
        "incident: {resolve: {type: payout.paid, same: account}}",
        "escalate: [{after: 5m, then: {notify: risk}}, {after: 10m, then: {notify: [risk, payments]}}]",
        step="{notify: risk}",
    )
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, expect: {{sent: 1}}',
        "at: +20m, expect: {escalate: {sent: 2}}",
        f"at: +10m, given: {PAID}, expect: {{on_resolve: {{sent: 2}}}}",
    )
    assert not problems_in(text, test)


def test_an_incident_of_several_accounts_outlives_the_one_that_opened_it() -> None:
    text = rules("incident: {per: currency}")
    other = FAILED.replace("acct_1", "acct_2")
    left = "{event: account.application.deauthorized, account: acct_1}"
    test = steps(
        "failing",
        f'at: "09:00", given: [{FAILED}, {other}], expect: {{fires: 2, sent: 1}}',
        f"at: +1h, given: {left}, expect: {{sent: 0}}",
        f"at: +1h, given: {other}, expect: {{fires: 1, sent: 0}}",
    )
    assert not problems_in(text, test)


def test_a_match_from_before_a_person_ended_it_is_counted_in_it() -> None:
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, expect: {{sent: 1}}',
        "at: +1h, resolve: ada",
        f"at: +10m, given: {FAILED}, late: 20m, expect: {{fires: 1, sent: 0}}",
        f"at: +1m, given: {FAILED}, expect: {{fires: 1, sent: 1}}",
    )
    assert not problems_in(rules("incident: {resolve_after: 12h}"), test)


def test_what_was_resolved_while_it_waited_does_not_stay_open() -> None:
    """However long it waited: what resolves is remembered for as long."""
    text = rules(
        "not_followed_by: {type: payout.updated, within: 1d}",
        "incident: {resolve: {type: payout.paid, same: account}}",
    )
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}',
        f"at: +1h, given: {PAID}",
        "at: +1d, expect: {fires: 1, on_resolve: {sent: 1}}",
        f"at: +1h, given: {FAILED}",
        "at: +1d, expect: {sent: 1}",
    )
    assert not problems_in(text, test)


def test_a_burst_that_comes_hours_late_is_counted_together() -> None:
    """As long as no more than an hour lies between them: it was Stripe that was late."""
    text = rules("threshold: {count: 3, within: 10m}")
    test = steps(
        "failing",
        f'at: "12:00", given: {FAILED}, late: 3h, expect: {{fires: 0}}',
        f"at: +20m, given: {FAILED}, late: 200m, expect: {{fires: 0}}",
        f"at: +20m, given: {FAILED}, late: 219m, expect: {{fires: 1}}",
    )
    assert not problems_in(text, test)


def test_a_reminder_opens_no_incident() -> None:
    text = rules("incident: {resolve_after: 2h}", "remind: {before: arrival_date, at: [24h]}")
    (line,) = mistakes(text)
    assert "'incident' cannot stand with 'remind'" in line or "'remind' cannot stand with 'incident'" in line


SMALL = FAILED
LARGE = FAILED.replace("1000", "900000")
LARGE_ONLY = "{notify: payments, if: {amount: {gte: 1000 USD}}}"


def test_updates_run_while_nobody_has_heard_of_the_opening() -> None:
    """Callbacks of them too; and the match that tells of it sends no update besides."""
    text = rules(
        "incident: {resolve_after: 6h}",
        "on_update: [{notify: risk}, {callback: case-system}]",
        step=LARGE_ONLY,
    )
    test = steps(
        "failing",
        f'at: "09:00", given: {SMALL}, expect: {{sent: 0}}',
        f"at: +10m, given: {SMALL}, expect: {{on_update: {{sent: 1}}}}",
        f"at: +10m, given: {LARGE}, expect: {{sent: 1, on_update: no}}",
        f"at: +10m, given: {LARGE}, expect: {{on_update: {{sent: 1}}}}",
    )
    assert not problems_in(text, test)


def test_what_a_threshold_opened_unheard_is_told_once_it_may_be() -> None:
    text = rules("threshold: {count: 3, within: 1h}", "incident: {resolve_after: 6h}")
    test = steps(
        "failing",
        f'at: "09:00", mute: 1h, given: {FAILED}, repeat: 6, every: 10m, expect: {{sent: 0, fires: 1}}',
        f"at: +20m, given: {FAILED}, repeat: 10, every: 10m, expect: {{sent: 1, fires: 1}}",
    )
    assert not problems_in(text, test)


def test_a_threshold_opens_no_incident_for_each_key_that_it_holds_over() -> None:
    """Only those that have ended are opened again."""
    text = rules("threshold: {count: 3, within: 1h, per: account}", "incident: {per: customer, resolve_after: 6h}")
    text = text.replace("payout.failed", "charge.failed")
    given = "{event: charge.failed, account: acct_1, set: {customer: 'cus_{n}'}}"
    test = steps("failing", f'at: "09:00", given: {given}, repeat: 7, every: 1m, expect: {{fires: 1, sent: 1}}')
    assert not problems_in(text, test)


def test_a_superseded_rule_with_a_threshold_fires_once() -> None:
    text = rules("threshold: {count: 3, within: 1h}", "incident: {resolve_after: 6h}")
    text += "  - {id: big, when: payout.failed, supersedes: [failing], then: {notify: risk}}\n"
    test = steps("failing", f'at: "09:00", given: {FAILED}, repeat: 6, every: 5m, expect: {{fires: 1, sent: 0}}')
    assert not problems_in(text, test)


def test_a_message_that_waits_for_a_step_that_is_skipped_is_not_sent() -> None:
    step = (
        "[{id: look, stripe: payouts.retrieve, with: {payout: '{{ object.id }}'}, if: {amount: {gte: 1000 USD}}}, "
        "{notify: payments, text: 'is {{ steps.look.result.id }}'}]"
    )
    test = steps(
        "failing",
        f'at: "09:00", given: {SMALL}, expect: {{fires: 1, sent: 0}}',
        f"at: +1m, given: {LARGE}, expect: {{fires: 1, sent: 1}}",
    ).replace("set: {amount: 900000", "results: {look: {id: po_1}}, set: {amount: 900000")
    for key in ("throttle: {max: 1, every: 6h}", "incident: {resolve_after: 6h}"):
        assert not problems_in(rules(key, step=step), test)


def test_a_straggler_of_an_account_that_left_opens_nothing() -> None:
    text = rules("threshold: {count: 2, within: 1d}", "incident: {resolve: {type: payout.paid, same: account}}")
    left = "{event: account.application.deauthorized, account: acct_1}"
    test = steps(
        "failing",
        f'at: "09:00", given: {FAILED}, repeat: 2, every: 1m, expect: {{fires: 1}}',
        f"at: +3m, given: {left}",
        f"at: +1m, given: {FAILED}, late: 2m, expect: {{fires: 0, sent: 0}}",
    )
    assert not problems_in(text, test)
