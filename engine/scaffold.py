"""A first rule for an event: YAML that a person goes on writing, with tests that pass as they stand."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.event import Event, Json, Scope
from engine.model.money import minor_units
from engine.model.schema import schema
from engine.rulebook.fields import as_id

ACCOUNT = "acct_1"
"""Whom the event of a scaffold's test is about."""

_CHANNELS = (
    ("risk", ("charge.dispute", "radar", "review", "issuing_dispute")),
    ("onboarding", ("account", "capability", "person", "v2.core.account")),
)
_OF_ACCOUNTS = ("account.", "capability.", "person.")
_AMOUNTS = ("amount", "amount_due", "amount_total", "total")
_BOUNDS = (100, 1)
_TELLING = ("failure_code", "failure_reason", "reason", "cancellation_reason", "closed_reason", "status")
_LEFT_OUT = frozenset({"id", "object", "created", "currency", "livemode", "metadata"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BARE = re.compile(r"[A-Za-z_$][\w.$/-]*", re.ASCII)
_KEYWORDS = frozenset({"true", "false", "null", "none"})
_SHOWN = 6
_A_TIME = 10**9

Changes = Mapping[str, Mapping[str, Json]]
"""What a test lays over the event: keys of `given` and what stands under them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    """A test under `where`, what a sample needs to pass it, and what makes an event that passes fail at it."""

    path: str
    test: str
    failing: Changes
    passing: Changes = field(default_factory=dict)
    note: str | None = None


def rule_id_for(event_type: str, taken: Iterable[str]) -> str:
    """An id for a rule on that type that no rule has yet: `payout-failed`, else `payout-failed-2`."""
    plain = as_id(event_type)[:90].strip("-") or "rule"
    used = set(taken)
    candidates = [plain, *(f"{plain}-{number}" for number in range(2, len(used) + 3))]
    return next(each for each in candidates if each not in used)


def scaffold(event: Event, rule_id: str, *, file: str | None = None, livemode: bool | None = None) -> str:
    """The text of a file with one rule for events like this one, and its tests.

    `file` names the file that the event stands in, relative to the rule's; None: it is a sample, and its values may be
    shown. `livemode` is the mode that rules look at which do not say, None for both.
    """
    scope = event.scope if file else Scope.CONNECTED if event.base_type.startswith(_OF_ACCOUNTS) else None
    conditions = list(_conditions(event, captured=file is not None))
    lines = [
        f"# {_words(event.type)}: a first rule, to be made yours. docs/rules.md explains every key.",
        "rules:",
        f"  - id: {rule_id}",
        f"    description: {_words(event.type)}",
        "    severity: medium  # info, low, medium, high or critical",
        "    when:",
        f"      type: {_scalar(event.type)}",
        *([f"      scope: {scope}  # whose events: platform, connected, organization or any"] if scope else []),
        *_where(event, conditions, shown=file is None),
        "    then:",
        *_then(event, conditions),
        "    tests:  # tocsin test runs them",
        *_tests(_given(event, scope, file, livemode), conditions, _other_type(event)),
    ]
    return "\n".join(lines) + "\n"


def _where(event: Event, conditions: Sequence[_Condition], *, shown: bool) -> Iterator[str]:
    taken = {condition.path for condition in conditions}
    more = ", ".join(text for name, text in _fields(event, shown) if name not in taken)
    if conditions:
        yield "      where:  # all of these must hold"
        for condition in conditions:
            note = f"  # {condition.note}" if condition.note else ""
            yield f"        {condition.path}: {condition.test}{note}"
    if more:
        yield f"        # also there: {more}" if conditions else f"      # where:  # the event has {more}"


def _then(event: Event, conditions: Sequence[_Condition]) -> Iterator[str]:
    channel = next((name for name, heads in _CHANNELS if event.base_type.startswith(heads)), "payments")
    amount = _amount(event)
    much = f"{{{{ object.{amount} | money }}}}, " if amount else ""
    yield f"      - notify: {channel}  # a channel of the configuration, or a list of them"
    yield f'        title: "{_words(event.base_type)}: {much}{{{{ account.name }}}}"'
    yield "        text: |"
    for condition in conditions:
        if condition.path not in ("id", amount):
            label = condition.path.replace("_", " ").replace(".", " ").capitalize()
            yield f'          {label}: {{{{ object.{condition.path} | default("not given") }}}}'
    yield "          Created: {{ event.created | date }}"
    yield f"          {{{{ {'event.url' if event.object is None else 'object | dashboard_url'} }}}}"


def _given(event: Event, scope: Scope | None, file: str | None, livemode: bool | None) -> dict[str, Json]:
    if file is not None:
        captured: dict[str, Json] = {"file": file, "scope": str(scope)}
        return captured if livemode in (None, event.livemode) else {**captured, "set": {"$.livemode": livemode}}
    return {"event": event.type, "account": ACCOUNT} if event.account else {"event": event.type}


def _tests(given: Mapping[str, Json], conditions: Sequence[_Condition], other_type: str) -> Iterator[str]:
    passing = _laid(given, *(condition.passing for condition in conditions))
    yield f"      - given: {_flow(passing)}"
    yield "        expect: fires"
    for condition in conditions:
        yield f"      - given: {_flow(_laid(passing, condition.failing))}"
        yield f"        expect: {{fires: false, because: {_scalar(condition.path)}}}"
    if not conditions:
        yield f"      - given: {{event: {other_type}}}"
        yield "        expect: {fires: false, because: type}"


def _laid(given: Mapping[str, Json], *changes: Changes) -> dict[str, Json]:
    """`set` grows by what is laid over it; any other key is replaced."""
    found = dict(given)
    for change in changes:
        for key, value in change.items():
            found[key] = {**found.get(key, {}), **value} if key == "set" else value
    return found


def _conditions(event: Event, *, captured: bool) -> Iterator[_Condition]:
    """What there is to ask of such an event: what changed, else how much and why."""
    if event.object is None:
        return
    if event.base_type == "account.updated" and event.object_id == event.account:
        failing = {"set": {"id": "acct_recipient"}}
        note = "the account itself, not a recipient of it"
        yield _Condition(path="id", test="{same_as: $account.id}", failing=failing, note=note)
    if event.previous is not None:
        changed = _changed(event, event.object, event.previous, captured=captured)
        if changed is not None:
            yield changed
        return
    amount = _amount(event)
    if amount is not None:
        yield _large(event.object, amount)
    telling = next(_codes(event.object, event.object_type), None)
    if telling is not None:
        name, value, other = telling
        yield _Condition(path=name, test=_scalar(value), failing={"set": {name: other}}, note="or a list: [a, b]")


def _changed(
    event: Event, found: Mapping[str, Json], previous: Mapping[str, Json], *, captured: bool
) -> _Condition | None:
    """The most telling of what changed; of a sample that says nothing of that, the most telling there is."""
    nothing: Changes = {"set": {"$.data.previous_attributes": {}}} if captured else {"previous": {}}
    leaves = [leaf for leaf in _leaves(previous, found) if not leaf[0].startswith("metadata")]
    for wanted in (bool, str):
        for path, old, new in leaves:
            if isinstance(old, wanted) and isinstance(new, wanted) and old != new:
                test = f"{{changed: {{from: {_scalar(old)}, to: {_scalar(new)}}}}}"
                return _Condition(path=path, test=test, failing=nothing)
    if leaves:
        return _Condition(path=leaves[0][0], test="{changed: true}", failing=nothing)
    code = next(_codes(found, event.object_type), None)
    if captured or code is None:
        return None
    name, value, other = code
    test = f"{{changed: {{to: {_scalar(value)}}}}}"
    return _Condition(path=name, test=test, failing=nothing, passing={"previous": {name: other}})


def _leaves(previous: Mapping[str, Json], found: Json, before: str = "") -> Iterator[tuple[str, Json, Json]]:
    """Path, old and new value of all that changed, as far as it has plain names."""
    for name, old in previous.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            continue
        new = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(old, Mapping) and old:
            yield from _leaves(old, new, f"{before}{name}.")
        else:
            yield f"{before}{name}", old, new


def _amount(event: Event) -> str | None:
    """The field that says how much, where a bound in its currency can be set below it."""
    found = event.object or {}
    currency = found.get("currency")
    if not isinstance(currency, str) or not re.fullmatch(r"[a-z]{3}", currency):
        return None
    return next((name for name in _AMOUNTS if _bound(found.get(name), currency) is not None), None)


def _bound(amount: Json, currency: str) -> int | None:
    if not isinstance(amount, int) or isinstance(amount, bool):
        return None
    return next((bound for bound in _BOUNDS if minor_units(Decimal(bound), currency) <= amount), None)


def _large(found: Mapping[str, Json], amount: str) -> _Condition:
    currency = found["currency"]
    bound = _bound(found[amount], currency)
    assert bound is not None
    return _Condition(
        path=amount,
        test=f"{{gte: [{bound} {currency.upper()}, others]}}",
        failing={"set": {amount: minor_units(Decimal(bound), currency) - 1}},
        note="others: in other currencies every amount passes",
    )


def _codes(found: Mapping[str, Json], kind: str | None) -> Iterator[tuple[str, str, str]]:
    """Fields that hold a word of Stripe's, the most telling first: the name, the word, and another one."""
    known = schema(kind) if kind else None
    fields = known.fields if known is not None else {}
    listed = [name for name, each in fields.items() if each.values and name not in _LEFT_OUT]
    for name in dict.fromkeys((*_TELLING, *listed)):
        value, values = found.get(name), fields[name].values if name in fields else ()
        if isinstance(value, str) and _NAME.fullmatch(value) and (not values or value in values):
            yield name, value, next((each for each in values if each != value), "another")


def _fields(event: Event, shown: bool) -> Iterator[tuple[str, str]]:
    """The first plain fields of the object. `shown`: with what stands there, which of a real event is nobody's
    business."""
    plain = [
        (name, value)
        for name, value in (event.object or {}).items()
        if name not in _LEFT_OUT and isinstance(value, (bool, int, str)) and _NAME.fullmatch(name)
        if (_NAME.fullmatch(value) if isinstance(value, str) else value < _A_TIME)
    ]
    for name, value in plain[:_SHOWN]:
        yield name, f"{name}: {_scalar(value)}" if shown else name


def _other_type(event: Event) -> str:
    return "payout.paid" if event.base_type == "payout.failed" else "payout.failed"


def _words(event_type: str) -> str:
    """`charge.dispute.created` as a person says it: Charge dispute created."""
    return " ".join(re.findall(r"[a-z0-9]+", re.sub(r"^v[12]\.(core\.)?", "", event_type.lower()))).capitalize()


def _scalar(value: Json) -> str:
    """A value as YAML has it in flow form, quoted where it would be read as something else."""
    if isinstance(value, str) and _BARE.fullmatch(value) and value not in _KEYWORDS:
        return value
    return json.dumps(value)


def _flow(value: Json) -> str:
    """A map in flow form."""
    if not isinstance(value, Mapping):
        return _scalar(value)
    return f"{{{', '.join(f'{_scalar(key)}: {_flow(each)}' for key, each in value.items())}}}"
