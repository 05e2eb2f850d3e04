"""Small but valid sample objects for every type that has no builder of its own: its id, its state, its money."""

from engine.model.event import Json
from engine.model.schema import schema
from engine.samples.sketch import DAY, Sketch

Fields = dict[str, Json]

_MONEY: Fields = {"amount": 42_000, "currency": "eur"}
_CUSTOMER = "cus_SampleCustomer"

# Object: prefix of its id (empty: it has none), and what its samples carry beyond id, created, livemode, metadata.
OTHERS: dict[str, tuple[str, Fields]] = {
    "apps.install": ("appinst", {"app": "app_sample", "channel": "public", "status": "installed"}),
    "balance_settings": ("", {"payments": {"payouts": {"status": "enabled"}, "debit_negative_balances": True}}),
    "billing.alert_triggered": ("", {"alert": {"object": "billing.alert"}, "customer": _CUSTOMER, "value": 100}),
    "billing.credit_balance_transaction": ("cbtxn", {"credit_grant": "credgr_sample", "type": "credit"}),
    "billing.credit_grant": ("credgr", {"category": "promotional", "customer": _CUSTOMER, "name": "Welcome credit"}),
    "billing.meter": ("mtr", {"display_name": "API calls", "event_name": "api_calls", "status": "active"}),
    "billing_portal.configuration": ("bpc", {"active": True, "is_default": True}),
    "billing_portal.session": ("bps", {"customer": _CUSTOMER, "url": "https://billing.stripe.com/p/session/sample"}),
    "cash_balance": ("", {"customer": _CUSTOMER, "available": {"eur": 42_000}}),
    "climate.order": ("climorder", {"amount_total": 42_000, "currency": "eur", "status": "open"}),
    "climate.product": ("climsku", {"name": "Carbon removal", "delivery_year": 2030}),
    "coupon": ("", {"id": "WELCOME25", "duration": "once", "percent_off": 25, "times_redeemed": 0, "valid": True}),
    "credit_note": ("cn", {**_MONEY, "customer": _CUSTOMER, "number": "9F2A11C0-0007-CN-01", "status": "issued"}),
    "customer_cash_balance_transaction": (
        "ccsbtxn",
        {"currency": "eur", "customer": _CUSTOMER, "net_amount": 42_000, "ending_balance": 42_000, "type": "funded"},
    ),
    "discount": ("di", {"customer": _CUSTOMER, "source": {"type": "coupon", "coupon": "WELCOME25"}}),
    "entitlements.active_entitlement_summary": ("", {"customer": _CUSTOMER}),
    "file": ("file", {"filename": "evidence.pdf", "purpose": "dispute_evidence", "size": 9_863, "type": "pdf"}),
    "financial_connections.account": (
        "fca",
        {"category": "cash", "institution_name": "Example Bank", "last4": "6789", "status": "active"},
    ),
    "financial_connections.authorization": ("fcauth", {"institution_name": "Example Bank", "status": "active"}),
    "identity.verification_session": ("vs", {"status": "requires_input", "type": "document"}),
    "invoice_payment": (
        "inpay",
        {"amount_requested": 5_900, "amount_paid": 5_900, "currency": "eur", "status": "paid"},
    ),
    "invoiceitem": ("ii", {**_MONEY, "customer": _CUSTOMER, "description": "Extra beans", "quantity": 1}),
    "issuing.authorization": ("iauth", {**_MONEY, "approved": True, "status": "pending"}),
    "issuing.card": (
        "ic",
        {"brand": "Visa", "last4": "4242", "status": "active", "type": "virtual"},
    ),
    "issuing.cardholder": ("ich", {"name": "Mara Lindt", "status": "active", "type": "individual"}),
    "issuing.dispute": ("idp", {**_MONEY, "status": "submitted", "evidence": {"reason": "fraudulent"}}),
    "issuing.personalization_design": ("ipd", {"name": "Standard", "status": "active"}),
    "issuing.token": ("intk", {"card": "ic_sample", "network": "visa", "status": "active"}),
    "issuing.transaction": ("ipi", {**_MONEY, "card": "ic_sample", "type": "capture"}),
    "mandate": ("mandate", {"payment_method": "pm_sample", "status": "active", "type": "multi_use"}),
    "payment_link": ("plink", {"active": True, "currency": "eur", "url": "https://buy.stripe.com/sample"}),
    "payment_method": ("pm", {"customer": _CUSTOMER, "type": "card"}),
    "plan": ("plan", {**_MONEY, "active": True, "interval": "month", "interval_count": 1}),
    "product": ("prod", {"active": True, "name": "Roastery plan", "type": "service"}),
    "promotion_code": ("promo", {"active": True, "code": "BEANS", "times_redeemed": 0}),
    "quote": ("qt", {"amount_total": 42_000, "currency": "eur", "customer": _CUSTOMER, "status": "open"}),
    "reporting.report_run": ("frr", {"report_type": "balance.summary.1", "status": "succeeded"}),
    "reporting.report_type": ("", {"id": "balance.summary.1", "name": "Balance summary", "version": 1}),
    "scheduled_query_run": ("sqr", {"sql": "select 1", "status": "completed", "title": "Daily volume"}),
    "setup_intent": ("seti", {"customer": _CUSTOMER, "payment_method_types": ["card"], "usage": "off_session"}),
    "source": ("src", {**_MONEY, "flow": "redirect", "status": "chargeable", "type": "ideal"}),
    "source_mandate_notification": (
        "srcmn",
        {"reason": "debit_initiated", "status": "submitted"},
    ),
    "source_transaction": ("srctxn", {**_MONEY, "source": "src_sample", "type": "ach_credit_transfer"}),
    "subscription_schedule": ("sub_sched", {"customer": _CUSTOMER, "end_behavior": "release", "status": "active"}),
    "tax.settings": ("", {"status": "active"}),
    "tax_id": ("txi", {"country": "DE", "customer": _CUSTOMER, "type": "eu_vat", "value": "DE123456789"}),
    "tax_rate": ("txr", {"active": True, "display_name": "VAT", "inclusive": True, "percentage": 19.0}),
    "terminal.reader": ("tmr", {"device_type": "stripe_s700", "label": "Till 1", "status": "online"}),
    "test_helpers.test_clock": ("clock", {"frozen_time": 1_577_836_800, "name": "Renewals", "status": "ready"}),
    "three_d_secure.authentication": ("tdsa", {**_MONEY, "payment_method": "pm_sample", "status": "succeeded"}),
    "treasury.credit_reversal": ("credrev", {**_MONEY, "network": "ach", "status": "processing"}),
    "treasury.debit_reversal": ("debrev", {**_MONEY, "network": "ach", "status": "processing"}),
    "treasury.financial_account": ("fa", {"country": "US", "status": "open", "supported_currencies": ["usd"]}),
    "treasury.inbound_transfer": ("ibt", {**_MONEY, "status": "processing", "statement_descriptor": "transfer"}),
    "treasury.outbound_payment": ("obp", {**_MONEY, "status": "processing", "statement_descriptor": "payment"}),
    "treasury.outbound_transfer": ("obt", {**_MONEY, "status": "processing", "statement_descriptor": "transfer"}),
    "treasury.received_credit": ("rc", {**_MONEY, "description": "Credit", "network": "ach", "status": "succeeded"}),
    "treasury.received_debit": ("rd", {**_MONEY, "description": "Debit", "network": "ach", "status": "succeeded"}),
}

