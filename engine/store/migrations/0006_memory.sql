-- What became of a match: a rule with a memory need not fire at once, or at all.
alter table tocsin.firings add column status text not null default 'fired';
alter table tocsin.firings add column reason text;
alter table tocsin.firings add column context text;      -- JSON, escaped to ASCII

-- What is sent with a message, what kept it quiet, and the digest that it is gathered for.
alter table tocsin.deliveries add column note text;
alter table tocsin.deliveries add column silence text;
alter table tocsin.deliveries add column digest text;
create index deliveries_gathered on tocsin.deliveries (digest, created) where status = 'gathered';
create index deliveries_silence on tocsin.deliveries (silence, created) where silence is not null;

-- What a rule remembers under a key: JSON, escaped to ASCII. `shape` is a hash of what the rule says that it was kept
-- for; `until` when nothing of it matters any more.
create table tocsin.states (
    rule  text not null,
    part  text not null,
    key   text not null,
    shape text not null,
    state text not null,
    until timestamptz,
    primary key (rule, part, key)
) with (fillfactor = 70);
create index states_until on tocsin.states (until) where until is not null;

create table tocsin.timers (
    id       text primary key,
    rule     text not null,
    part     text not null,
    key      text not null,
    due      timestamptz not null,
    event    text,
    account  text,
    livemode boolean not null
);
create index timers_due on tocsin.timers (due);
create index timers_account on tocsin.timers (account) where account is not null;

-- What people have muted, for how long and why. What each silenced stands with the deliveries.
create table tocsin.mutes (
    id       text primary key,
    rule     text,
    account  text,
    severity text,
    tag      text,
    start    timestamptz not null,
    "end"    timestamptz not null,
    author   text not null,
    comment  text not null,
    created  timestamptz not null
);
create index mutes_end on tocsin.mutes ("end");
