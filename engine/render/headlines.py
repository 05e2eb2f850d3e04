"""What happened, in words: one line for each type of event.

`{of}` becomes ` of €420.00` where the object has an amount. Types that are not listed are put in words from their
own name (`terminal.reader.action_failed`: "Terminal reader action failed").
"""

from collections.abc import Mapping
from typing import Any

from engine.model.event import Json
from engine.render.reading import at, text, words

HEADLINES: dict[str, str] = {
    "payout.created": "Payout{of} created",
    "payout.updated": "Payout{of} changed",
    "payout.paid": "Payout{of} paid",
    "payout.failed": "Payout{of} failed",
    "payout.canceled": "Payout{of} canceled",
    "payout.reconciliation_completed": "Payout{of} can be reconciled",
    "account.application.authorized": "Account connected to the platform",
    "account.application.deauthorized": "Account disconnected from the platform",
    "charge.succeeded": "Charge{of} succeeded",
    "charge.failed": "Charge{of} failed",
    "charge.pending": "Charge{of} pending",
    "charge.captured": "Charge{of} captured",
    "charge.expired": "Uncaptured charge{of} expired",
    "charge.updated": "Charge{of} changed",
    "charge.refunded": "Charge{of} refunded",
    "charge.refund.updated": "Refund{of} changed",
    "charge.dispute.created": "Dispute{of} opened",
    "charge.dispute.updated": "Dispute{of} changed",
    "charge.dispute.closed": "Dispute{of} closed",
    "charge.dispute.funds_withdrawn": "Dispute{of}: funds withdrawn",
    "charge.dispute.funds_reinstated": "Dispute{of}: funds returned",
    "payment_intent.created": "Payment{of} started",
    "payment_intent.succeeded": "Payment{of} succeeded",
    "payment_intent.processing": "Payment{of} processing",
    "payment_intent.payment_failed": "Payment{of} failed",
    "payment_intent.canceled": "Payment{of} canceled",
    "payment_intent.requires_action": "Payment{of} needs an action of the customer",
    "payment_intent.amount_capturable_updated": "Payment{of} authorized, to be captured",
    "payment_intent.partially_funded": "Payment{of} partly funded",
    "refund.created": "Refund{of} created",
    "refund.updated": "Refund{of} changed",
    "refund.failed": "Refund{of} failed",
    "radar.early_fraud_warning.created": "Early fraud warning",
    "radar.early_fraud_warning.updated": "Early fraud warning changed",
    "review.opened": "Payment put under review",
    "review.closed": "Payment review closed",
    "balance.available": "Balance available",
    "transfer.created": "Transfer{of} created",
    "transfer.updated": "Transfer{of} changed",
    "transfer.reversed": "Transfer{of} reversed",
    "topup.created": "Top-up{of} started",
    "topup.succeeded": "Top-up{of} arrived",
    "topup.failed": "Top-up{of} failed",
    "topup.canceled": "Top-up{of} canceled",
    "topup.reversed": "Top-up{of} reversed",
    "application_fee.created": "Application fee{of} collected",
    "application_fee.refunded": "Application fee{of} refunded",
    "application_fee.refund.updated": "Application fee refund{of} changed",
    "reserve.hold.created": "Reserve{of} placed",
    "reserve.hold.updated": "Reserve{of} changed",
    "reserve.release.created": "Reserve{of} released",
    "reserve.plan.created": "Reserve plan set",
    "reserve.plan.updated": "Reserve plan changed",
    "reserve.plan.disabled": "Reserve plan switched off",
    "reserve.plan.expired": "Reserve plan expired",
    "person.created": "Person added to the account",
    "person.updated": "Person changed",
    "person.deleted": "Person removed from the account",
    "invoice.paid": "Invoice{of} paid",
    "invoice.payment_succeeded": "Invoice{of} paid",
    "invoice.payment_failed": "Invoice payment{of} failed",
    "invoice.payment_action_required": "Invoice payment{of} needs an action of the customer",
    "invoice.created": "Invoice{of} created",
    "invoice.finalized": "Invoice{of} finalized",
    "invoice.finalization_failed": "Invoice{of} could not be finalized",
    "invoice.overdue": "Invoice{of} overdue",
    "invoice.upcoming": "Invoice{of} upcoming",
    "invoice.voided": "Invoice{of} voided",
    "invoice.marked_uncollectible": "Invoice{of} marked uncollectible",
    "customer.subscription.created": "Subscription started",
    "customer.subscription.updated": "Subscription changed",
    "customer.subscription.deleted": "Subscription ended",
    "customer.subscription.paused": "Subscription paused",
    "customer.subscription.resumed": "Subscription resumed",
    "customer.subscription.trial_will_end": "Subscription trial ends soon",
    "checkout.session.completed": "Checkout{of} completed",
    "checkout.session.expired": "Checkout{of} expired",
    "v2.core.account.created": "Account created",
    "v2.core.account.updated": "Account changed",
    "v2.core.account.closed": "Account closed",
    "v2.core.account_link.returned": "Account came back from onboarding",
    "v2.core.account[requirements].updated": "Account requirements changed",
    "v2.core.account[future_requirements].updated": "Account's future requirements changed",
    "v2.core.account[identity].updated": "Account identity changed",
    "v2.core.account[defaults].updated": "Account defaults changed",
    "v2.core.event_destination.ping": "Event destination says hello",
}

