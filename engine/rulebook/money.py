"""Money as rules write it: `500 USD`."""

import re
from decimal import Decimal

from engine.model.condition import Money
from engine.model.money import CURRENCIES, minor_units
from engine.rulebook.findings import Findings
from engine.source import Scalar, nearest

MONEY = re.compile(r"([-+]?\d{1,24}(?:\.\d{1,6})?) ([A-Za-z]{3,4})", re.ASCII)
_ALMOST = re.compile(
    r"(?P<before>[A-Za-z]{3,4}|[$€£¥])?\s*(?P<amount>[-+]?\d[\d,_' ]*(?:\.\d+)?)\s*(?P<after>[A-Za-z]{3,4}|[$€£¥])?",
    re.ASCII,
)
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}


def looks_like_money(text: str) -> bool:
    """Whether a text is money as the language writes it."""
    return MONEY.fullmatch(text) is not None


def read_money(found: Findings, node: Scalar) -> Money | None:
    """The money of a text that `looks_like_money`; None, and a mistake, for more decimals than the currency has."""
    matched = MONEY.fullmatch(node.text)
    assert matched is not None
    amount, currency = Decimal(matched[1]), matched[2]
    try:
        minor = minor_units(amount, currency)
    except ValueError as error:
        return found.error("money", node, str(error))
    if currency.upper() not in CURRENCIES:
        near = nearest(currency.upper(), CURRENCIES)
        hint = f"did you mean '{near}'?" if near else None
        found.warn("money", node, f"Stripe is not known to have the currency {currency.upper()}", hint)
    return Money(amount=amount, currency=currency.lower(), minor=minor)


def better_money(text: str) -> str | None:
    """How to write what was probably meant as money: `$1,000` is `1000 USD`; None where it was not."""
    matched = _ALMOST.fullmatch(text.strip())
    if matched is None:
        return None
    unit = matched["after"] or matched["before"]
    if unit is None or (matched["after"] and matched["before"]):
        return None
    return f"{re.sub(r'[,_ ]|[^-+.0-9]', '', matched['amount'])} {_SIGNS.get(unit, unit.upper())}"
