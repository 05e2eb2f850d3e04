"""Where an object of Stripe is read, and on whose behalf: for what rules want before they are judged."""

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import SplitResult, parse_qs, urlsplit

from engine.errors import DestinationError
from engine.model.event import Event, Json, Scope
from engine.model.fetch import ACCOUNT, ID, at, included
from engine.model.schema import Kind, field_at
from engine.stripe_api.client import Call
from engine.stripe_api.operations import Operation, checked_id, checked_path, operations

_CONTEXT = re.compile(r"[A-Za-z0-9_]{1,255}(/[A-Za-z0-9_]{1,255})?")
_PREFIXES = {
    "acct_": "account", "ch_": "charge", "py_": "charge", "pi_": "payment_intent", "cus_": "customer",
    "po_": "payout", "re_": "refund", "pyr_": "refund", "txn_": "balance_transaction", "in_": "invoice",
    "sub_": "subscription", "dp_": "dispute", "du_": "dispute", "tr_": "transfer", "pm_": "payment_method",
    "seti_": "setup_intent", "src_": "source", "fee_": "application_fee", "cs_": "checkout.session",
}  # fmt: skip
"""What an id is of, where its field is not known."""


def read_call(event: Event, need: str) -> Call:
    """The request that reads what `engine.model.fetch` calls `need`. Raises DestinationError where none does."""
    if need == ACCOUNT:
        call = _get(f"/v1/accounts/{checked_id('the account', event.account)}", ())
    else:
        call = _of_id(event, need.removeprefix(ID)) if need.startswith(ID) else _of_object(event, included(need))
    account, context = _who(event, call.path)
    return replace(call, account=account, context=context)


def _of_object(event: Event, include: tuple[str, ...]) -> Call:
    related = event.data.get("related_object")
    if isinstance(related, Mapping):
        parts = _split(related.get("url"))
        if parts is None or parts.scheme or parts.netloc or not parts.path:
            raise DestinationError("the event does not say where its object is read")
        own = (names for key, names in parse_qs(parts.query).items() if key.startswith("include"))
        return _get(checked_path(parts.path), include or tuple(name for names in own for name in names))
    if event.object is None or event.object_id is None or event.object_type is None:
        raise DestinationError("the event has no object that could be read")
    return _get(_path_of(event.object_type, event.object_id, event), include)


def _split(url: Json) -> SplitResult | None:
    try:
        return urlsplit(url) if isinstance(url, str) else None
    except ValueError:  # brackets that are no IPv6 address
        return None


def _of_id(event: Event, path: str) -> Call:
    value = at(event.object, path)
    field = field_at(event.object_type or "", path)
    kinds = field.of if field is not None and field.kind is Kind.ID else ()
    kind = kinds[0] if len(kinds) == 1 else _kind_of(value)
    if kind is None:
        raise DestinationError(f"what {path} is the id of is not known")
    return _get(_path_of(kind, value, event), ())


def _kind_of(value: Json) -> str | None:
    prefix = value.partition("_")[0] + "_" if isinstance(value, str) else ""
    return _PREFIXES.get(prefix)


def _get(path: str, include: tuple[str, ...]) -> Call:
    return Call(method="get", path=path, params={"include": list(include)} if include else {})


def _path_of(kind: str, value: Json, event: Event) -> str:
    found = retrieval(kind)
    if found is None:
        raise DestinationError(f"Stripe has no way to read a {kind} by its id")
    ids: dict[str, Json] = {found.ids[-1]: value}
    if len(found.ids) == 2:
        ids[found.ids[0]] = (event.object or {}).get("account") or event.account
    return found.fill(ids)


def retrieval(kind: str) -> Operation | None:
    """The operation that reads an object of that type (`payout`, `checkout.session`, `person`) by its id."""
    head, _, last = kind.rpartition(".")
    before = f"{head}." if head else ""
    plurals = [f"{last}s", f"{last}es", f"{last[:-1]}ies"] if last.endswith("y") else [f"{last}s", f"{last}es"]
    for plural in plurals:
        for name in (f"{before}{plural}.retrieve", f"accounts.{plural}.retrieve"):
            found = operations().get(name)
            if found is not None and len(found.ids) in (1, 2):
                return found
    return None


def _who(event: Event, path: str) -> tuple[str | None, str | None]:
    """The account and the context of a call: in the account of the event, but on an account itself as the platform."""
    context = event.context if event.scope is Scope.ORGANIZATION else None
    if event.scope is Scope.ORGANIZATION and (context is None or not _CONTEXT.fullmatch(context)):
        raise DestinationError("this organization event has no context, so there is no account to read in")
    own = tuple(f"{accounts}/{event.account}" for accounts in ("/v1/accounts", "/v2/core/accounts"))
    if event.account is None or path in own or path.startswith(tuple(f"{each}/" for each in own)):
        return None, context.partition("/")[0] if context else None
    if context is not None:
        return None, context
    acting = checked_id("the event's account", event.account)
    return (None, acting) if path.startswith("/v2/") else (acting, None)