_THINGS = {"bank_account": "Bank account", "card": "Debit card"}
_CHANGES = {"created": "added", "updated": "changed", "deleted": "removed"}
_SWITCHES = (("charges_enabled", "Charges"), ("payouts_enabled", "Payouts"))


def headline(type_: str, found: Mapping[str, Json], changed: Mapping[str, Any], of: str | None) -> str:
    """The line for an event of that base type, about that object; `of` is its amount as text."""
    if type_ == "account.updated":
        return _account(found, changed)
    if type_ == "person.updated" and at(found, "verification.status") == "unverified" and _any(changed, "verification"):
        return "Person could not be verified"
    if type_.startswith("account.external_account."):
        thing = _THINGS.get(str(found.get("object")), "External account")
        verb = type_.rpartition(".")[2]
        if verb == "updated" and found.get("status") in ("errored", "verification_failed"):
            return f"{thing} {'cannot receive payouts' if found['status'] == 'errored' else 'could not be verified'}"
        return f"{thing} {_CHANGES.get(verb, verb)}"
    if type_ == "capability.updated":
        name, status = words(found.get("id")), words(found.get("status"))
        return f"Capability {name or ''} is {status}".replace("  ", " ") if status else "Capability changed"
    if type_ == "charge.dispute.closed" and text(found.get("status")) in ("won", "lost", "warning_closed"):
        line = "Dispute{of} " + ("closed without a chargeback" if found["status"] == "warning_closed" else "{status}")
        return line.format(of=_of(of), status=found["status"])
    listed = HEADLINES.get(type_)
    return listed.format(of=_of(of)) if listed is not None else _spelled(type_, of)


def _of(amount: str | None) -> str:
    return f" of {amount}" if amount else ""


def _account(found: Mapping[str, Json], changed: Mapping[str, Any]) -> str:
    for value, state in ((False, "off"), (True, "on")):
        things = [name for key, name in _SWITCHES if key in changed and found.get(key) is value]
        if things:
            return f"{' and '.join(things).capitalize()} switched {state}"
    if at(found, "requirements.past_due") and "requirements.past_due" in changed:
        return "Account requirements past due"
    if _any(changed, "requirements"):
        return "Account requirements changed"
    return "Account changed"


def _any(changed: Mapping[str, Any], head: str) -> bool:
    return any(str(path).partition(".")[0] == head for path in changed)


def _spelled(type_: str, of: str | None) -> str:
    """`issuing_card.updated`: "Issuing card updated"; `v2.core.account[a.b].x_y`: "Account a b: x y"."""
    bare = type_.removeprefix("v2.core.").removeprefix("v2.").replace("[", " ").replace("]", ":")
    line = " ".join(bare[:200].replace(".", " ").replace("_", " ").split()).replace(" :", ":")
    line = line[:1].upper() + line[1:] if line else "Event"
    return f"{line}: {of}" if of else line
