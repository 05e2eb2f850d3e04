"""What becomes of the steps that waited for another's result."""

from collections.abc import Sequence

from engine.model.delivery import Delivery, DeliveryStatus
from engine.model.rule import OnError, Rule

ENDED = frozenset(
    set(DeliveryStatus) - {DeliveryStatus.WAITING, DeliveryStatus.PENDING},
)

WELL = frozenset(
    {DeliveryStatus.DELIVERED, DeliveryStatus.SUPPRESSED, DeliveryStatus.GATHERED, DeliveryStatus.MERGED},
)
"""What a step is waited for to be: a message that is kept quiet keeps no other step from running."""


def released(rule: Rule, siblings: Sequence[Delivery]) -> list[tuple[str, DeliveryStatus, str | None]]:
    """Which waiting deliveries of one firing may go on, or end unsent: (id, new status, reason).

    `siblings` are all deliveries of the firing as they stand. A delivery goes on when every step it needs has
    ended; it is skipped when one of them did not arrive and is not marked `on_error: continue`. A held write
    is not over: what needs it goes on waiting, and is released together with it. A step of `on_failure` goes on when
    one of the others is dead, and is skipped when all have ended without that.
    """
    by_step: dict[str, list[Delivery]] = {}
    for sibling in siblings:
        by_step.setdefault(sibling.step, []).append(sibling)
    found: dict[str, tuple[DeliveryStatus, str | None]] = {}
    progress = True
    while progress:
        progress = False
        for sibling in siblings:
            if sibling.status is not DeliveryStatus.WAITING or sibling.id in found:
                continue
            decision = _decide(rule, sibling, by_step, found)
            if decision is not None:
                found[sibling.id] = decision
                progress = True
    return [(key, status, reason) for key, (status, reason) in found.items()]


def _decide(
    rule: Rule,
    waiting: Delivery,
    by_step: dict[str, list[Delivery]],
    found: dict[str, tuple[DeliveryStatus, str | None]],
) -> tuple[DeliveryStatus, str | None] | None:
    def standing(step: str) -> list[DeliveryStatus]:
        return [found[each.id][0] if each.id in found else each.status for each in by_step.get(step, [])]

    if any(step.id == waiting.step for step in rule.on_failure):
        return _on_failure([status for step in rule.main_steps for status in standing(step.id)])
    for need in waiting.needs:
        statuses = standing(need)
        if any(status not in ENDED or status is DeliveryStatus.HELD for status in statuses):
            return None
        step = rule.step(need)
        tolerant = step is not None and step.on_error is OnError.CONTINUE
        if not tolerant and any(status not in WELL for status in statuses):
            return DeliveryStatus.SKIPPED, f"step {need} did not succeed"
    return DeliveryStatus.PENDING, None


def _on_failure(statuses: Sequence[DeliveryStatus]) -> tuple[DeliveryStatus, str | None] | None:
    if DeliveryStatus.DEAD in statuses:
        return DeliveryStatus.PENDING, None
    if any(status not in ENDED or status is DeliveryStatus.HELD for status in statuses):
        return None
    return DeliveryStatus.SKIPPED, "no step failed"
