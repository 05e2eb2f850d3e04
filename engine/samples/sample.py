"""A plausible event of any type, in either payload shape."""

import copy
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from engine.model.catalog import TypeInfo, catalog
from engine.model.event import Json, Payload, Scope
from engine.samples import accounts, billing, money, payments
from engine.samples.others import other
from engine.samples.paths import assign
from engine.samples.sketch import Ids, Sketch

API_VERSION = "2026-10-28.endive"

Builder = Callable[[Sketch], dict[str, Json]]

BUILDERS: dict[str, Builder] = {
    "account": accounts.account,
    "application": accounts.application,
    "application_fee": money.application_fee,
    "balance": money.balance,
    "bank_account": accounts.bank_account,
    "capability": accounts.capability,
    "card": accounts.card,
    "charge": payments.charge,
    "checkout.session": billing.checkout_session,
    "customer": billing.customer,
    "dispute": payments.dispute,
    "fee_refund": money.fee_refund,
    "invoice": billing.invoice,
    "payment_intent": payments.payment_intent,
    "payout": money.payout,
    "person": accounts.person,
    "price": billing.price,
    "radar.early_fraud_warning": payments.early_fraud_warning,
    "refund": payments.refund,
    "reserve.hold": money.reserve_hold,
    "reserve.plan": money.reserve_plan,
    "reserve.release": money.reserve_release,
    "review": payments.review,
    "subscription": billing.subscription,
    "topup": money.topup,
    "transfer": money.transfer,
}

_BEFORE: dict[str, dict[str, Json]] = {
    "account.external_account.updated": accounts.BANK_ACCOUNT_BEFORE,
    "account.updated": accounts.ACCOUNT_BEFORE,
    "capability.updated": accounts.CAPABILITY_BEFORE,
    "charge.dispute.updated": {"status": "needs_response", "evidence_details": {"has_evidence": False}},
    "customer.updated": {"email": "kai.brandt@old.example"},
    "payout.updated": {"status": "pending"},
    "person.updated": accounts.PERSON_BEFORE,
    "transfer.updated": {"description": None},
}

# Events of these kinds always concern a connected account.
_OF_ACCOUNTS = ("account.", "capability.", "person.")


def sample(
    type: str,  # noqa: A002 (Stripe's word)
    *,
    account: str | None = None,
    livemode: bool = False,
    scope: Scope | None = None,
    set: Mapping[str, Json] | None = None,  # noqa: A002 (the word of a rule's tests)
    previous: Mapping[str, Json] | None = None,
    created: int | None = None,
    id: str | None = None,  # noqa: A002 (Stripe's word)
) -> dict[str, Json]:
    """The root of an event of that type as Stripe would send it: a snapshot, or a thin event for `v1.` and `v2.` types.

    - `account`: the connected account; left out, one is made up where `scope` is connected or the type is about
      accounts (`account.*`, `person.*`, `capability.*`), and the event is the platform's own otherwise;
    - `scope` platform: no `account`, even for those types; organization: as a context (thin events alone);
    - `set`: paths of the object (of a thin event: of its root) to JSON values; `$.` starts at the root;
    - `previous`: previous_attributes in place of the sample's own (thin: `changes.before`);
    - `created`: epoch seconds, left out: now; `id`: left out: a new one. All else follows from these two, so the same
      arguments give the same event.

    A type that is not in the catalog gets a small object of its own making. Raises ValueError for a path of `set`
    that does not fit.
    """
    event_id = id or f"evt_1S{secrets.token_hex(11)}"
    when = int(time.time()) if created is None else created
    info = catalog().get(type) or _unknown(type)
    ids = Ids(event_id)
    about = account or (ids.new("acct", 16) if _is_of_account(info, scope) else None)
    sketch = Sketch(type=info.base_type, created=when, livemode=livemode, account=about or ids.new("acct", 16), ids=ids)
    if info.payload is Payload.THIN:
        root = _thin(info, event_id, sketch, account if account else about, scope)
        start = root
    else:
        root = _snapshot(info, event_id, sketch, about if scope is not Scope.PLATFORM else None, previous)
        start = root["data"]["object"]
    if info.payload is Payload.THIN and previous is not None:
        root["changes"] = {"before": copy.deepcopy(dict(previous))}
    for path, value in (set or {}).items():
        whole = path.startswith("$.")
        assign(root if whole else start, path[2:] if whole else path, copy.deepcopy(value))
    return root


