"""The operations that a rule's `stripe:` step may name: the SDK's own names, and what each is over HTTP.

`operations.tsv` beside this file is made from the installed SDK by

    python -m engine.stripe_api.operations > engine/stripe_api/operations.tsv

and a test holds the two together, so that `check` knows every operation without importing stripe (0.4 s, 30 MB).
Left out are the few operations that do not answer JSON from the API's own host (file uploads, PDF downloads, meter
event streams), which a rule has no use for.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from engine.errors import DestinationError
from engine.model.event import Json
from engine.source import nearest as nearest_word

_PLACE = re.compile(r"\{(\w+)\}")
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. `method` is `get`, `post` or `delete`; `path` has its ids in braces, as in
    `/v1/accounts/{account}/capabilities/{capability}`."""

    name: str
    method: str
    path: str

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the ids in the path, in order, as the SDK calls them; none for a path written out."""
        return () if self.name.startswith("GET ") else tuple(_PLACE.findall(self.path))

    @property
    def is_write(self) -> bool:
        """Whether it may change something: every method but GET."""
        return self.method != "get"

    @property
    def is_v2(self) -> bool:
        """Whether it belongs to API v2: JSON bodies, and `Stripe-Context` instead of `Stripe-Account`."""
        return self.path.startswith("/v2/")

    @property
    def on_account(self) -> bool:
        """Whether the path's first id is an account: then the operation is on that account, not in it."""
        return bool(self.ids) and self.path.startswith(("/v1/accounts/{", "/v2/core/accounts/{"))

    def fill(self, ids: Mapping[str, Json]) -> str:
        """The path with its ids in place. Raises DestinationError, naming the id, for one that is missing or is not
        an id: what a template gave must never reach beyond its own place in the path."""
        missing = next((place for place in self.ids if ids.get(place) in (None, "")), None)
        if missing is not None:
            raise DestinationError(f"{self.name} needs '{missing}': write with: {{{missing}: ..}}")
        return _PLACE.sub(lambda place: checked_id(f"'{place[1]}' of {self.name}", ids[place[1]]), self.path)


def operation(name: str) -> Operation | None:
    """The operation of that name, None if there is none.

    `name` is the SDK's (`payouts.retrieve`, `v2.core.accounts.retrieve`; `v1.` in front is allowed), or `GET` and a
    path (`GET /v1/payouts/po_1`), which is an operation of its own: a read of that path.
    """
    if name.startswith("GET "):
        path = name.removeprefix("GET ").strip()
        return Operation(name=f"GET {path}", method="get", path=path) if _raw_path_problem(path) is None else None
    return operations().get(name.removeprefix("v1."))


def is_write(name: str) -> bool:
    """Whether the operation of that name may change something. False for an unknown one."""
    found = operation(name)
    return found is not None and found.is_write


def problem(name: str) -> str | None:
    """Why `name` cannot be an operation, for the author of a rule; None when it is one."""
    if operation(name) is not None:
        return None
    verb, _, path = name.partition(" ")
    if verb == "GET":
        return _raw_path_problem(path.strip())
    if verb.upper() in {"GET", "POST", "PUT", "PATCH", "DELETE"} and path:
        return "only reads may be written as a path, as in 'GET /v1/balance'; write the SDK's name for anything else"
    near = nearest(name)
    return f"Stripe's SDK has no operation '{name}'" + (f"; did you mean '{near}'?" if near else "")


def nearest(name: str) -> str | None:
    """The operation that somebody probably meant, None when none is near.

    Besides misspellings it knows the habits of the API reference: singular names and `get` for `retrieve`.
    """
    resource, _, verb = name.removeprefix("v1.").rpartition(".")
    habits = {"get": "retrieve", "fetch": "retrieve", "read": "retrieve", "modify": "update", "edit": "update"}
    habits |= {"remove": "delete", "del": "delete", "add": "create", "new": "create", "all": "list"}
    for guess in (resource, f"{resource}s", f"{resource}es"):
        for said in (habits.get(verb, verb), verb):
            if f"{guess}.{said}" in operations():
                return f"{guess}.{said}"
    return nearest_word(name, operations())


