"""What a rule may do is said from its steps."""

import pytest

from engine.model.rule import RuleMode
from engine.rulebook import load
from engine.rulebook.effects import Effects, effects_of
from engine.stripe_api.operations import is_write
from tests.rulebook.books import KNOWN, loaded, rule


def test_every_step_counts_also_those_for_a_failure() -> None:
    text = """
    rules:
      - id: r
        mode: shadow
        when: payout.failed
        then:
          - notify: [risk, payments]
          - callback: case-system
          - stripe: payouts.retrieve
          - {stripe: accounts.update, as: account, with: {metadata: {a: b}}}
        on_failure: {notify: onboarding}
    """
    (rule,) = loaded(text).rulebook.rules
    assert effects_of(rule, is_write) == Effects(
        rule="r",
        mode=RuleMode.SHADOW,
        notifies=("onboarding", "payments", "risk"),
        calls=("case-system",),
        reads=("payouts.retrieve",),
        writes=("accounts.update",),
    )


def test_of_a_table_every_channel_in_it_counts() -> None:
    text = (
        "tables: {accounts: {file: accounts.csv, key: account}}\n"
        "rules:\n  - {id: r, when: payout.failed, then: {notify: $tables.accounts.channel}}\n"
    )
    csv = "account,channel\nacct_1,risk\nacct_2,payments\nacct_3,risk\n"
    found = load({"a.yaml": text, "accounts.csv": csv}, KNOWN)
    (rule,) = found.rulebook.rules
    assert effects_of(rule, is_write).notifies == ("payments", "risk")


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        (rule(when="{type: payout.failed, fetch: object}"), ("the object",)),
        (rule(when="{type: charge.dispute.created, fetch: [charge]}"), ("the object of charge",)),
        (
            rule(when="{type: 'v2.core.account[requirements].updated', fetch: {object: {include: [requirements]}}}"),
            ("the object with requirements",),
        ),
        (rule(when="{type: payout.failed, where: {$account.country: DE}}"), ("the account",)),
        (rule(then="{notify: risk, text: '{{ account.metadata.tier }}'}"), ("the account",)),
        (rule(then="{notify: risk, text: '{{ account.name }}'}"), ()),
        (rule(then="{notify: risk, fetch: object}"), ("the object",)),
        (rule(when="v1.payout.failed", then="{notify: risk, text: '{{ object | money }}'}"), ("the object",)),
        (rule(when="v1.payout.failed"), ()),
        (rule(then="{notify: risk, text: '{{ object | money }}'}"), ()),
        (
            rule(more="preceded_by: {type: v2.core.account.updated, within: 1h, where: {display_name: x}}"),
            ("the object",),
        ),
        (
            rule(when="{type: payout.failed, fetch: object}", then="{stripe: payouts.retrieve}"),
            ("payouts.retrieve", "the object"),
        ),
    ],
)
def test_what_is_read_before_a_rule_is_judged_counts(text: str, reads: tuple[str, ...]) -> None:
    (made,) = loaded(text).rulebook.rules
    assert effects_of(made, is_write).reads == reads
