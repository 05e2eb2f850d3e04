"""A database with as many stored events as one likes, with what came of them, made in SQL in a few minutes.

Ninety days of events at an even pace, bodies of about 700 bytes, forty types of which one is most of all, accounts of
which a few are most; one event in twenty fired a rule. What is in the tables is like what the service leaves in them.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg

TYPES = (
    *("charge.succeeded", "payment_intent.succeeded", "payment_intent.created", "balance.available", "charge.updated"),
    *("payout.created", "payout.paid", "account.updated", "customer.created", "customer.updated", "invoice.paid"),
    *("invoice.created", "invoice.finalized", "charge.refunded", "refund.created", "transfer.created", "payout.failed"),
    *("charge.failed", "payment_intent.payment_failed", "charge.dispute.created", "charge.dispute.closed"),
    *("account.external_account.updated", "capability.updated", "person.updated", "application_fee.created"),
    *("checkout.session.completed", "customer.subscription.created", "customer.subscription.updated"),
    *("customer.subscription.deleted", "invoice.payment_failed", "topup.succeeded", "topup.failed"),
    *("radar.early_fraud_warning.created", "review.opened", "review.closed", "setup_intent.succeeded"),
    *("price.updated", "product.updated", "mandate.updated", "charge.captured"),
)

RULES = tuple(f"rule-{number:02d}" for number in range(40))

RARE_TYPE, RARE_ACCOUNT = TYPES[-1], "acct_rare"
"""One event in 4,000 each, whatever the size."""

EVENTS = """
    insert into tocsin.events (
        dedupe_key, id, payload, type, base_type, scope, scope_source, account, livemode, created, api_version,
        object_id, object_type, endpoint, received, revision, body
    )
    select
        'evt_1' || lpad(i::text, 23, '0'), 'evt_1' || lpad(i::text, 23, '0'), 'snapshot', type, type, 'connected',
        'configured', account, i % 3000 <> 7, at - interval '1 second', '2025-03-31.basil', 'ch_' || md5(i::text),
        split_part(type, '.', 1), 'connect', at, $3, convert_to(format(
            '{"id":"evt_1%s","object":"event","account":"%s","api_version":"2025-03-31.basil","created":%s,"data":'
            '{"object":{"id":"ch_%s","object":"charge","amount":%s,"amount_captured":%s,"amount_refunded":0,'
            '"balance_transaction":"txn_%s","billing_details":{"address":{"city":null,"country":"DE","line1":null},'
            '"email":"buyer-%s@example.com","name":"A Buyer"},"captured":true,"currency":"eur","description":null,'
            '"disputed":false,"failure_code":null,"livemode":true,"metadata":{"order":"%s"},"paid":true,'
            '"status":"succeeded"}},"livemode":%s,"pending_webhooks":1,"request":{"id":"req_%s"},"type":"%s"}',
            lpad(i::text, 23, '0'), account, extract(epoch from at)::bigint, md5(i::text), i % 90000, i % 90000,
            md5('b' || i), i % 5000, i, (i % 3000 <> 7)::text, md5('r' || i), type
        ), 'UTF8')
    from (
        select
            i,
            now() - interval '89 days' * ($4::bigint - i)::float8 / $4::bigint as at,
            case
                when i % 4000 = 5 then $7 when i % 3 > 0 then ($5::text[])[1] else ($5::text[])[1 + hash % 39]
            end as type,
            case when i % 4000 = 11 then $8 else 'acct_' || (case when i % 2 = 0 then hash % 20 else hash % $6 end)
                end as account
        from (select i, abs(hashint8(i)) as hash from generate_series($1::bigint, $2::bigint) as i) as numbered
    ) as dated
"""

FIRINGS = """
    insert into tocsin.firings (id, rule, revision, event, account, severity, mode, replay, created)
    select
        'fir_' || md5(dedupe_key), ($3::text[])[1 + abs(hashtext(dedupe_key)) % 39], revision, dedupe_key, account,
        'high', 'live', 0, received
    from tocsin.events
    where dedupe_key >= $1 and dedupe_key < $2 and right(dedupe_key, 2)::integer % 20 = 0
