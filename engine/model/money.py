"""Money as Stripe writes it: integer minor units and a currency, and the two ways people read it.

How many decimals an amount has on the wire is Stripe's to say, not ISO 4217's
(https://docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies", "Special cases"):

- zero decimals: the list below, where `500` is ¥500;
- three decimals: BHD JOD KWD OMR TND, where `5120` is 5.120 KWD (charges end in 0, balances need not);
- ISK and UGX have no coins any more, but for compatibility their amounts are still sent with two decimals that are
  always 00: `500` is 5 ISK. UGX is in Stripe's zero-decimal list *and* here; the special case is what the API does;
- HUF and TWD are ordinary two-decimal amounts; only payouts of them must be whole (divisible by 100);
- every other currency, known or not: two decimals.
"""

from decimal import Decimal


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


ZERO_DECIMAL = _codes("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
THREE_DECIMAL = _codes("BHD JOD KWD OMR TND")
WHOLE_IN_PRACTICE = frozenset({"ISK", "UGX"})
"""Two decimals on the wire, always 00: shown without them."""

CURRENCIES = _codes(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP "
    "CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS "
    "INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK "
    "MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP "
    "SLE SOS SRD STD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD USDC UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER "
    "ZAR ZMW"
)
"""Codes Stripe is known to use, for did-you-mean; an unknown one is not a mistake (Stripe adds them)."""

_LARGEST_POWER = 30  # `1e999999999 USD` must not become an integer of a gigabyte

_SYMBOLS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "KRW": "₩",
    "ILS": "₪",
    "PHP": "₱",
    "VND": "₫",
    "BRL": "R$",
    "AUD": "A$",
    "CAD": "CA$",
    "HKD": "HK$",
    "MXN": "MX$",
    "NZD": "NZ$",
    "TWD": "NT$",
    "CNY": "CN¥",
}


def decimals(currency: str) -> int:
    """How many decimals Stripe's integer amounts of that currency have (any case): 0, 2 or 3; 2 where unknown."""
    code = currency.upper()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def major_units(minor: int | Decimal, currency: str) -> Decimal:
    """The exact amount in major units: `major_units(5120, "kwd")` is `Decimal("5.120")`."""
    # Not scaleb: it rounds to the context's 28 digits, and a hostile amount may have more.
    sign, digits, exponent = Decimal(minor).as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("an amount is a finite number")
    return Decimal((sign, digits, exponent - decimals(currency)))


def minor_units(major: Decimal, currency: str) -> int:
    """The integer Stripe uses for an amount in major units: `minor_units(Decimal("5.12"), "usd")` is 512.

    Raises ValueError, with a message for people, when the amount has more decimals than the currency.
    """
    places = decimals(currency)
    sign, digits, exponent = major.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("an amount is a finite number")
    if major and major.adjusted() > _LARGEST_POWER:
        raise ValueError("that is more money than there is")
    minor = Decimal((sign, digits, exponent + places))
    if minor != minor.to_integral_value():
        allowed = {0: "no decimals", 2: "two decimals", 3: "three decimals"}[places]
        raise ValueError(f"{currency.upper()} has {allowed}, so {major} {currency.upper()} is not an amount")
    return int(minor)


def format_money(minor: int | Decimal, currency: str) -> str:
    """An amount with its ISO code, as rules write it and `explain` shows it: `1,234.56 EUR`, `75,000 JPY`, `5 ISK`."""
    return f"{_number(minor, currency)} {currency.upper()}"


def money_text(minor: int | Decimal, currency: str) -> str:
    """An amount as alerts show it: with a sign where that is unambiguous in English, else with its code.

    `€1,234.56`, `$5.00`, `¥75,000`, `CA$12.00`, `-£3.10`, `1,234.50 CHF`: a bare `$` is always US dollars and a bare
    `¥` always yen, so a reader anywhere is right about the amount.
    """
    symbol = _SYMBOLS.get(currency.upper())
    if symbol is None:
        return format_money(minor, currency)
    number = _number(minor, currency)
    return f"-{symbol}{number[1:]}" if number.startswith("-") else f"{symbol}{number}"


def _number(minor: int | Decimal, currency: str) -> str:
    major = major_units(minor, currency)
    whole = currency.upper() in WHOLE_IN_PRACTICE and major == major.to_integral_value()
    places = 0 if whole else max(decimals(currency), -int(major.as_tuple().exponent))
    return f"{major:,.{places}f}"
