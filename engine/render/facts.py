"""The facts people want of an object, in the order they want them: a table by type of object."""

from collections.abc import Mapping
from datetime import datetime

from engine.model.event import Json
from engine.render.reading import (
    at,
    balances,
    deadline,
    first,
    identifier,
    joined,
    listed,
    money,
    requirement,
    text,
    when,
    words,
)

Fact = tuple[str, str, str]
"""Label, path, and how to show what stands there: text words money time date deadline list balance id yes."""

_ACCOUNT: tuple[Fact, ...] = (
    ("Disabled because", "requirements.disabled_reason", "requirement"),
    ("Past due", "requirements.past_due", "list"),
    ("Deadline", "requirements.current_deadline", "deadline"),
    ("Needed now", "requirements.currently_due", "list"),
    ("Stripe says", "requirements.errors", "errors"),
    ("Being verified", "requirements.pending_verification", "list"),
)
_CHARGE: tuple[Fact, ...] = (
    ("Description", "description", "text"),
    ("Risk", "outcome.risk_level", "words"),
    ("Refunded", "amount_refunded", "money"),
    ("Customer", "customer", "id"),
    ("E-mail", "receipt_email", "text"),
)
_DISPUTE: tuple[Fact, ...] = (
    ("Reason", "reason", "words"),
    ("Status", "status", "words"),
    ("Evidence due", "evidence_details.due_by", "while open"),
    ("Charge", "charge", "id"),
)

FACTS: dict[str, tuple[Fact, ...]] = {
    "account": _ACCOUNT,
    "payout": (
        ("Expected", "arrival_date", "date"),
        ("Method", "method", "words"),
        ("Statement", "statement_descriptor", "text"),
    ),
    "bank_account": (
        ("Bank", "bank_name", "text"),
        ("Account number", "last4", "last4"),
        ("Currency", "currency", "upper"),
        ("Country", "country", "text"),
        ("Status", "status", "words"),
        ("Default for its currency", "default_for_currency", "yes"),
    ),
    "card": (
        ("Card", "brand", "text"),
        ("Number", "last4", "last4"),
        ("Country", "country", "text"),
    ),
    "capability": (
        ("Disabled because", "requirements.disabled_reason", "requirement"),
        ("Past due", "requirements.past_due", "list"),
        ("Deadline", "requirements.current_deadline", "deadline"),
        ("Needed now", "requirements.currently_due", "list"),
    ),
    "person": (
        ("Person", "id", "text"),
        ("Verification", "verification.status", "words"),
        ("Problem", "verification.details", "text"),
        ("Past due", "requirements.past_due", "list"),
        ("Needed now", "requirements.currently_due", "list"),
    ),
    "dispute": _DISPUTE,
    "issuing.dispute": (("Status", "status", "words"), ("Reason", "evidence.reason", "words")),
    "charge": _CHARGE,
    "payment_intent": (("Description", "description", "text"), ("Customer", "customer", "id")),
    "refund": (
        ("Status", "status", "words"),
        ("Why refunded", "reason", "words"),
        ("Charge", "charge", "id"),
    ),
    "radar.early_fraud_warning": (
        ("Fraud type", "fraud_type", "words"),
        ("Can still be refunded", "actionable", "yes"),
        ("Charge", "charge", "id"),
    ),
    "review": (
        ("Opened by", "opened_reason", "words"),
        ("Closed as", "closed_reason", "words"),
        ("Charge", "charge", "id"),
    ),
    "balance": (("Available", "available", "balance"), ("Pending", "pending", "balance")),
    "transfer": (
        ("To account", "destination", "id"),
        ("Reversed", "amount_reversed", "money"),
        ("Description", "description", "text"),
    ),
    "topup": (
        ("Description", "description", "text"),
        ("Expected", "expected_availability_date", "date"),
    ),
    "application_fee": (
        ("Collected from", "account", "id"),
        ("Refunded", "amount_refunded", "money"),
        ("Charge", "charge", "id"),
    ),
    "fee_refund": (("Application fee", "fee", "id"),),
    "reserve.hold": (
        ("Placed by", "created_by", "words"),
        ("Why", "reason", "words"),
        ("Released", "release_schedule.release_after", "deadline"),
    ),
    "reserve.release": (("Why", "reason", "words"), ("Reserve", "reserve_hold", "id")),
    "reserve.plan": (
        ("Set by", "created_by", "words"),
        ("Kind", "type", "words"),
        ("Percentage", "percent", "text"),
        ("Status", "status", "words"),
    ),
    "invoice": (
        ("Invoice", "number", "text"),
        ("Customer", "customer_name", "text"),
        ("E-mail", "customer_email", "text"),
        ("Attempts", "attempt_count", "text"),
        ("Next attempt", "next_payment_attempt", "deadline"),
        ("Due", "due_date", "deadline"),
    ),
    "subscription": (
        ("Status", "status", "words"),
        ("Customer", "customer", "id"),
        ("Trial ends", "trial_end", "deadline"),
        ("Ends", "cancel_at", "deadline"),
        ("Why it ended", "cancellation_details.reason", "words"),
    ),
    "customer": (("Name", "name", "text"), ("E-mail", "email", "text")),
    "application": (("Application", "name", "text"),),
}

