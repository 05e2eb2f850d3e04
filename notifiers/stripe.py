"""The `stripe` verb: an operation of Stripe's API, as the account that the event is about.

Who acts: an operation *on* the account itself (`accounts.update`, `accounts.persons.list`, `v2.core.accounts.*` with
the event's account as its id) is the platform's to make, as Stripe has it: the account is in the path. Everything else
is made *in* the account: `Stripe-Account` for v1, `Stripe-Context` for v2 and for organization endpoints, whose keys
need it on every call. `as: platform` makes any call without the account, `as: account` always with it.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from engine.errors import DestinationError
from engine.model.delivery import Delivery
from engine.model.event import Event, Json, Scope
from engine.model.outcome import Delivered, Held, Outcome, Refused, Retry, Scene
from engine.model.rule import Step, Verb
from engine.render import render_text, render_value
from engine.settings import AllowedWrite, Endpoint, StripeSettings
from engine.source import format_duration
from engine.stripe_api.client import Call, Failure, StripeApi, Success
from engine.stripe_api.operations import Operation, checked_id, checked_path, operation, problem

KEY_LIFE = timedelta(hours=23)
"""Stripe forgets idempotency keys after 24 hours; a write is not repeated when its key may be forgotten."""

MAX_RESULT = 64 * 1024
"""Bytes of a result, as JSON, that are kept for other steps."""

AS = ("account", "platform")

_MODE = re.compile(r"[sr]k_(?:org_)?(live|test)_")
_CONTEXT = re.compile(r"[A-Za-z0-9_]{1,255}(/[A-Za-z0-9_]{1,255})?")


class Claim(Protocol):
    """Takes one place under an operation's cap, and says when it was taken; None: there is none. The same delivery's
    place stays its own (`store.writes.claim`)."""

    def __call__(
        self,
        operation: str,
        delivery_id: str,
        *,
        max: int,  # noqa: A002  (the word of the configuration)
        every: timedelta,
        now: datetime,
    ) -> Awaitable[datetime | None]: ...


class StripeNotifier:
    """Makes calls of Stripe's API.

    A delivery's `destination` is the operation as the rule names it. What is stored with it is `{operation, method,
    path, params, account, context, write, endpoint, timeout}`; the key is chosen from the configuration at each
    attempt and never stored.
    """

    verb = Verb.STRIPE

    def __init__(
        self,
        settings: StripeSettings,
        endpoints: Iterable[Endpoint],
        claim: Claim,
        *,
        api: StripeApi | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keys = settings.keys
        self._allow = {
            (found.name if (found := operation(each.operation)) else each.operation): each for each in settings.allow
        }
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._claim = claim
        self._api = api or StripeApi(settings.api_base)
        self._clock = clock

    def render(self, step: Step, delivery: Delivery, scene: Scene) -> Json:
        """The call that every attempt makes, without its key."""
        found = operation(delivery.destination)
        if found is None:
            raise DestinationError(problem(delivery.destination) or "this is not an operation")
        params = render_value(dict(step.options.get("with") or {}), scene)
        if not isinstance(params, dict):
            raise DestinationError("with: is a map of parameters")
        account = delivery.account
        ids = _take_ids(found, params, account)
        path = _rendered_path(found.path, scene) if found.name.startswith("GET ") else found.fill(ids)
        if step.options.get("expand"):
            params["expand"] = _expand(step.options["expand"])
        return {
            "operation": found.name,
            "method": found.method,
            "path": path,
            "params": params,
            **_who(found, ids, step.options.get("as"), account, scene),
            "write": found.is_write,
            "endpoint": scene["event"].get("endpoint"),
            "timeout": step.timeout.total_seconds() if step.timeout else None,
        }

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One call. `delivery.request` is what `render` made."""
        request = delivery.request
        now = self._clock()
        try:
            _, key = self._key(request["endpoint"], delivery.livemode)
            stop = await self._stop(delivery, now) if request["write"] else None
            if stop is not None:
                return stop
            timeout = timedelta(seconds=request["timeout"]) if request["timeout"] else None
            answer = await self._api.call(key, _call(delivery), within=timeout)
        except DestinationError as error:
            return Refused(reason=str(error))
        return _outcome(request, answer)

    async def read(self, event: Event, call: Call) -> Success | Failure:
        """One read for an event, with its key. Raises DestinationError where there is none for it."""
        _, key = self._key(event.endpoint, event.livemode)
        return await self._api.call(key, call)

    def preview(self, delivery: Delivery) -> Json:
        """`{method, url, params, headers, key}`: `key` is the name of the key in the configuration."""
        request = delivery.request
        name, _ = self._key(request["endpoint"], delivery.livemode)
        if request["write"]:
            self._allowed(request["operation"])
        call = _call(delivery)
        headers = {
            "Stripe-Account": call.account,
            "Stripe-Context": call.context,
            "Idempotency-Key": call.idempotency_key,
        }
        return {
            "method": call.method.upper(),
            "url": self._api.address(call),
            "params": {name: value for name, value in call.params.items() if value is not None},
            "headers": {name: value for name, value in headers.items() if value is not None},
            "key": f"stripe.keys.{name}",
        }

    async def warm(self) -> None:
        """Import what the first call needs, where there is a key to make one."""
        if self._keys:
            await self._api.warm()

    async def close(self) -> None:
        """Close every connection."""
        await self._api.close()

    async def _stop(self, delivery: Delivery, now: datetime) -> Outcome | None:
        """Why a write may not be made now; None when it may."""
        name = delivery.request["operation"]
        allowed = self._allowed(name)
        claimed = await self._claim(name, delivery.id, max=allowed.max, every=allowed.every, now=now)
        if claimed is None:
            return Held(reason=_beyond(name, allowed))
        # A process that died between a request and its record has left its claim, and no first attempt.
        if now - min(claimed, delivery.first_attempt or claimed) >= KEY_LIFE:
            return Refused(
                reason="the idempotency window is over: Stripe may have forgotten the key of the first attempt, and a "
                "repeat could do it twice; look at Stripe, then 'tocsin retry --again'"
            )
        return None

    def _allowed(self, name: str) -> AllowedWrite:
        allowed = self._allow.get(name)
        if allowed is None:
            raise DestinationError(
                f"{name} is a write that the configuration does not allow; "
                f"add it to stripe.allow: {{operation: {name}, max: 20, every: 1h}}"
            )
        return allowed

    def _key(self, endpoint: str | None, livemode: bool) -> tuple[str, str]:
        """The name and the key of the event's endpoint, else of its mode. Raises DestinationError when there is none,
        or it is of the other mode, or the endpoint is: a test event can never use a live key, nor the reverse, and
        whoever has the secret of a test endpoint cannot call an event live."""
        mode = "live" if livemode else "test"
        configured = self._endpoints.get(endpoint or "")
        if configured is not None and configured.livemode not in (None, livemode):
            raise DestinationError(
                f"endpoint {configured.name} is configured as livemode: {str(not livemode).lower()} and this is a "
                f"{mode} event: no key is used for it; if such events are expected there, write livemode: any for it"
            )
        name = configured.key if configured is not None and configured.key else mode
        secret = self._keys.get(name)
        if secret is None:
            raise DestinationError(
                f"there is no key for this {mode} event: set stripe.keys.{name} in the configuration"
            )
        key = secret.get_secret_value()
        found = _MODE.match(key)
        if found is not None and found[1] != mode:
            raise DestinationError(
                f"stripe.keys.{name} is a {found[1]} key and this is a {mode} event: it is never used for one"
            )
        return name, key


def _take_ids(found: Operation, params: dict[str, Json], account: str | None) -> dict[str, Json]:
    """The ids of the path, taken out of the parameters: by the SDK's name, by `id` (the last one still missing), and
    the event's account for an operation on accounts."""
    ids = {place: params.pop(place) for place in found.ids if place in params}
    missing = [place for place in found.ids if place not in ids]
    if missing and "id" in params:
        ids[missing.pop()] = params.pop("id")
    if missing and found.on_account and missing[0] == found.ids[0] and account is not None:
        ids[missing[0]] = account
    return ids


def _rendered_path(template: str, scene: Scene) -> str:
    """A `GET` path with each of its segments rendered by itself, so that a value cannot add another."""
    segments = re.split(r"/(?![^{}]*\}\})", template)
    filled = (checked_id("its path", render_text(each, scene).strip()) if "{{" in each else each for each in segments)
    return checked_path("/".join(filled))


def _expand(option: Json) -> list[str]:
    names = option if isinstance(option, list | tuple) else [option]
    if not all(isinstance(name, str) and re.fullmatch(r"[a-z0-9_.]{1,200}", name) for name in names):
        raise DestinationError("expand is a list of fields, such as [balance_transaction]")
    return [str(name) for name in names]


def _who(
    found: Operation, ids: Mapping[str, Json], as_: Json, account: str | None, scene: Scene
) -> dict[str, str | None]:
    """The account headers of the call. Raises DestinationError rather than act as the platform unasked."""
    if as_ is not None and as_ not in AS:
        raise DestinationError(f"as is account or platform, not {str(as_)[:20]!r}")
    event = scene["event"]
    organization = event.get("scope") == Scope.ORGANIZATION
    context = event.get("context") if organization else None
    if organization and (not isinstance(context, str) or not _CONTEXT.fullmatch(context)):
        raise DestinationError("this organization event has no context, so there is no account to act in")
    if account is None and as_ != "platform":
        raise DestinationError("this event is about the platform itself; to act as the platform, write as: platform")
    on_itself = found.on_account and account is not None and ids.get(found.ids[0]) == account
    if as_ == "platform" or (on_itself and as_ is None):
        return {"account": None, "context": _platform_of(context)}
    if organization:
        return {"account": None, "context": context}
    acting = checked_id("the event's account", account)
    return {"account": None, "context": acting} if found.is_v2 else {"account": acting, "context": None}


def _platform_of(context: str | None) -> str | None:
    """The platform of an organization's context: `acct_platform/acct_connected`, or a member account alone."""
    return context.partition("/")[0] if context else None


def _call(delivery: Delivery) -> Call:
    request = delivery.request
    return Call(
        method=request["method"],
        path=request["path"],
        params=request["params"],
        account=request["account"],
        context=request["context"],
        idempotency_key=delivery.id if request["write"] else None,
    )


def _beyond(name: str, allowed: AllowedWrite) -> str:
    return (
        f"{name} is allowed {allowed.max} times in {format_duration(allowed.every)}, and that is used up; "
        "'tocsin retry' releases it"
    )


def _outcome(request: Json, answer: Success | Failure) -> Outcome:
    name = request["operation"]
    if isinstance(answer, Success):
        return Delivered(status=answer.status, excerpt=_trace(answer.request_id), result=_capped(answer.data))
    reason = f"{name}: {answer.reason}"
    if not answer.retry:
        return Refused(reason=reason, status=answer.status, excerpt=_trace(answer.request_id))
    return Retry(
        reason=reason,
        status=answer.status,
        excerpt=_trace(answer.request_id),
        after=answer.after,
        maybe_delivered=answer.maybe_done and request["write"],
    )


def _trace(request_id: str | None) -> str | None:
    """Stripe's request id, by which Workbench finds the request."""
    return f"Stripe request {request_id[:60]}" if request_id else None


def _capped(data: Json) -> Json:
    """The result for other steps: whole, or when it is too large its plain fields and `truncated: true`."""
    if data is None:
        return {"truncated": True}
    if len(json.dumps(data, default=str)) <= MAX_RESULT:
        return data
    plain = {key: value for key, value in data.items() if not isinstance(value, dict | list)}
    kept = {key: value for key, value in plain.items() if not isinstance(value, str) or len(value) <= 500}
    return {**dict(list(kept.items())[:200]), "truncated": True}