"""

# Of 10,000 deliveries 50 are dead, 10 held, 200 kept quiet, 200 part of a digest and 20 Tocsin's own reports.
DELIVERIES = """
    insert into tocsin.deliveries (
        id, firing, event, rule, revision, step, verb, destination, account, livemode, needs, status, reason, attempts,
        next_attempt, first_attempt, request, created, finished, silence, digest
    )
    select
        'dlv_' || md5(event), case when kind <> 4 then id end, case when kind <> 4 then event end,
        case when kind <> 4 then rule else 'tocsin' end, revision, 'notify', 'notify',
        case when kind % 3 = 0 then 'payments' else 'risk' end, account, true, '{}', fate,
        case when fate = 'dead' then 'the channel answered 500' end,
        case fate when 'dead' then 3 when 'delivered' then 1 else 0 end, null, created,
        '{"title":"A charge of 120.00 EUR failed","body":"' || repeat('what the message says, ', 12) || '"}',
        created, case when fate <> 'held' then created + interval '1 second' end,
        case when fate = 'suppressed' then case when kind % 2 = 0 then 'mute mut_1' else 'throttle' end end,
        case when fate = 'merged' then 'dig_' || to_char(created, 'YYYYMMDDHH24') end
    from (
        select *, case
            when kind between 10 and 14 then 'dead' when kind = 15 then 'held' when kind between 20 and 39 then
            'suppressed' when kind between 40 and 59 then 'merged' else 'delivered'
        end as fate
        from (select *, abs(hashtext(id)) % 1000 as kind from tocsin.firings where event >= $1 and event < $2) as fired
    ) as ended
"""

ATTEMPTS = """
    insert into tocsin.attempts (delivery, number, started, duration, outcome, status, excerpt)
    select id, number, created, interval '80 ms', 'delivered', 200, 'ok'
    from tocsin.deliveries cross join lateral generate_series(1, attempts) as number
    where attempts > 0
"""

OTHERS = """
    insert into tocsin.states (rule, part, key, shape, state, until)
    select
        'rule-' || lpad((i % 40)::text, 2, '0'), 'threshold', '["acct_' || i || '"]', 'a1b2c3d4e5f60718',
        '{"counts": [[1764201600, 3], [1764201660, 1]]}', now() + interval '1 day' + i * interval '1 second'
    from generate_series(1, $1::bigint / 100) as i;
    insert into tocsin.timers (id, rule, part, key, due, account, livemode)
    select
        'tmr_' || md5(i::text), 'rule-' || lpad((i % 40)::text, 2, '0'), 'absence', '["acct_' || i || '"]',
        now() + interval '1 day' + i * interval '1 second', 'acct_' || i, true
    from generate_series(1, $1::bigint / 500) as i;
    insert into tocsin.accounts (account, livemode, object, as_of)
    select 'acct_' || i, true, '{"id": "acct_' || i || '", "country": "DE"}', now()
    from generate_series(1, $1::bigint / 500) as i;
    insert into tocsin.mutes (id, rule, start, "end", author, comment, created)
    select 'mut_' || i, 'rule-01', now(), now() + interval '1 hour', 'me', 'maintenance', now()
    from generate_series(1, 10) as i;
"""

STEP = 250_000
"""Events of one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a database came to: rows by table, and bytes of all with their indexes."""

    rows: dict[str, int]
    bytes: int


async def fill(connection: "asyncpg.Connection[Any]", events: int, revision: str) -> Size:
    """Make that many events, the last of them of this moment, in a database that has Tocsin's schema and no rows.

    Indexes are dropped meanwhile and made again as they were; the statistics are fresh afterwards.
    """
    await connection.execute("set synchronous_commit = off; set maintenance_work_mem = '512MB'; set work_mem = '64MB'")
    indexes = await connection.fetch(
        "select indexname, indexdef from pg_indexes where schemaname = 'tocsin' and indexdef not like '%UNIQUE%'"
    )
    for index in indexes:
        await connection.execute(f'drop index tocsin."{index["indexname"]}"')
    accounts = max(events // 500, 20)
    for first in range(1, events + 1, STEP):
        last = min(first + STEP - 1, events)
        given = (first, last, revision, events, list(TYPES), accounts, RARE_TYPE, RARE_ACCOUNT)
        await connection.execute(EVENTS, *given)
        span = (_key(first), _key(last + 1))
        await connection.execute(FIRINGS, *span, list(RULES))
    for index in indexes:
        await connection.execute(index["indexdef"])
    for first in range(1, events + 1, STEP):
        await connection.execute(DELIVERIES, _key(first), _key(min(first + STEP, events + 1)))
    await connection.execute(ATTEMPTS)
    for statement in OTHERS.strip().split(";")[:-1]:
        await connection.execute(statement.replace("$1::bigint", str(events)))
    await connection.execute("vacuum analyze")
    tables = ("events", "firings", "deliveries", "attempts", "states", "timers", "accounts", "mutes")
    counted = {table: await connection.fetchval(f"select count(*) from tocsin.{table}") for table in tables}
    size = await connection.fetchval("select pg_database_size(current_database())")
    return Size(rows=counted, bytes=size)


def _key(number: int) -> str:
    return f"evt_1{number:023d}"
