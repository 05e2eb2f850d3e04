"""Where in Stripe's Dashboard an object is to be found."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

DASHBOARD = "https://dashboard.stripe.com"

# Which page shows an object, by the prefix of its id. What has no page of its own is found by the search page.
_PAGES = {
    "evt": "events",
    "po": "payouts",
    "pi": "payments",
    "ch": "payments",
    "py": "payments",
    "dp": "disputes",
    "du": "disputes",
    "re": "refunds",
    "pyr": "refunds",
    "tr": "connect/transfers",
    "tu": "topups",
    "cus": "customers",
    "in": "invoices",
    "sub": "subscriptions",
    "sub_sched": "subscription_schedules",
    "si": "subscriptions",
    "prod": "products",
    "price": "prices",
    "plink": "payment-links",
    "seti": "setup_intents",
    "qt": "quotes",
    "cn": "credit_notes",
    "txn": "balance",
    "ic": "issuing/cards",
    "ich": "issuing/cardholders",
    "iauth": "issuing/authorizations",
    "vs": "identity/verification-sessions",
    "we": "webhooks",
    "file": "files",
}

# Objects that are looked at through another: a person is on the page of its account, a fraud warning on its payment's.
_THROUGH = {
    "person": "account",
    "capability": "account",
    "bank_account": "account",
    "card": "account",
    "application": "account",
    "reserve.hold": "account",
    "reserve.plan": "account",
    "reserve.release": "account",
    "radar.early_fraud_warning": "charge",
    "review": "charge",
    "invoiceitem": "invoice",
    "subscription_item": "subscription",
}


def owner_of(event: Mapping[str, Any]) -> str | None:
    """The connected account that owns what an event is about: `account`, else the last of `context`; None for the
    platform's own."""
    for value in (event.get("account"), event.get("context")):
        if isinstance(value, str) and value:
            return value.rpartition("/")[2]
    return None


def url_of(target: Any, *, account: str | None, livemode: bool) -> str | None:
    """The Dashboard page of an object, an id, or an account; None when there is nothing to link to.

    `account` is the connected account that owns it, None for the platform's own.
    """
    if isinstance(target, Mapping):
        return _of_object(target, account, livemode)
    if isinstance(target, str) and target:
        return _of_id(target, account, livemode)
    return None


def _of_object(target: Mapping[str, Any], account: str | None, livemode: bool) -> str | None:
    kind = target.get("object")
    if kind == "balance":
        return _join(account, livemode, "balance/overview")
    if isinstance(kind, str) and kind in _THROUGH:
        through = _THROUGH[kind]
        owner = _id(target.get("payment_intent")) if through == "charge" else None
        owner = owner or _id(target.get(through))
        if owner:
            return _of_id(owner, account, livemode)
        if through == "account" and account:
            return account_url(account, livemode)
    found = _id(target)
    return _of_id(found, account, livemode) if found else None


def _of_id(identifier: str, account: str | None, livemode: bool) -> str:
    if identifier.startswith("acct_"):
        return account_url(identifier, livemode)
    prefix = identifier.rpartition("_")[0] or identifier
    page = _PAGES.get(prefix) or _PAGES.get(identifier.partition("_")[0])
    safe = quote(identifier[:255], safe="")
    return _join(account, livemode, f"{page}/{safe}" if page else f"search?query={safe}")


def account_url(account: str, livemode: bool) -> str:
    """The platform's page of a connected account."""
    return _join(None, livemode, f"connect/accounts/{quote(account[:255], safe='')}")


def _join(account: str | None, livemode: bool, rest: str) -> str:
    owner = [quote(account[:255], safe="")] if account else []
    return "/".join([DASHBOARD, *owner, *([] if livemode else ["test"]), rest])


def _id(value: Any) -> str | None:
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and found else None
