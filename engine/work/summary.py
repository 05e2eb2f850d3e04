"""What is said of messages that a throttle left out, where no other message says it."""

from datetime import datetime

from engine.model.event import Event, Json
from engine.model.rule import Rule
from engine.render import left_out_between
from notifiers.notify import report


def summary(
    rule: Rule, event: Event, left_out: int, since: datetime | None, now: datetime, note: str | None = None
) -> Json:
    """The message that says what a throttle left out, where no other message says it."""
    throttle = rule.timing.throttle
    assert throttle is not None
    about = f"{rule.id} about {event.account}" if event.account else rule.id
    title = f"{left_out:,} more alert{'s' * (left_out > 1)} of {about} left out"
    text = left_out_between(left_out, about, throttle, since or now, now)
    text = text if note is None else f"{text}\n\n{note}"
    return {**report(title, text, rule.severity), "account": event.account, "rule": rule.id, "live": event.livemode}
