"""How deliveries and their attempts lie in their tables: written by columns, read by rows."""

from operator import attrgetter

from engine.model.delivery import Attempt, Delivery, DeliveryStatus
from engine.model.rule import Verb
from engine.store.columns import from_json, text, to_json
from engine.store.connect import Record

COLUMNS = (
    attrgetter("id"),
    attrgetter("firing"),
    attrgetter("event"),
    attrgetter("rule"),
    attrgetter("revision"),
    attrgetter("step"),
    attrgetter("verb"),
    attrgetter("destination"),
    attrgetter("account"),
    attrgetter("livemode"),
    lambda delivery: " ".join(delivery.needs),  # unnest would flatten an array of arrays; ids of steps have no spaces
    attrgetter("status"),
    lambda delivery: text(delivery.reason),
    attrgetter("attempts"),
    attrgetter("next_attempt"),
    attrgetter("first_attempt"),
    lambda delivery: to_json(delivery.request),
    lambda delivery: to_json(delivery.result),
    attrgetter("created"),
    attrgetter("finished"),
    lambda delivery: text(delivery.note),
    lambda delivery: text(delivery.silence),
    lambda delivery: text(delivery.digest),
)
"""Of INSERT_DELIVERIES, in the order of its parameters."""


def delivery(row: Record) -> Delivery:
    """The delivery of a row."""
    return Delivery(
        id=row["id"],
        firing=row["firing"],
        event=row["event"],
        rule=row["rule"],
        revision=row["revision"],
        step=row["step"],
        verb=Verb(row["verb"]),
        destination=row["destination"],
        account=row["account"],
        livemode=row["livemode"],
        needs=tuple(row["needs"]),
        status=DeliveryStatus(row["status"]),
        reason=row["reason"],
        attempts=row["attempts"],
        next_attempt=row["next_attempt"],
        first_attempt=row["first_attempt"],
        request=from_json(row["request"]),
        result=from_json(row["result"]),
        created=row["created"],
        finished=row["finished"],
        note=row["note"],
        silence=row["silence"],
        digest=row["digest"],
        gate=row["gate"],
        turn=row["turn"],
    )


def attempt(row: Record) -> Attempt:
    """The attempt of a row."""
    return Attempt(
        delivery=row["delivery"],
        number=row["number"],
        started=row["started"],
        duration=row["duration"],
        outcome=row["outcome"],
        reason=row["reason"],
        status=row["status"],
        excerpt=row["excerpt"],
    )
