"""The table of operations: held to the SDK, and strict about what becomes a path."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DestinationError
from engine.stripe_api.operations import (
    checked_path,
    is_write,
    nearest,
    operation,
    operations,
    operations_of_sdk,
    problem,
)


def test_the_table_is_that_of_the_installed_sdk() -> None:
    """Made anew with `python -m engine.stripe_api.operations > engine/stripe_api/operations.tsv`."""
    assert list(operations().values()) == list(operations_of_sdk())


def test_looking_up_an_operation_does_not_import_stripe() -> None:
    code = "import sys; from engine.stripe_api.operations import operation; operation('payouts.retrieve'); " + (
        "sys.exit('stripe' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "method", "path", "ids"),
    [
        ("payouts.retrieve", "get", "/v1/payouts/{payout}", ("payout",)),
        ("v1.payouts.retrieve", "get", "/v1/payouts/{payout}", ("payout",)),
        ("accounts.update", "post", "/v1/accounts/{account}", ("account",)),
        ("refunds.create", "post", "/v1/refunds", ()),
        (
            "accounts.persons.delete",
            "delete",
            "/v1/accounts/{account}/persons/{person}",
            ("account", "person"),
        ),
        ("v2.core.accounts.retrieve", "get", "/v2/core/accounts/{id}", ("id",)),
        ("GET /v1/balance", "get", "/v1/balance", ()),
    ],
)
def test_an_operation_is_a_method_and_a_path(name: str, method: str, path: str, ids: tuple[str, ...]) -> None:
    found = operation(name)
    assert found is not None
    assert (found.method, found.path, found.ids) == (method, path, ids)
    assert found.is_write is (method != "get")
    assert is_write(name) is (method != "get")


def test_reads_and_writes_are_both_known() -> None:
    assert is_write("accounts.reject")
    assert not is_write("payouts.list")
    assert not is_write("no.such")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("payout.retrieve", "payouts.retrieve"),
        ("payouts.get", "payouts.retrieve"),
        ("account.update", "accounts.update"),
        ("refund.create", "refunds.create"),
        ("customers.remove", "customers.delete"),
        ("accounts.retreive", "accounts.retrieve"),
        ("v1.payout.fetch", "payouts.retrieve"),
        ("v2.core.account.retrieve", "v2.core.accounts.retrieve"),
    ],
)
def test_the_operation_that_was_meant_is_found(wrong: str, right: str) -> None:
    assert nearest(wrong) == right
    assert f"did you mean '{right}'?" in (problem(wrong) or "")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("POST /v1/refunds", "only reads"),
        ("delete /v1/customers/cus_1", "only reads"),
        ("GET v1/balance", "begins with /v1/"),
        ("GET https://api.stripe.com/v1/balance", "begins with /v1/"),
        ("GET //evil.test/v1/", "begins with /v1/"),
        ("GET /v1//balance", "between its slashes"),
        ("GET /v1/../v2/x", "between its slashes"),
        ("GET /v1/a/..", "between its slashes"),
        ("GET /v1/balance?x=1", "under with:"),
        ("GET /v1/balance#x", "under with:"),
        ("GET /v1/a%2f..", "between its slashes"),
        ("GET /v1/a b", "between its slashes"),
        ("GET /v3/x", "begins with /v1/"),
        ("GET /v1/", "between its slashes"),
    ],
)
def test_what_is_no_operation_says_what_to_write(name: str, says: str) -> None:
    assert operation(name) is None
    assert says in (problem(name) or "")


@pytest.mark.parametrize(
    "value", ["", "../x", "a/b", "a?b", "a#b", "a b", "a%2fb", "a\nb", "é", "x" * 256, 5, None, ["a"]]
)
def test_an_id_that_is_none_never_reaches_a_path(value: object) -> None:
    found = operation("payouts.retrieve")
    assert found is not None
    with pytest.raises(DestinationError, match="payout"):
        found.fill({"payout": value})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_a_filled_path_has_exactly_the_segments_of_its_operation(value: str) -> None:
    found = operation("accounts.persons.retrieve")
    assert found is not None
    try:
        path = found.fill({"account": "acct_1", "person": value})
    except DestinationError:
        return
    assert path == f"/v1/accounts/acct_1/persons/{value}"
    assert path.count("/") == 5
    assert not set(path) & set("?#%\\ .")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="/v1.aZ_-{}% ?#@:\\", max_size=20))
def test_a_checked_path_stays_under_the_api(rest: str) -> None:
    try:
        path = checked_path("/v1/" + rest)
    except DestinationError:
        return
    assert not set(path) & set("?#%\\ @:{}")
    assert ".." not in path
    assert "//" not in path
