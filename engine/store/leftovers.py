"""What no event takes with it when it is forgotten: it is forgotten by its own age, or when nothing names it any more.

Left as it is stays what people's own work bounds (revisions of the rules and their files, marks) and what ends by
itself (timers, and what rules remember: engine.store.timers).
"""

from datetime import datetime

from engine.store.connect import Pool

# Of a delivery `d`: something is still to be sent of it, by itself or with the digest that it is part of. The text of a
# digest is written when it is attempted, which may be long after it was due.
UNFINISHED = """(
    d.status in ('pending', 'waiting', 'held', 'gathered')
    or d.status = 'merged' and exists (
        select from tocsin.deliveries whole
        where whole.digest = d.digest and whole.step = d.step and whole.destination = d.destination
          and whole.firing is null and whole.status in ('pending', 'waiting', 'held')
    )
)"""

# Of timers that came due long after their event, of replays, and of anything else that outlived it. There is no index
# by age alone: from rule to rule through firings_rule.
FORGET_FIRINGS = f"""
    with recursive named (rule) as (
        (select rule from tocsin.firings order by rule limit 1)
        union all
        select later.rule
        from named
        cross join lateral (select rule from tocsin.firings where rule > named.rule order by rule limit 1) as later
    ), old as (
        select orphan.id
        from named
        cross join lateral (
            select f.id from tocsin.firings f
            where f.rule = named.rule and f.created < $1 and f.status <> 'waiting'
              and not exists (select from tocsin.events e where e.dedupe_key = f.event)
              and not exists (
                  select from tocsin.deliveries d
                  where d.firing = f.id and {UNFINISHED}
              )
            limit $2
        ) as orphan
        limit $2
    )
    delete from tocsin.firings f using old where f.id = old.id
"""  # noqa: S608  of constants

# Reports to the ops channel, digests, and those whose firing is gone.
FORGET_DELIVERIES = f"""
    with old as (
        select id from tocsin.deliveries d
        where created < $1 and not {UNFINISHED}
          and (firing is null or not exists (select from tocsin.firings f where f.id = d.firing))
        order by created
        limit $2
        for update skip locked
    ), attempts as (
        delete from tocsin.attempts a using old where a.delivery = old.id
    )
    delete from tocsin.deliveries d using old where d.id = old.id
"""  # noqa: S608  of constants

FORGET_MUTES = """
    delete from tocsin.mutes where id in (select id from tocsin.mutes where "end" < $1 order by "end" limit $2)
"""

# Of whom no event is stored: they have left the platform, or are asked for anew when they are heard of.
FORGET_ACCOUNTS = """
    delete from tocsin.accounts where (account, livemode) in (
        select account, livemode from tocsin.accounts a
        where as_of < $1 and not exists (select from tocsin.events e where e.account = a.account)
        order by as_of
        limit $2
        for update skip locked
    )
"""

STATEMENTS = (FORGET_FIRINGS, FORGET_DELIVERIES, FORGET_MUTES, FORGET_ACCOUNTS)


async def forget_leftovers(pool: Pool, before: datetime, most: int) -> int:
    """Delete up to `most` of each kind that are older than `before`; how many."""
    return sum([await pool.execute(statement, before, most) for statement in STATEMENTS])
