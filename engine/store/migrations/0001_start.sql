-- Everything of Tocsin's own, in a schema of its own. Ids are text as Stripe and the model make them; a closed set is
-- text too, checked by the model, because an enum in the database could not be read by older code during an upgrade.
-- No foreign keys: rows of one event are committed together, and ids are hashes that nothing else can point at.

create table tocsin.events (
    dedupe_key      text primary key,
    id              text not null,
    thin_id         text,              -- the thin twin's id, where that came first and this row is now the snapshot
    payload         text not null,
    type            text not null,
    base_type       text not null,
    scope           text not null,
    scope_source    text not null,
    conflict        text,
    account         text,
    raw_account     text,
    context         text,
    livemode        boolean not null,
    created         timestamptz not null,
    api_version     text,
    request_id      text,
    idempotency_key text,
    object_id       text,
    object_type     text,
    endpoint        text not null,
    received        timestamptz not null,
    revision        text not null,     -- the rules that judged it
    body            bytea not null
);

-- Uncompressed and, up to a page, in the row itself. Measured, bodies of 3 KB: 11,700 events/s, against 9,300 out of
-- line and 9,400 compressed (default), which takes 1.5 instead of 4.2 KB an event. `alter table` changes it any time.
alter table tocsin.events alter column body set storage external;
alter table tocsin.events set (toast_tuple_target = 8160);

create index events_received on tocsin.events (received);
create index events_account on tocsin.events (account, received) where account is not null;
-- Only thin events have an id besides their key.
create index events_id on tocsin.events (id) where id <> dedupe_key;
create index events_thin_id on tocsin.events (thin_id) where thin_id is not null;

create table tocsin.firings (
    id       text primary key,
    rule     text not null,
    revision text not null,
    event    text not null,
    account  text,
    severity text not null,
    mode     text not null,
    replay   integer not null,
    created  timestamptz not null
);

create index firings_event on tocsin.firings (event);

create table tocsin.deliveries (
    id            text primary key,
    firing        text,
    event         text,
    rule          text not null,
    revision      text not null,
    step          text not null,
    verb          text not null,
    destination   text not null,
    account       text,
    livemode      boolean not null,
    needs         text[] not null,
    status        text not null,
    reason        text,
    attempts      integer not null,
    next_attempt  timestamptz,
    first_attempt timestamptz,
    request       text,                -- JSON, escaped to ASCII: jsonb and text refuse NULs and lone surrogates
    result        text,                -- JSON, the same
    created       timestamptz not null,
    finished      timestamptz
) with (fillfactor = 70);

create index deliveries_firing on tocsin.deliveries (firing);
create index deliveries_created on tocsin.deliveries (created);
create index deliveries_due on tocsin.deliveries (next_attempt) where status = 'pending';
create index deliveries_failed on tocsin.deliveries (created) where status in ('dead', 'held');

create table tocsin.attempts (
    delivery text not null,
    number   integer not null,
    started  timestamptz not null,
    duration interval not null,
    outcome  text not null,
    reason   text,
    status   integer,
    excerpt  text,
    primary key (delivery, number)
);

create table tocsin.revisions (
    revision         text primary key,
    default_livemode boolean,
    loaded           timestamptz not null,
    in_force         timestamptz not null    -- when it was last loaded: the newest is what a restart falls back on
);

-- A file's text once, however many revisions hold it.
create table tocsin.rule_texts (
    hash text primary key,
    text text not null
);

create table tocsin.revision_files (
    revision text not null,
    file     text not null,
    hash     text not null,
    primary key (revision, file)
);

-- The cap over Stripe writes: one row for each delivery that was let through.
create table tocsin.writes (
    delivery  text primary key,
    operation text not null,
    claimed   timestamptz not null,
    released  boolean not null default false    -- by a person, beyond the cap: not counted in it
);

create index writes_operation on tocsin.writes (operation, claimed) where not released;
