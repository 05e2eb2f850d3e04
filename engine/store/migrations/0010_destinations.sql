-- How destinations stand that have failed: a row each, written when one fails, opens, is tried, or closes.
create table tocsin.destinations (
    name             text primary key,
    version          bigint not null,         -- raised by every change: who changes it names the one it has seen
    state            text not null,
    since            timestamptz,
    until            timestamptz,
    openings         integer not null,
    began            timestamptz,
    requests         integer not null,
    failures         integer not null,
    earlier_requests integer not null,
    earlier_failures integer not null,
    reason           text,
    released         integer not null default 0,    -- of what waited for it, since it has closed
    changed          timestamptz not null
) with (fillfactor = 50);

-- The pace of what has a rate: when the next place is due if all are taken one after another.
create table tocsin.rates (
    name  text primary key,
    next  timestamptz not null,
    gap   interval not null,
    burst interval not null,
    claim uuid not null             -- who changed it last: how a claim finds out that it was granted
) with (fillfactor = 50);

-- Why and until when a delivery was put off without a try; it holds while `turn` is when it is due.
alter table tocsin.deliveries add column gate text, add column turn timestamptz;

create index deliveries_gate on tocsin.deliveries (gate, created) where status = 'pending' and gate is not null;

-- The processes that work, for what they may only do so many times at once.
create table tocsin.processes (
    id   uuid primary key,
    seen timestamptz not null
);
