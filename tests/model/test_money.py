"""Money is Stripe's minor units; how many decimals they have is Stripe's to say."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.money import (
    CURRENCIES,
    THREE_DECIMAL,
    ZERO_DECIMAL,
    decimals,
    format_money,
    major_units,
    minor_units,
    money_text,
)


@pytest.mark.parametrize(
    ("minor", "currency", "coded", "shown"),
    [
        (42_000, "eur", "420.00 EUR", "€420.00"),
        (500, "USD", "5.00 USD", "$5.00"),
        (123_456_789, "gbp", "1,234,567.89 GBP", "£1,234,567.89"),
        (75_000, "jpy", "75,000 JPY", "¥75,000"),
        (5_120, "kwd", "5.120 KWD", "5.120 KWD"),
        (1_200, "cad", "12.00 CAD", "CA$12.00"),
        (123_450, "chf", "1,234.50 CHF", "1,234.50 CHF"),
        (-310, "gbp", "-3.10 GBP", "-£3.10"),
        (0, "usd", "0.00 USD", "$0.00"),
        (5, "xyz", "0.05 XYZ", "0.05 XYZ"),
        (Decimal("0.5"), "usd", "0.005 USD", "$0.005"),
        (10**40, "usd", f"100{',000' * 12}.00 USD", f"$100{',000' * 12}.00"),
    ],
)
def test_amounts_read_as_people_write_them(minor: int | Decimal, currency: str, coded: str, shown: str) -> None:
    """Grouped, with the currency's own decimals, exact beyond the decimal context's 28 digits."""
    assert format_money(minor, currency) == coded
    assert money_text(minor, currency) == shown


@pytest.mark.parametrize("currency", ["isk", "ugx"])
def test_isk_and_ugx_are_sent_with_two_decimals_and_shown_without(currency: str) -> None:
    """Stripe, "Special cases": to charge 5 ISK, the amount is 500."""
    assert minor_units(Decimal(5), currency) == 500
    assert format_money(500, currency) == f"5 {currency.upper()}"
    assert format_money(550, currency) == f"5.50 {currency.upper()}"


@pytest.mark.parametrize("currency", ["huf", "twd"])
def test_huf_and_twd_are_ordinary_outside_payouts(currency: str) -> None:
    """They are zero-decimal for payouts alone, where amounts are still two-decimal and divisible by 100."""
    assert minor_units(Decimal("10.45"), currency) == 1045


def test_an_amount_finer_than_its_currency_is_refused_with_the_reason() -> None:
    """A rule that says `500.5 JPY` has a mistake in it."""
    with pytest.raises(ValueError, match=r"JPY has no decimals, so 500\.5 JPY is not an amount"):
        minor_units(Decimal("500.5"), "jpy")
    with pytest.raises(ValueError, match="USD has two decimals"):
        minor_units(Decimal("5.125"), "usd")
    assert minor_units(Decimal("500.0"), "jpy") == 500
    assert minor_units(Decimal("5.125"), "bhd") == 5125


@pytest.mark.parametrize("amount", ["1e999999999", "Infinity", "NaN"])
def test_an_absurd_amount_is_refused_before_it_becomes_an_integer(amount: str) -> None:
    """`1e999999999 USD` in a rule must not fill the memory."""
    with pytest.raises(ValueError, match=r"more money than there is|finite"):
        minor_units(Decimal(amount), "usd")


def test_the_lists_are_of_known_currencies_and_apart() -> None:
    """A code in two lists would have two scales."""
    assert ZERO_DECIMAL < CURRENCIES
    assert THREE_DECIMAL < CURRENCIES
    assert not ZERO_DECIMAL & THREE_DECIMAL
    assert {decimals(code) for code in CURRENCIES} == {0, 2, 3}


@given(st.integers(min_value=-(10**30), max_value=10**30), st.sampled_from(sorted(CURRENCIES)))
def test_minor_and_major_units_are_inverse(minor: int, currency: str) -> None:
    """No amount is changed by going there and back."""
    assert minor_units(major_units(minor, currency), currency) == minor


@given(st.integers(min_value=-(10**30), max_value=10**30), st.sampled_from(sorted(CURRENCIES)))
def test_a_written_amount_reads_back_exactly(minor: int, currency: str) -> None:
    """What is shown is the amount, not a rounding of it."""
    number, code = format_money(minor, currency).split(" ")
    assert minor_units(Decimal(number.replace(",", "")), code) == minor