_OTHER: tuple[Fact, ...] = (
    ("Name", "name", "text"),
    ("Status", "status", "words"),
    ("Reason", "reason", "words"),
    ("Description", "description", "text"),
    ("Customer", "customer", "id"),
)

# Where an object says why it failed: a code, and a sentence.
_FAILURES = (
    ("failure_code", "failure_message"),
    ("failure_reason", "failure_message"),
    ("last_payment_error.code", "last_payment_error.message"),
    ("last_finalization_error.code", "last_finalization_error.message"),
    ("last_setup_error.code", "last_setup_error.message"),
    ("last_error.code", "last_error.reason"),
    ("verification.details_code", "verification.details"),
    ("outcome.reason", "outcome.seller_message"),
)
AMOUNTS = ("amount", "amount_due", "amount_total", "total")


def amount_of(found: Mapping[str, Json]) -> str | None:
    """The amount an object is about, in words."""
    return first(*(money(found.get(name), found.get("currency")) for name in AMOUNTS))


def failure_of(found: Mapping[str, Json]) -> str | None:
    """Why it failed, as Stripe says: the sentence and the code, `The bank refused. (could_not_process)`."""
    if found.get("object") == "person" or found.get("paid") is True:
        return None
    for code_path, message_path in _FAILURES:
        code, message = text(at(found, code_path)), text(at(found, message_path))
        decline = text(at(found, "last_payment_error.decline_code")) if "last_payment" in code_path else None
        codes = joined([code, decline if decline != code else None], ", ")
        if message:
            return f"{message} ({codes})" if codes else message
        if code:
            return code.replace("_", " ")
    return None


def is_fact(found: Mapping[str, Json], path: str) -> bool:
    """Whether the facts of an object show what stands at a path."""
    kind = found.get("object")
    return any(path == shown for _, shown, _ in (FACTS.get(kind, _OTHER) if isinstance(kind, str) else _OTHER))


def facts_of(found: Mapping[str, Json], now: datetime) -> list[str]:
    """The facts of an object as lines, `Evidence due: 29 Nov 2026 14:00 UTC (in 6 days)`."""
    kind = found.get("object")
    table = FACTS.get(kind, _OTHER) if isinstance(kind, str) else _OTHER
    lines = []
    for label, path, how in table:
        shown = _shown(at(found, path), how, found, now)
        if shown:
            lines.append(f"{label}: {shown}")
    return lines


def _shown(value: Json, how: str, found: Mapping[str, Json], now: datetime) -> str | None:
    if value is None or value == "":
        return None
    match how:
        case "text":
            return text(value)
        case "words":
            return words(value)
        case "requirement":
            return requirement(value)
        case "upper":
            return (text(value) or "").upper()
        case "last4":
            return f"ends in {last4}" if (last4 := text(value)) else None
        case "money":
            return money(value, found.get("currency")) if value else None
        case "time":
            return when(value)
        case "date":
            return when(value, "date")
        case "deadline":
            return deadline(value, now)
        case "while open":
            return deadline(value, now) if "needs_response" in str(found.get("status")) else None
        case "errors":
            reasons = [text(at(error, "reason")) for error in value[:5]] if isinstance(value, list) else []
            return joined(reasons, " ")
        case "list":
            return listed(value)
        case "balance":
            return balances(value)
        case "id":
            return identifier(value)
        case _:
            return "yes" if value is True else "no" if value is False else None