def sample_object(kind: str, *, like: Mapping[str, Json]) -> dict[str, Json] | None:
    """An object as Stripe would return it for the event with that root (its time, mode and account); None for a kind
    that has no sample."""
    builder = BUILDERS.get(kind)
    if builder is None:
        return None
    ids = Ids(f"{like.get('id')}/{kind}")
    created, account = like.get("created"), like.get("account")
    return builder(
        Sketch(
            type=f"{kind}.created",
            created=created if isinstance(created, int) else int(time.time()),
            livemode=like.get("livemode") is True,
            account=account if isinstance(account, str) else ids.new("acct", 16),
            ids=ids,
        )
    )


def known_types() -> Mapping[str, TypeInfo]:
    """Every type that has a sample made for it: the catalog."""
    return catalog()


def _unknown(type_: str) -> TypeInfo:
    payload = Payload.THIN if type_.startswith(("v1.", "v2.")) else Payload.SNAPSHOT
    return TypeInfo(payload=payload, type=type_, object=type_.removeprefix("v1.").rpartition(".")[0] or type_)


def _is_of_account(info: TypeInfo, scope: Scope | None) -> bool:
    return scope is Scope.CONNECTED or info.base_type.startswith(_OF_ACCOUNTS)


def _object(info: TypeInfo, sketch: Sketch) -> dict[str, Json]:
    kind = info.objects[0] if info.objects else ""
    if info.type.startswith("customer.source."):
        kind = "card"
    builder = BUILDERS.get(kind)
    return builder(sketch) if builder is not None else other(sketch, kind)


def _snapshot(
    info: TypeInfo, event_id: str, sketch: Sketch, account: str | None, previous: Mapping[str, Json] | None
) -> dict[str, Json]:
    found = copy.deepcopy(_object(info, sketch))
    data: dict[str, Json] = {"object": found}
    if previous is not None:
        data["previous_attributes"] = copy.deepcopy(dict(previous))
    elif sketch.action == "updated":
        data["previous_attributes"] = copy.deepcopy(_BEFORE.get(info.type) or _renamed(found))
    root: dict[str, Json] = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": sketch.created,
        "data": data,
        "livemode": sketch.livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": info.type,
    }
    return {**root, "account": account} if account else root


def _renamed(found: dict[str, Json]) -> dict[str, Json]:
    """A change that any object may have had: a key was added to its metadata."""
    found["metadata"] = {**(found.get("metadata") or {}), "note": "seen"}
    return {"metadata": {"note": None}}


# Ids and addresses of what thin events point at, where they do not follow from the object's name.
_RELATED = {
    "v2.core.account": ("acct", "/v2/core/accounts"),
    "v2.core.account_person": ("person", "/v2/core/accounts/{account}/persons"),
    "v2.core.event_destination": ("ed", "/v2/core/event_destinations"),
    "account": ("acct", "/v1/accounts"),
}


def _thin(info: TypeInfo, event_id: str, sketch: Sketch, account: str | None, scope: Scope | None) -> dict[str, Json]:
    moment = datetime.fromtimestamp(sketch.created, UTC)
    own = info.object.startswith("v2.core.account") and scope in (None, Scope.PLATFORM)
    context = account if account and not own and scope is not Scope.PLATFORM else None
    if scope is Scope.ORGANIZATION:
        context = f"{sketch.id('acct', 16)}/{account}" if account else sketch.id("acct", 16)
    root: dict[str, Json] = {
        "id": event_id,
        "object": "v2.core.event",
        "type": info.type,
        "livemode": sketch.livemode,
        "created": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "context": context,
        "reason": {"type": "request", "request": {"id": sketch.id("req", 14), "idempotency_key": sketch.id("idem")}},
    }
    if info.object:
        root["related_object"] = _related(info, sketch, account)
    if info.type.startswith("v1.") and info.base_type in catalog():
        root["snapshot_event"] = sketch.id("evt")
    return root


def _related(info: TypeInfo, sketch: Sketch, account: str | None) -> dict[str, Json]:
    kind = info.objects[0]
    if kind in _RELATED:
        prefix, url = _RELATED[kind]
        about = (account or sketch.account) if prefix == "acct" else sketch.id(prefix)
        return {"id": about, "type": kind, "url": f"{url.format(account=account or sketch.account)}/{about}"}
    if kind.startswith("v2."):
        about = sketch.id(kind.rpartition(".")[2][:8].rstrip("_"))
        return {"id": about, "type": kind, "url": f"/v2/{'/'.join(kind.split('.')[1:])}s/{about}"}
    found = _object(info, sketch)
    about = str(found.get("id") or sketch.id("obj"))
    return {"id": about, "type": kind, "url": f"/v1/{kind.replace('.', '/')}s/{about}"}
