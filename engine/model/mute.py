"""Mutes: messages that a person has silenced for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from engine.model.rule import Rule, Severity

LONGEST = timedelta(days=90)
"""How long a mute may last: what is to be silent for ever is a rule to be changed."""

MOST = 1_000
"""Mutes at a time: each message is held against all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """What is muted: messages of rules whose id fits `rule` (with `*`), about the account, of at most the severity,
    with the tag; None for any. From `start` to `end`, by whom and why."""

    id: str
    rule: str | None = None
    account: str | None = None
    severity: Severity | None = None
    tag: str | None = None
    start: datetime
    end: datetime
    author: str
    comment: str

    def mutes(self, rule: Rule, account: str | None, now: datetime) -> bool:
        """Whether a message of the rule about the account (None: the platform) is muted now."""
        return (
            self.start <= now < self.end
            and (self.rule is None or fnmatchcase(rule.id, self.rule))
            and (self.account is None or self.account == account)
            and (self.severity is None or self.severity.at_least(rule.severity))
            and (self.tag is None or self.tag in rule.tags)
        )

    @property
    def described(self) -> str:
        """What is muted, for people: `rule payout-*, account acct_1, up to severity high`."""
        parts = [
            f"rule {self.rule}" if self.rule else "",
            f"account {self.account}" if self.account else "",
            f"up to severity {self.severity}" if self.severity else "",
            f"tag {self.tag}" if self.tag else "",
        ]
        return ", ".join(filter(None, parts)) or "everything"
