"""What a rule may do is said from its steps."""

from engine.model.rule import RuleMode
from engine.rulebook import load
from engine.rulebook.effects import Effects, effects_of
from engine.stripe_api.operations import is_write
from tests.rulebook.books import KNOWN, loaded


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
