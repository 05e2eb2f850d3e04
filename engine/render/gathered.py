"""What was gathered for one message, and the scene of its texts: `digest.items`, `.count`, `.total` and the rest."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.model.event import Event, Json
from engine.model.money import money_text
from engine.model.outcome import Scene
from engine.model.rule import Rule
from engine.render.dashboard import owner_of, url_of
from engine.render.facts import AMOUNTS
from engine.render.headlines import headline
from engine.render.reading import text
from engine.render.sandbox import Absent
from engine.render.scene import changes, scene

MOST_CURRENCIES = 6
"""As many totals are written out; the rest is counted."""

_CURRENCY = re.compile(r"[A-Za-z]{2,6}\Z")
_SEVERAL = "a digest is about several events: read them in digest.items"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One alert that was gathered: its event, the id of the rule that fired, and when.

    `account`: what is known of the event's account, as `scene` takes it (name, country, email); `group`: the value at
    the digest's `group_by`.
    """

    event: Event
    rule: str
    when: datetime
    account: Mapping[str, Json] | None = None
    group: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Alerts that were gathered too and are only counted: how many, their totals by currency in minor units, and when
    the last of them came."""

    count: int = 0
    total: Mapping[str, int] = field(default_factory=dict)
    last: datetime | None = None


NO_REST = Rest()


def digest_scene(
    items: Sequence[Item],
    rule: Rule,
    *,
    now: datetime,
    max_items: int = 50,
    grouped: bool = False,
    rest: Rest = NO_REST,
    notes: Sequence[str] = (),
    timezone: str = "UTC",
) -> Scene:
    """The names of a digest's texts: those of every text, `event` and `object` only as far as all share them, and

    - `digest.items`: at most `max_items`, as they came (where `grouped`: by group, the largest first), each with
      `object previous changed event account created when rule group what url`;
    - `digest.count` of all, `digest.more`: how many of them are not in `items`;
    - `digest.total`: minor units by currency, `{"eur": 420050}`; `digest.totals`: the same as one text, or null;
    - `digest.groups`: `{name, count, total, totals}` of all groups, empty where nothing is grouped;
    - `digest.first`, `digest.last`: when the first and the last came; `digest.accounts`: how many; `digest.rules`: ids;
    - `digest.what`: what happened, where it is the same in all, else null; `digest.notes`: lines that are to be said.

    Livemode is that of the items, which never differ in it. Raises ValueError without items.
    """
    if not items:
        raise ValueError("a digest without items is not sent")
    items = sorted(items, key=lambda item: item.when)
    groups = _grouped(items) if grouped else {"": list(items)}
    ordered = [item for members in groups.values() for item in members][:max_items]
    shown = [_item(item, rule, now) for item in ordered]
    total = _totals(items)
    total.update(rest.total)
    return {
        **scene(None, rule, now=now),
        **_shared(items, shown),
        "digest": {
            "items": shown,
            "count": len(items) + rest.count,
            "more": len(items) + rest.count - len(shown),
            "total": dict(total),
            "totals": totals_text(total),
            "groups": [_group(name, members) for name, members in groups.items()] if grouped else [],
            "first": items[0].when.astimezone(UTC).isoformat(),
            "last": max(items[-1].when, rest.last or items[-1].when).astimezone(UTC).isoformat(),
            "accounts": len({item.event.account for item in items}),
            "rules": sorted({item.rule for item in items}),
            "what": _what(items) if not rest.count else None,
            "notes": list(notes),
            "timezone": timezone,
        },
    }


def totals_text(total: Mapping[str, int]) -> str | None:
    """`€4,200.50, $12.00 and 2 more currencies`, the largest count of minor units first; None without any."""
    ordered = sorted(total.items(), key=lambda each: (-abs(each[1]), each[0]))
    written = [money_text(amount, currency) for currency, amount in ordered[:MOST_CURRENCIES]]
    more = len(ordered) - len(written)
    tail = f" and {more} more {'currency' if more == 1 else 'currencies'}" if more else ""
    return ", ".join(written) + tail if written else None


def amount_in(found: Mapping[str, Json] | None) -> tuple[int, str] | None:
    """What an object is about: minor units and currency in lower case; None where it has no such amount."""
    if not found:
        return None
    for name in AMOUNTS:
        amount: Json = found.get(name)
        currency: Json = found.get("currency")
        if isinstance(amount, Mapping):  # v2: {value, currency}
            amount, currency = amount.get("value"), amount.get("currency")
        if not isinstance(amount, int) or isinstance(amount, bool) or abs(amount) >= 10**18:
            continue
        if isinstance(currency, str) and _CURRENCY.match(currency):
            return amount, currency.lower()
    return None


def headline_of(event: Event) -> str:
    """What happened, without the amount: `Payout failed`."""
    return headline(event.base_type, event.object or {}, changes(event), None)


def _item(item: Item, rule: Rule, now: datetime) -> dict[str, Any]:
    names = scene(item.event, rule, account=item.account, now=now)
    return {
        **{name: names[name] for name in ("object", "previous", "changed", "event", "account")},
        "created": names["event"]["created"],
        "when": item.when.astimezone(UTC).isoformat(),
        "rule": item.rule,
        "group": item.group,
        "what": headline_of(item.event),
        "url": _url(item.event),
    }


def _url(event: Event) -> str | None:
    owner = owner_of({"account": event.raw_account, "context": event.context})
    return url_of(event.object or event.object_id, account=owner, livemode=event.livemode)


def _shared(items: Sequence[Item], shown: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The account where all are of one, and the livemode: what a text may say of all of them."""
    event = Absent(_SEVERAL)
    event["livemode"] = items[0].event.livemode
    about: dict[str, Any] = {"event": event, "object": Absent(_SEVERAL), "previous": Absent(_SEVERAL)}
    accounts = len({item.event.account for item in items})
    if accounts == 1 and shown:
        return {**about, "account": shown[0]["account"]}
    name = f"{accounts} accounts"
    several = {"id": None, "name": name, "label": name, "url": None, "country": None, "email": None}
    return {**about, "account": {**several, "is_platform": False}}


def _grouped(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(_group_name(item), []).append(item)
    return dict(sorted(found.items(), key=lambda each: -len(each[1])))


def _group_name(item: Item) -> str:
    if item.group is not None and item.group == item.event.account:
        name = text((item.account or {}).get("name"))
        return f"{name} ({item.group})" if name and name != item.group else str(item.group)
    if isinstance(item.group, bool):
        return "true" if item.group else "false"
    return text(item.group) or "(none)"


def _group(name: str, members: Sequence[Item]) -> dict[str, Json]:
    total = _totals(members)
    return {"name": name, "count": len(members), "total": dict(total), "totals": totals_text(total)}


def _totals(items: Iterable[Item]) -> "Counter[str]":
    total: Counter[str] = Counter()
    for item in items:
        found = amount_in(item.event.object)
        if found is not None:
            total[found[1]] += found[0]
    return total


def _what(items: Sequence[Item]) -> str | None:
    found = {headline_of(item.event) for item in items}
    return found.pop() if len(found) == 1 else None
