"""What became of a delivery, in a few words: the same in every command that speaks of deliveries."""

from datetime import datetime

from engine.cli.report import moment
from engine.model.delivery import Delivery, DeliveryStatus


def aim(delivery: Delivery) -> str:
    """`notify risk`, `callback case-system`."""
    return f"{delivery.verb} {delivery.destination}"


def fate(delivery: Delivery, now: datetime) -> str:
    """How it stands and what comes next: `sent 14:02:12`, `failed (503), retry 14:07:00`, `dead: ...`,
    `waits until 14:07:00: breaker open until ...`."""
    match delivery.status:
        case DeliveryStatus.DELIVERED if delivery.reason:
            return delivery.reason  # a replay, which repeats nothing that acts
        case DeliveryStatus.DELIVERED:
            return f"sent {moment(delivery.finished, now)}".rstrip()
        case DeliveryStatus.PENDING if delivery.put_off:
            return f"waits until {moment(delivery.next_attempt, now)}: {delivery.reason}"
        case DeliveryStatus.PENDING if delivery.attempts or delivery.reason:
            reason = f" ({delivery.reason})" if delivery.reason else ""
            return f"failed{reason}, retry {moment(delivery.next_attempt, now)}".rstrip()
        case DeliveryStatus.PENDING:
            due = delivery.next_attempt
            return "due now" if due is None or due <= now else f"due {moment(due, now)}"
        case DeliveryStatus.WAITING:
            return f"waits for {', '.join(delivery.needs)}" if delivery.needs else "only if a step is given up"
        case _:
            return f"{delivery.status}: {delivery.reason}" if delivery.reason else str(delivery.status)
