"""Sample payouts, balances, transfers, top-ups, fees and reserves."""

from engine.model.event import Json
from engine.samples.sketch import DAY, HOUR, Sketch, empty_list

_PAYOUT_STATUS = {
    "canceled": "canceled",
    "created": "pending",
    "failed": "failed",
    "paid": "paid",
    "reconciliation_completed": "paid",
    "updated": "in_transit",
}


def payout(s: Sketch) -> dict[str, Json]:
    """An automatic payout of €4,200.50."""
    failed = s.action == "failed"
    reconciled = s.action == "reconciliation_completed"
    return s.object(
        "payout",
        "po",
        aged=2 * DAY,
        amount=420_050,
        application_fee=None,
        application_fee_amount=None,
        arrival_date=s.created - s.created % DAY,
        automatic=True,
        balance_transaction=s.id("txn"),
        currency="eur",
        description="STRIPE PAYOUT",
        destination=s.id("ba"),
        failure_balance_transaction=s.id("txn") if failed else None,
        failure_code="account_closed" if failed else None,
        failure_message="The bank account has been closed." if failed else None,
        metadata={},
        method="standard",
        original_payout=None,
        payout_method=None,
        reconciliation_status="completed" if reconciled else "in_progress",
        reversed_by=None,
        source_type="card",
        statement_descriptor=None,
        status=_PAYOUT_STATUS.get(s.action, "paid"),
        trace_id={"status": "pending", "value": None},
        type="bank_account",
    )


def balance(s: Sketch) -> dict[str, Json]:
    """A balance with money available and pending."""
    return {
        "object": "balance",
        "available": [
            {"amount": 1_234_500, "currency": "eur", "source_types": {"card": 1_234_500}},
            {"amount": 80_000, "currency": "usd", "source_types": {"card": 80_000}},
        ],
        "connect_reserved": [{"amount": 0, "currency": "eur"}],
        "instant_available": [{"amount": 1_234_500, "currency": "eur", "source_types": {"card": 1_234_500}}],
        "livemode": s.livemode,
        "pending": [{"amount": 56_000, "currency": "eur", "source_types": {"card": 56_000}}],
    }


def transfer(s: Sketch) -> dict[str, Json]:
    """€180.00 to a connected account; taken back where the event says so."""
    reversed_ = s.action == "reversed"
    found = s.object(
        "transfer",
        "tr",
        aged=3 * DAY,
        amount=18_000,
        amount_reversed=18_000 if reversed_ else 0,
        balance_transaction=s.id("txn"),
        currency="eur",
        description="Order 6735",
        destination=s.account,
        destination_payment=s.id("py"),
        metadata={"order": "6735"},
        reversed=reversed_,
        source_transaction=s.id("ch"),
        source_type="card",
        transfer_group="ORDER_6735",
    )
    reversals = empty_list(f"/v1/transfers/{found['id']}/reversals")
    if reversed_:
        reversals |= {"total_count": 1, "data": [_reversal(s, found)]}
    return {**found, "reversals": reversals}


def _reversal(s: Sketch, of: dict[str, Json]) -> dict[str, Json]:
    return {
        "id": s.id("trr"),
        "object": "transfer_reversal",
        "amount": of["amount"],
        "balance_transaction": s.id("txn"),
        "created": s.created,
        "currency": of["currency"],
        "destination_payment_refund": s.id("pyr"),
        "metadata": {},
        "source_refund": None,
        "transfer": of["id"],
    }


def topup(s: Sketch) -> dict[str, Json]:
    """€25,000.00 pulled from the platform's bank account."""
    failed = s.action == "failed"
    return s.object(
        "topup",
        "tu",
        aged=DAY,
        amount=2_500_000,
        balance_transaction=None if failed else s.id("txn"),
        currency="eur",
        description="Weekly top-up for seller payouts",
        expected_availability_date=s.created + 2 * DAY,
        failure_code="insufficient_funds" if failed else None,
        failure_message="The bank account has insufficient funds." if failed else None,
        metadata={},
        source=None,
        statement_descriptor="Top-up",
        status="pending" if s.action == "created" else s.action,
        transfer_group=None,
    )


def application_fee(s: Sketch) -> dict[str, Json]:
    """A fee of €12.60 that the platform took of a charge."""
    refunded = s.action == "refunded"
    found = s.object(
        "application_fee",
        "fee",
        aged=DAY,
        account=s.account,
        amount=1_260,
        amount_refunded=1_260 if refunded else 0,
        application=s.id("ca", 30),
        balance_transaction=s.id("txn"),
        charge=s.id("ch"),
        currency="eur",
        fee_source={"type": "charge", "charge": s.id("ch")},
        originating_transaction=None,
        refunded=refunded,
    )
    return {**found, "refunds": empty_list(f"/v1/application_fees/{found['id']}/refunds")}


def fee_refund(s: Sketch) -> dict[str, Json]:
    """The refund of a fee."""
    found = s.object("fee_refund", "fr", amount=1_260, balance_transaction=s.id("txn"), currency="eur", fee=s.id("fee"))
    return {**{key: value for key, value in found.items() if key != "livemode"}, "metadata": {}}


def reserve_hold(s: Sketch) -> dict[str, Json]:
    """€1,500.00 that Stripe holds back for 30 days."""
    return s.object(
        "reserve.hold",
        "rsvhd",
        amount=150_000,
        amount_releasable=0,
        created_by="stripe",
        currency="eur",
        destination="risk_reserved",
        is_releasable=False,
        metadata={},
        reason="standalone",
        release_details=[],
        release_schedule={"release_after": s.created + 30 * DAY, "scheduled_release": s.created + 30 * DAY},
        reserve_plan=None,
        source_charge=None,
        source_type="card",
    )


def reserve_plan(s: Sketch) -> dict[str, Json]:
    """A rolling reserve of 10% for 30 days."""
    ended = s.action in ("disabled", "expired")
    return s.object(
        "reserve.plan",
        "rsvpl",
        aged=HOUR,
        created_by="stripe",
        currency=None,
        destination="risk_reserved",
        disabled_at=s.created if s.action == "disabled" else None,
        fixed_release=None,
        manual_release=None,
        metadata={},
        percent=10,
        rolling_release={"days_after_charge": 30, "expires_on": s.created + 180 * DAY},
        status=s.action if ended else "active",
        type="rolling_release",
    )


def reserve_release(s: Sketch) -> dict[str, Json]:
    """€1,500.00 given back."""
    return s.object(
        "reserve.release",
        "rsvrls",
        amount=150_000,
        created_by="stripe",
        currency="eur",
        destination="payments",
        metadata={},
        reason="hold_expired",
        released_at=s.created,
        reserve_hold=s.id("rsvhd"),
        reserve_plan=None,
        source_transaction=None,
    )
