"""Sample customers, invoices, subscriptions and checkouts."""

from engine.model.event import Json
from engine.samples.sketch import DAY, Sketch, empty_list


def customer(s: Sketch) -> dict[str, Json]:
    """A customer with a name and an e-mail address."""
    return s.object(
        "customer",
        "cus",
        aged=0 if s.action == "created" else 90 * DAY,
        address=None,
        balance=0,
        currency="eur",
        default_source=None,
        delinquent=False,
        description=None,
        email="kai@customer.example",
        invoice_prefix="9F2A11C0",
        invoice_settings={"custom_fields": None, "default_payment_method": None, "footer": None},
        metadata={},
        name="Kai Brandt",
        phone=None,
        preferred_locales=["de"],
        shipping=None,
        tax_exempt="none",
        test_clock=None,
    )


_INVOICE_STATUS = {
    "created": "draft",
    "upcoming": "draft",
    "finalization_failed": "draft",
    "paid": "paid",
    "payment_succeeded": "paid",
    "voided": "void",
    "marked_uncollectible": "uncollectible",
}


def invoice(s: Sketch) -> dict[str, Json]:
    """€59.00 for a month of a subscription."""
    status = _INVOICE_STATUS.get(s.action, "open")
    paid, failed = status == "paid", s.action == "payment_failed"
    found = s.object(
        "invoice",
        None if s.action == "upcoming" else "in",
        account_country="DE",
        account_name="Nordwind Coffee",
        amount_due=5_900,
        amount_overpaid=0,
        amount_paid=5_900 if paid else 0,
        amount_remaining=0 if paid else 5_900,
        amount_shipping=0,
        attempt_count=1 if paid or failed else 0,
        attempted=paid or failed,
        auto_advance=not paid,
        automatic_tax={"enabled": False, "status": None},
        billing_reason="subscription_cycle",
        collection_method="charge_automatically",
        currency="eur",
        customer=s.id("cus", 14),
        customer_email="kai@customer.example",
        customer_name="Kai Brandt",
        default_tax_rates=[],
        description=None,
        discounts=[],
        due_date=None,
        hosted_invoice_url=None if status == "draft" else "https://invoice.stripe.com/i/sample",
        issuer={"type": "self"},
        last_finalization_error={
            "code": "customer_tax_location_invalid",
            "message": "The tax could not be computed.",
            "type": "invalid_request_error",
        }
        if s.action == "finalization_failed"
        else None,
        metadata={},
        next_payment_attempt=s.created + 3 * DAY if failed else None,
        number=None if status == "draft" else "9F2A11C0-0007",
        parent={
            "type": "subscription_details",
            "subscription_details": {"metadata": {}, "subscription": s.id("sub")},
        },
        period_end=s.created,
        period_start=s.created - 30 * DAY,
        starting_balance=0,
        status=status,
        status_transitions={"paid_at": s.created if paid else None},
        subtotal=5_900,
        total=5_900,
    )
    return {**found, "lines": {**empty_list("/v1/invoices/lines"), "data": [_line(s, found)], "total_count": 1}}


def _line(s: Sketch, of: dict[str, Json]) -> dict[str, Json]:
    return {
        "id": s.id("il"),
        "object": "line_item",
        "amount": of["amount_due"],
        "currency": of["currency"],
        "description": "1 × Roastery plan (at €59.00 / month)",
        "invoice": of.get("id"),
        "metadata": {},
        "period": {"start": s.created, "end": s.created + 30 * DAY},
        "quantity": 1,
    }


_SUBSCRIPTION_STATUS = {"deleted": "canceled", "paused": "paused", "trial_will_end": "trialing"}


def subscription(s: Sketch) -> dict[str, Json]:
    """A monthly plan of €59.00."""
    status = _SUBSCRIPTION_STATUS.get(s.action, "active")
    ended = s.created if status == "canceled" else None
    item = {
        "id": s.id("si", 14),
        "object": "subscription_item",
        "created": s.created - 40 * DAY,
        "current_period_end": s.created + 20 * DAY,
        "current_period_start": s.created - 10 * DAY,
        "metadata": {},
        "price": price(s),
        "quantity": 1,
    }
    return s.object(
        "subscription",
        "sub",
        aged=40 * DAY,
        automatic_tax={"enabled": False},
        billing_cycle_anchor=s.created - 40 * DAY,
        cancel_at=None,
        cancel_at_period_end=False,
        canceled_at=ended,
        cancellation_details={"comment": None, "feedback": None, "reason": "payment_failed" if ended else None},
        collection_method="charge_automatically",
        currency="eur",
        customer=s.id("cus", 14),
        default_payment_method=s.id("pm"),
        discounts=[],
        ended_at=ended,
        items={**empty_list("/v1/subscription_items"), "data": [item], "total_count": 1},
        latest_invoice=s.id("in"),
        metadata={},
        start_date=s.created - 40 * DAY,
        status=status,
        trial_end=s.created + 3 * DAY if status == "trialing" else None,
        trial_start=s.created - 11 * DAY if status == "trialing" else None,
    )


def price(s: Sketch) -> dict[str, Json]:
    """€59.00 a month."""
    return s.object(
        "price",
        "price",
        aged=300 * DAY,
        active=True,
        billing_scheme="per_unit",
        currency="eur",
        lookup_key=None,
        metadata={},
        nickname=None,
        product=s.id("prod", 14),
        recurring={"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        tax_behavior="unspecified",
        type="recurring",
        unit_amount=5_900,
        unit_amount_decimal="5900",
    )


def checkout_session(s: Sketch) -> dict[str, Json]:
    """A checkout of €420.00."""
    paid = s.action in ("completed", "async_payment_succeeded")
    return s.object(
        "checkout.session",
        "cs_live" if s.livemode else "cs_test",
        aged=600,
        amount_subtotal=42_000,
        amount_total=42_000,
        automatic_tax={"enabled": False, "status": None},
        currency="eur",
        custom_fields=[],
        customer=s.id("cus", 14),
        customer_email=None,
        expires_at=s.created + DAY,
        metadata={"order": "6735"},
        mode="payment",
        payment_intent=s.id("pi"),
        payment_method_types=["card"],
        payment_status="paid" if paid else "unpaid",
        shipping_options=[],
        status="expired" if s.action == "expired" else "complete",
    )
