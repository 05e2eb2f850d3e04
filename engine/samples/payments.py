"""Sample charges, payment intents, refunds, disputes, fraud warnings and reviews."""

from engine.model.event import Json
from engine.samples.sketch import DAY, HOUR, Sketch

_DECLINED = "Your card has insufficient funds."


def charge(s: Sketch) -> dict[str, Json]:
    """€420.00 by Visa card."""
    failed = s.action == "failed"
    pending = s.action in ("pending", "expired")
    refunded = s.action == "refunded"
    return s.object(
        "charge",
        "ch",
        aged=DAY if refunded else 2,
        amount=42_000,
        amount_captured=0 if failed or pending else 42_000,
        amount_refunded=42_000 if refunded else 0,
        application=s.id("ca", 30),
        application_fee=None,
        application_fee_amount=1_260,
        balance_transaction=None if failed or pending else s.id("txn"),
        billing_details=_billing(),
        calculated_statement_descriptor="NORDWIND COFFEE",
        captured=not failed and s.action != "expired",
        currency="eur",
        customer=s.id("cus", 14),
        description="Order 6735",
        disputed=False,
        failure_balance_transaction=None,
        failure_code="card_declined" if failed else None,
        failure_message=_DECLINED if failed else None,
        fraud_details={},
        metadata={"order": "6735"},
        on_behalf_of=None,
        outcome=_outcome(failed),
        paid=not failed,
        payment_intent=s.id("pi"),
        payment_method=s.id("pm"),
        payment_method_details={"type": "card", "card": _card()},
        receipt_email="kai@customer.example",
        receipt_number=None,
        receipt_url=None if failed else "https://pay.stripe.com/receipts/payment/sample",
        refunded=refunded,
        review=None,
        shipping=None,
        source_transfer=None,
        statement_descriptor=None,
        statement_descriptor_suffix=None,
        status="failed" if failed else "pending" if s.action == "pending" else "succeeded",
        transfer_data=None,
        transfer_group=None,
    )


def _billing() -> dict[str, Json]:
    address = {
        "city": "Kiel",
        "country": "DE",
        "line1": "Hafenstr. 12",
        "line2": None,
        "postal_code": "24103",
        "state": None,
    }
    return {"address": address, "email": "kai@customer.example", "name": "Kai Brandt", "phone": None, "tax_id": None}


def _card() -> dict[str, Json]:
    return {
        "brand": "visa",
        "checks": {"address_line1_check": "pass", "address_postal_code_check": "pass", "cvc_check": "pass"},
        "country": "DE",
        "exp_month": 11,
        "exp_year": 2029,
        "funding": "credit",
        "last4": "4242",
        "network": "visa",
        "three_d_secure": None,
        "wallet": None,
    }


