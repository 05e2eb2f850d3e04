"""Sample accounts, and what hangs on them: persons, capabilities, external accounts, the platform's application."""

from engine.model.event import Json
from engine.samples.sketch import DAY, Sketch, empty_list

_NOTHING_DUE: dict[str, Json] = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
# Persons have no deadline of their own: the account's counts.
_NO_PERSON_DUE = {key: due for key, due in _NOTHING_DUE.items() if key not in ("current_deadline", "disabled_reason")}


def account(s: Sketch) -> dict[str, Json]:
    """A German company whose payouts Stripe has just switched off because a document is overdue."""
    past_due = ["individual.verification.document"]
    return {
        "id": s.account,
        "object": "account",
        "business_profile": {
            "mcc": "5812",
            "name": "Nordwind Coffee GmbH",
            "product_description": "Coffee and pastries",
            "support_email": "hello@nordwind.example",
            "url": "https://nordwind.example",
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "inactive"},
        "charges_enabled": True,
        "controller": {
            "type": "application",
            "is_controller": True,
            "fees": {"payer": "application"},
            "losses": {"payments": "application"},
            "requirement_collection": "stripe",
            "stripe_dashboard": {"type": "express"},
        },
        "country": "DE",
        "created": s.created - 200 * DAY,
        "default_currency": "eur",
        "details_submitted": True,
        "email": "finance@nordwind.example",
        "external_accounts": {
            **empty_list(f"/v1/accounts/{s.account}/external_accounts"),
            "data": [bank_account(s)],
            "total_count": 1,
        },
        "future_requirements": dict(_NOTHING_DUE),
        "metadata": {},
        "payouts_enabled": False,
        "requirements": {
            **_NOTHING_DUE,
            "current_deadline": s.created - DAY,
            "currently_due": past_due,
            "disabled_reason": "requirements.past_due",
            "errors": [
                {
                    "code": "verification_document_expired",
                    "reason": "The document has expired. Upload one that is still valid.",
                    "requirement": past_due[0],
                }
            ],
            "eventually_due": past_due,
            "past_due": past_due,
        },
        "settings": {
            "dashboard": {"display_name": "Nordwind Coffee", "timezone": "Europe/Berlin"},
            "payouts": {
                "debit_negative_balances": True,
                "schedule": {"delay_days": 7, "interval": "daily"},
                "statement_descriptor": None,
            },
        },
        "tos_acceptance": {"date": s.created - 200 * DAY},
        "type": "express",
    }


ACCOUNT_BEFORE: dict[str, Json] = {
    "capabilities": {"transfers": "active"},
    "payouts_enabled": True,
    "requirements": {"current_deadline": None, "disabled_reason": None, "errors": [], "past_due": []},
}
"""What changed about the sample account."""


def person(s: Sketch) -> dict[str, Json]:
    """A director whose document Stripe could not accept."""
    return {
        "id": s.id("person"),
        "object": "person",
        "account": s.account,
        "address": {
            "city": "Hamburg",
            "country": "DE",
            "line1": "Speicherstadt 4",
            "line2": None,
            "postal_code": "20457",
            "state": None,
        },
        "created": s.created - 30 * DAY,
        "dob": {"day": 9, "month": 4, "year": 1984},
        "email": "mara.lindt@nordwind.example",
        "first_name": "Mara",
        "future_requirements": dict(_NO_PERSON_DUE),
        "id_number_provided": False,
        "last_name": "Lindt",
        "metadata": {},
        "phone": "+4940555000",
        "relationship": {
            "director": True,
            "executive": True,
            "owner": True,
            "percent_ownership": 60.0,
            "representative": True,
            "title": "CEO",
        },
        "requirements": {
            **_NO_PERSON_DUE,
            "currently_due": ["verification.document"],
        },
        "verification": {
            "additional_document": {"back": None, "details": None, "details_code": None, "front": None},
            "details": "The document was not readable. Upload a sharper picture of it.",
            "details_code": "document_not_readable",
            "document": {
                "back": None,
                "details": "The document was not readable. Upload a sharper picture of it.",
                "details_code": "document_not_readable",
                "front": s.id("file"),
            },
            "status": "unverified",
        },
    }


PERSON_BEFORE: dict[str, Json] = {
    "requirements": {"currently_due": [], "pending_verification": ["verification.document"]},
    "verification": {
        "details": None,
        "details_code": None,
        "document": {"details": None, "details_code": None},
        "status": "pending",
    },
}


def capability(s: Sketch) -> dict[str, Json]:
    """Card payments, just lost for a missing document."""
    due = ["individual.verification.document"]
    return {
        "id": "card_payments",
        "object": "capability",
        "account": s.account,
        "future_requirements": dict(_NOTHING_DUE),
        "requested": True,
        "requested_at": s.created - 200 * DAY,
        "requirements": {
            **_NOTHING_DUE,
            "current_deadline": s.created - DAY,
            "currently_due": due,
            "disabled_reason": "requirements.fields_needed",
            "eventually_due": due,
            "past_due": due,
        },
        "status": "inactive",
    }


CAPABILITY_BEFORE: dict[str, Json] = {
    "requirements": {"current_deadline": None, "currently_due": [], "disabled_reason": None, "past_due": []},
    "status": "active",
}


def bank_account(s: Sketch) -> dict[str, Json]:
    """A bank account; errored where the event says that it changed."""
    errored = s.type == "account.external_account.updated"
    return {
        "id": s.id("ba"),
        "object": "bank_account",
        "account": s.account,
        "account_holder_name": "Nordwind Coffee GmbH",
        "account_holder_type": "company",
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "HAMBURG EXAMPLE BANK",
        "country": "DE",
        "currency": "eur",
        "default_for_currency": True,
        "fingerprint": s.id("fp", 16).removeprefix("fp_"),
        "future_requirements": {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []},
        "last4": "3000",
        "metadata": {},
        "requirements": {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []},
        "routing_number": "20010020",
        "status": "errored" if errored else "new",
        **({"deleted": True} if s.type == "account.external_account.deleted" else {}),
    }


BANK_ACCOUNT_BEFORE: dict[str, Json] = {"status": "verified"}


def card(s: Sketch) -> dict[str, Json]:
    """A debit card."""
    return {
        "id": s.id("card"),
        "object": "card",
        "brand": "Visa",
        "country": "DE",
        "cvc_check": "pass",
        "dynamic_last4": None,
        "exp_month": 11,
        "exp_year": 2029,
        "fingerprint": s.id("fp", 16).removeprefix("fp_"),
        "funding": "debit",
        "last4": "5556",
        "metadata": {},
        "name": None,
        "tokenization_method": None,
    }


def application(s: Sketch) -> dict[str, Json]:
    """The platform's application, which is all that an (dis)connection event carries."""
    return {"id": s.id("ca", 30), "object": "application", "name": "Marketplace Example"}