@cache
def operations() -> Mapping[str, Operation]:
    """Every operation by name. Read once, on first use."""
    text = (files("engine.stripe_api") / "operations.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return MappingProxyType({name: Operation(name=name, method=method, path=path) for name, method, path in rows})


def checked_id(what: str, value: Json) -> str:
    """An id that may stand in a path or a header. Raises DestinationError, naming `what`, for anything else."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise DestinationError(f"{what} is not an id: only letters, digits and _ may stand in it")
    return value


def checked_path(path: str) -> str:
    """A rendered `GET` path, as it is. Raises DestinationError for one that could lead anywhere but to that read."""
    found = _raw_path_problem(path, templates=False)
    if found is not None:
        raise DestinationError(found)
    return path


def _raw_path_problem(path: str, *, templates: bool = True) -> str | None:
    """What is wrong with a path written out; with `templates`, segments may still hold `{{ .. }}`."""
    if not path.startswith(("/v1/", "/v2/")):
        return "the path of a GET begins with /v1/ or /v2/, as in 'GET /v1/balance'"
    if "?" in path or "#" in path:
        return "parameters of a GET are written under with:, not in its path"
    segments = _without_templates(path).split("/") if templates else path.split("/")
    if all(_SEGMENT.fullmatch(segment) and ".." not in segment for segment in segments[1:]):
        return None
    return "the path of a GET has only letters, digits, _ - and . between its slashes"


def _without_templates(path: str) -> str:
    return re.sub(r"\{\{[^{}]*\}\}", "x", path)


# How the table is made. Each method of each service is called with a requestor that notes what it was asked for.


class _Asked(BaseException):
    def __init__(self, method: str, path: str, base: str) -> None:
        self.method, self.path, self.base = method, path, base


class _Noting:
    """Stands in for the SDK's requestor, and never sends anything."""

    def request(self, method: str, path: str, *_: Any, base_address: str, **__: Any) -> None:
        raise _Asked(method, path, base_address)

    def request_stream(self, method: str, path: str, *_: Any, **__: Any) -> None:
        raise _Asked(method, path, "stream")


def operations_of_sdk() -> Iterator[Operation]:
    """Every operation of the installed SDK, in order of name. Imports stripe."""
    import stripe

    client = stripe.StripeClient("sk_test_table")
    found = [*_walk("", client.v1), *_walk("v2.", client.v2)]
    yield from sorted(found, key=lambda item: item.name)


def _walk(prefix: str, service: Any) -> Iterator[Operation]:
    service._requestor = _Noting()
    for name, method in inspect.getmembers(type(service), inspect.isfunction):
        if name.startswith("_") or name.endswith("_async"):
            continue
        ids = [p.name for p in inspect.signature(method).parameters.values() if p.kind is p.POSITIONAL_ONLY]
        found = _ask(prefix + name, method, service, [each for each in ids if each != "self"])
        if found is not None:
            yield found
    module = sys.modules[type(service).__module__]
    for name in sorted(getattr(module, "_subservices", {})):
        yield from _walk(f"{prefix}{name}.", getattr(service, name))


def _ask(name: str, method: Any, service: Any, ids: list[str]) -> Operation | None:
    takes_params = "params" in inspect.signature(method).parameters
    try:
        method(service, *(f"XID{each}X" for each in ids), **({"params": {}} if takes_params else {}))
    except _Asked as asked:
        path = re.sub(r"XID(\w+?)X(?=/|$)", r"{\1}", asked.path)
        return Operation(name=name, method=asked.method, path=path) if asked.base == "api" else None
    return None


def main() -> None:
    """Print the table of the installed SDK."""
    import stripe

    print(
        f"# The operations of stripe-python {stripe.VERSION}: name, method, path. Made by engine.stripe_api.operations."
    )
    for found in operations_of_sdk():
        print(found.name, found.method, found.path, sep="\t")


if __name__ == "__main__":
    main()