def _outcome(failed: bool) -> dict[str, Json]:
    return {
        "advice_code": "try_again_later" if failed else None,
        "network_advice_code": None,
        "network_decline_code": "51" if failed else None,
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": "insufficient_funds" if failed else None,
        "risk_level": "normal",
        "risk_score": 24,
        "seller_message": "The bank returned the decline code `insufficient_funds`." if failed else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


_INTENT_STATUS = {
    "amount_capturable_updated": "requires_capture",
    "canceled": "canceled",
    "created": "requires_payment_method",
    "partially_funded": "requires_action",
    "payment_failed": "requires_payment_method",
    "processing": "processing",
    "requires_action": "requires_action",
    "succeeded": "succeeded",
}


def payment_intent(s: Sketch) -> dict[str, Json]:
    """€420.00 to be paid by card."""
    succeeded, failed = s.action == "succeeded", s.action == "payment_failed"
    return s.object(
        "payment_intent",
        "pi",
        aged=60,
        amount=42_000,
        amount_capturable=42_000 if s.action == "amount_capturable_updated" else 0,
        amount_received=42_000 if succeeded else 0,
        application=s.id("ca", 30),
        application_fee_amount=1_260,
        automatic_payment_methods={"enabled": True},
        canceled_at=s.created if s.action == "canceled" else None,
        cancellation_reason="abandoned" if s.action == "canceled" else None,
        capture_method="automatic",
        confirmation_method="automatic",
        currency="eur",
        customer=s.id("cus", 14),
        description="Order 6735",
        last_payment_error=_payment_error(s) if failed else None,
        latest_charge=s.id("ch") if succeeded or failed else None,
        metadata={"order": "6735"},
        next_action=None,
        on_behalf_of=None,
        payment_method=None if failed else s.id("pm"),
        payment_method_types=["card"],
        receipt_email="kai@customer.example",
        setup_future_usage=None,
        shipping=None,
        statement_descriptor=None,
        status=_INTENT_STATUS.get(s.action, "succeeded"),
        transfer_data=None,
        transfer_group=None,
    )


def _payment_error(s: Sketch) -> dict[str, Json]:
    return {
        "charge": s.id("ch"),
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": _DECLINED,
        "type": "card_error",
    }


def refund(s: Sketch) -> dict[str, Json]:
    """€420.00 back to the customer."""
    failed = s.action == "failed"
    found = s.object(
        "refund",
        "re",
        aged=5 * DAY if failed else 0,
        amount=42_000,
        balance_transaction=s.id("txn"),
        charge=s.id("ch"),
        currency="eur",
        destination_details={"type": "card", "card": {"type": "refund", "reference_status": "pending"}},
        failure_balance_transaction=s.id("txn") if failed else None,
        failure_reason="lost_or_stolen_card" if failed else None,
        metadata={"order": "6735"},
        payment_intent=s.id("pi"),
        reason="requested_by_customer",
        receipt_number=None,
        source_transfer_reversal=None,
        status="failed" if failed else "succeeded",
        transfer_reversal=None,
    )
    return {key: value for key, value in found.items() if key != "livemode"}


_DISPUTE_STATUS = {
    "closed": "lost",
    "created": "needs_response",
    "funds_reinstated": "won",
    "funds_withdrawn": "needs_response",
    "updated": "under_review",
}


def dispute(s: Sketch) -> dict[str, Json]:
    """A fraud dispute of €420.00 with a week to answer."""
    return s.object(
        "dispute",
        "du",
        aged=0 if s.action == "created" else 20 * DAY if s.action == "closed" else HOUR,
        amount=42_000,
        balance_transactions=[],
        charge=s.id("ch"),
        currency="eur",
        enhanced_eligibility_types=[],
        evidence={"customer_email_address": "kai@customer.example", "customer_name": "Kai Brandt"},
        evidence_details={
            "due_by": s.created + 7 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": s.action in ("updated", "closed"),
            "past_due": False,
            "submission_count": 1 if s.action in ("updated", "closed") else 0,
        },
        is_charge_refundable=False,
        metadata={},
        network_reason_code="10.4",
        payment_intent=s.id("pi"),
        payment_method_details={
            "type": "card",
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
        },
        reason="fraudulent",
        status=_DISPUTE_STATUS.get(s.action, "needs_response"),
    )


def early_fraud_warning(s: Sketch) -> dict[str, Json]:
    """The card issuer's warning about a charge that can still be refunded."""
    return s.object(
        "radar.early_fraud_warning",
        "issfr",
        actionable=True,
        charge=s.id("ch"),
        fraud_type="made_with_stolen_card",
        payment_intent=s.id("pi"),
    )


def review(s: Sketch) -> dict[str, Json]:
    """A payment that a Radar rule wants someone to look at."""
    is_open = s.action == "opened"
    return s.object(
        "review",
        "prv",
        aged=0 if is_open else HOUR,
        billing_zip="24103",
        charge=s.id("ch"),
        closed_reason=None if is_open else "approved",
        ip_address="198.51.100.23",
        ip_address_location={
            "city": "Kiel",
            "country": "DE",
            "latitude": 54.32,
            "longitude": 10.13,
            "region": "Schleswig-Holstein",
        },
        open=is_open,
        opened_reason="rule",
        payment_intent=s.id("pi"),
        reason="rule" if is_open else "approved",
        session=None,
    )
