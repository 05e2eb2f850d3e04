"""The shapes of what a rule remembers: a state is good for the rule that it was kept for, and for one that asks the
same."""

from collections.abc import Mapping

from engine.decide.memory import shape_of
from engine.model.rule import Rule, RuleMode

ANY = ""
"""Of what is waited for or gathered: it goes on whatever becomes of the rule. What is remembered of `not_followed_by`
stands under the name of what must not follow (`judge.part_of`): of something else nothing is known yet."""


_ENTRIES = 3
"""The form in which a window is kept: what another version kept in another one is no good."""


def threshold(rule: Rule) -> str:
    """What was counted is good for that threshold, over matches of that `when`."""
    return shape_of(_ENTRIES, rule.timing.threshold, rule.when)


def preceded_by(rule: Rule) -> str:
    """What came before is good for just that other event."""
    return shape_of(rule.timing.preceded_by)


def throttle(rule: Rule) -> str:
    """What is counted as sent is good for that limit and mode: what a rule in shadow would have sent limits nothing."""
    shape = shape_of(rule.timing.throttle)
    return shape if rule.mode is RuleMode.LIVE else f"{rule.mode} {shape}"


def says(shape: str) -> bool:
    """Whether a throttle of that shape says what it left out: in shadow nothing would have been sent anyway."""
    return bool(shape) and " " not in shape


def course(rule: Rule) -> str:
    """Incidents and reminders are good for their mode: in shadow nobody has heard of anything."""
    return str(rule.mode)


def shapes(rule: Rule) -> Mapping[str, str]:
    """Of each key of the rule that remembers something."""
    timing = rule.timing
    found = {
        "preceded_by": (timing.preceded_by, preceded_by),
        "threshold": (timing.threshold, threshold),
        "not_followed_by": (timing.not_followed_by, _any),
        "incident": (timing.incident, course),
        "remind": (timing.remind, course),
        "throttle": (timing.throttle, throttle),
        "quiet": (timing.quiet if timing.digest is None else None, _any),
        "digest": (timing.digest, _any),
    }
    return {key: shape(rule) for key, (part, shape) in found.items() if part}


def _any(rule: Rule) -> str:
    return ANY
