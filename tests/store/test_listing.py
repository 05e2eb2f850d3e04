"""Listings find what is rare without reading what is not asked for, and say the same as before with every filter."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from engine.model.delivery import NOTHING, DeliveryStatus
from engine.store import Store
from engine.store.events import newest
from engine.store.listing import Asked, is_like
from tests.builders import RECEIVED, event
from tests.store.plans import REVISION, Database, plan


async def test_events_by_pattern_by_account_and_by_mode(store: Store) -> None:
    for second, (name, account, live) in enumerate(
        [
            ("payout.failed", "acct_1", True),
            ("payout.paid", "acct_2", True),
            ("charge.failed", "acct_1", False),
            ("payout.failed", "acct_1", False),
        ]
    ):
        await store.committer.commit(
            event(
                name,
                id=f"evt_{second}",
                account=account,
                livemode=live,
                received=RECEIVED + timedelta(seconds=second),
            ),
            NOTHING,
            REVISION,
        )

    async def ids(**asked: object) -> list[str]:
        return [each.id for each in await store.events.ls(**asked)]  # type: ignore[arg-type]  # as a test gives them

    assert await ids(type="payout.*") == ["evt_3", "evt_1", "evt_0"]
    assert await ids(type="*.failed", limit=2) == ["evt_3", "evt_2"]
    assert await ids(type="payout.*", account="acct_1") == ["evt_3", "evt_0"]
    assert await ids(type="*.failed", livemode=False) == ["evt_3", "evt_2"]
    assert await ids(type="payout.*", livemode=True, before=RECEIVED + timedelta(seconds=1)) == ["evt_0"]
    assert await ids(type="*", since=RECEIVED + timedelta(seconds=3)) == ["evt_3"]
    assert await ids(type="pay?ut.*") == await ids(type="no.*") == await ids(type="no") == []


FLOODED = """
    insert into tocsin.events (
        dedupe_key, id, payload, type, base_type, scope, scope_source, livemode, created, received, endpoint, body,
        revision
    )
    select
        'evt_' || n, 'evt_' || n, 'snapshot', type, type, 'connected', 'configured', true, at, at, 'connect', '{}',
        ''
    from (
        select n, now() - interval '1 hour' + n * interval '1 ms' as at,
            case when n > 10000 or n % 10 > 7 then 'charge.failed' else 'payout.failed' end as type
        from generate_series(1, 20000) as n
    ) as made
"""


async def test_what_is_common_is_found_behind_a_flood_of_another_type(store: Store, look: Database) -> None:
    """To the planner both are common, and the newest of each is near: it would walk through all of the flood."""
    await look.execute(FLOODED)
    await look.execute("analyze tocsin.events")
    sql, *given = newest(Asked(), ["payout.failed"], None, 10)
    [[plan]] = [list(row) for row in await look.rows(f"explain (analyze, format json) {sql}", *given)]
    assert max(rows_of(json.loads(plan)[0]["Plan"])) < 100
    assert [each.id for each in await store.events.ls(type="payout.failed", limit=2)] == ["evt_10000", "evt_9997"]


def rows_of(node: dict[str, Any]) -> Iterator[float]:
    """How many rows each node of a plan gave or left out."""
    yield node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    for child in node.get("Plans", []):
        yield from rows_of(child)


async def test_deliveries_by_pattern(store: Store) -> None:
    """A star is the only thing that is special, and may stand anywhere."""
    sent = event()
    await store.committer.commit(sent, plan(sent, "payout-failed", "payout_failed", "other"), REVISION)

    async def rules(**asked: object) -> set[str]:
        return {each.rule for each in await store.deliveries.ls(**asked)}  # type: ignore[arg-type]  # the same

    assert await rules(rule="payout*") == {"payout-failed", "payout_failed"}
    assert await rules(rule="payout_*") == {"payout_failed"}
    assert await rules(rule="*failed") == {"payout-failed", "payout_failed"}
    assert await rules(rule="other") == {"other"}
    assert await rules(destination="case-*", event=sent.dedupe_key) == {"payout-failed", "payout_failed", "other"}
    assert await rules(status=[DeliveryStatus.DEAD]) == set()
    assert await rules(status=[]) == set()


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("deliveries_rule", lambda asked: asked.alike("rule", "rare")),
        ("deliveries_destination", lambda asked: asked.alike("destination", "rare/*")),
        ("deliveries_account", lambda asked: asked.compare("account", "=", "acct_rare")),
        ("deliveries_status", lambda asked: asked.that("status in ('suppressed')")),
    ],
)
async def test_what_is_rare_is_found_by_an_index(look: Database, index: str, ask: Callable[[Asked], None]) -> None:
    await look.execute(
        """insert into tocsin.deliveries (
            id, rule, revision, step, verb, destination, account, livemode, needs, status, attempts, created
        )
        select 'dlv_' || n, 'rule-' || n % 7, 'r', 's', 'notify', 'ch-' || n % 7, 'acct_' || n % 7, true, '{}',
            'delivered', 1, now() - n * interval '1 second'
        from generate_series(1, 20000) n"""
    )
    await look.execute("analyze tocsin.deliveries")
    asked = Asked()
    ask(asked)
    sql = f"explain select * from tocsin.deliveries {asked.where} order by created desc, id limit 50"
    found = "\n".join(row[0] for row in await look.rows(sql, *asked.arguments))
    assert f"{index} " in found
    assert "Seq Scan" not in found


def test_only_a_star_is_special() -> None:
    assert is_like("payout.failed", "*.failed")
    assert is_like("payout.failed", "payout.failed")
    assert not is_like("payout.failed", "payout_failed")
    assert not is_like("payout.failed", "payout.fail")
    assert not is_like("payout.failed", "[p]*")
