"""Tests of steps that ask about their digest, or read their object anew."""

from tests.testing.test_acting import problems_in

RULES = """\
rules:
  - id: daily
    when: payout.failed
    digest: {every: day, at: "08:30"}
    then:
      - {notify: payments, title: "{{ digest.count }} failed"}
      - {notify: risk, id: many, if: {$digest.count: {gte: 3}}, title: Many failed}
  - id: reminds
    when: charge.dispute.created
    remind: {before: evidence_details.due_by, at: [24h]}
    then: {notify: risk, fetch: object, if: {status: needs_response}, title: "It {{ object.status | words }}"}
"""
FAILED = "{event: payout.failed, account: acct_1}"
DUE = "{status: needs_response, evidence_details.due_by: 1790586000}"


def test_a_digest_that_is_not_wanted_is_not_sent() -> None:
    """It is judged when it is due, and counted as what became of it."""
    test = f"""\
        rule: daily
        timeline:
          - {{at: "09:00", given: {FAILED}, repeat: 2, expect: {{fires: 2, gathered: 4, sent: 0}}}}
          - {{at: "+1d 08:30", expect: {{sent: 1, title: 2 failed, steps: {{many: skipped}}}}}}
          - {{at: "09:00", given: {FAILED}, repeat: 3, expect: {{gathered: 6}}}}
          - {{at: "+1d 08:30", expect: {{sent: 2, steps: {{many: {{title: Many failed}}}}}}}}
    """
    assert not problems_in(RULES, test)
    assert problems_in(RULES, test.replace("sent: 1", "sent: 2").replace("many: skipped", "many: sent")) == [
        "at 22 Sep 08:30 (line 6): expected 2 messages sent, and there is 1",
        "at 22 Sep 08:30 (line 6): many is skipped: if: $digest.count is 2, needs >= 3",
    ]


def test_one_event_is_a_digest_of_one() -> None:
    assert not problems_in(RULES, f"{{rule: daily, given: {FAILED}, expect: {{steps: {{many: skipped}}}}}}")


def test_what_is_read_anew_is_what_the_test_says_is_read() -> None:
    """Else it is as it came."""
    test = f"""\
        rule: reminds
        timeline:
          - {{at: "09:00", given: {{event: charge.dispute.created, account: acct_1, set: {DUE}}}}}
          - {{at: "+6d 09:00", expect: {{remind: {{sent: 1, title: It needs response}}, steps: {{notify-1: sent}}}}}}
    """
    assert not problems_in(RULES, test)
    settled = test.replace("1790586000}", "1790586000}, fetched: {status: won}")
    assert problems_in(RULES, settled) == [
        "at 27 Sep 09:00 (line 6): expected 1 message of remind, and 0 are sent",
        "at 27 Sep 09:00 (line 6): notify-1 is skipped: if: status is won, needs needs_response",
    ]
    settled = settled.replace("{sent: 1, title: It needs response}", "no").replace(
        "notify-1: sent", "notify-1: skipped"
    )
    assert not problems_in(RULES, settled)