# Actions that are also a status of the object: the sample of `topup.failed` has failed.
_STATUS_ACTIONS = frozenset(
    {
        "accepted",
        "active",
        "canceled",
        "closed",
        "completed",
        "confirmed",
        "deactivated",
        "delivered",
        "disconnected",
        "expired",
        "failed",
        "paid",
        "paused",
        "posted",
        "processing",
        "redacted",
        "released",
        "requires_action",
        "requires_input",
        "returned",
        "submitted",
        "succeeded",
        "verified",
    }
)
_STATUS_OF_ACTION = {
    "deactivated": "inactive",
    "redacted": "canceled",
    "issuing_dispute.closed": "lost",
    "treasury.debit_reversal.completed": "succeeded",
}
"""By the action, or by the type of the event."""


def other(s: Sketch, kind: str) -> dict[str, Json]:
    """A sample of an object without a builder; of a kind not known at all, one with an id and a status."""
    prefix, fields = OTHERS.get(kind, (_guessed_prefix(kind), {"status": "active"}))
    found = {**s.object(kind, prefix or None, aged=DAY), "metadata": {}, **fields}
    if "status" in found and s.action in _STATUS_ACTIONS:
        found["status"] = _STATUS_OF_ACTION.get(s.type) or _STATUS_OF_ACTION.get(s.action, s.action)
    if s.action == "deleted":
        found["deleted"] = True
    known = schema(kind)
    return found if known is None else {name: value for name, value in found.items() if name in known.fields}


def _guessed_prefix(kind: str) -> str:
    return kind.rpartition(".")[2][:12] or "obj"
