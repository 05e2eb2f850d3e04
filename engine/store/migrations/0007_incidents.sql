-- What goes on, and went on, under a key of a rule. Written by who holds the rule's state of that key: `cell` names it.
create table tocsin.incidents (
    id              text primary key,
    rule            text not null,
    key             text not null,
    cell            text not null,
    about           text not null,
    account         text,
    livemode        boolean not null,
    severity        text not null,
    status          text not null,
    opened          timestamptz not null,
    last            timestamptz not null,
    count           integer not null,
    first_event     text not null,
    first_id        text not null,
    first_type      text not null,
    last_event      text not null,
    acknowledged    timestamptz,
    acknowledged_by text,
    comment         text,
    resolved        timestamptz,
    resolved_by     text,
    reason          text
);
create index incidents_opened on tocsin.incidents (opened desc);
create index incidents_open on tocsin.incidents (rule, key) where status <> 'resolved';
create index incidents_account on tocsin.incidents (account, livemode) where status <> 'resolved';
create index incidents_first_event on tocsin.incidents (first_event) where status <> 'resolved';
create index incidents_last_event on tocsin.incidents (last_event) where status <> 'resolved';
create index incidents_resolved on tocsin.incidents (resolved) where status = 'resolved';

create table tocsin.incident_history (
    incident text not null references tocsin.incidents on delete cascade,
    at       timestamptz not null,
    stage    text not null,
    by       text,
    note     text,
    firing   text
);
create index incident_history_incident on tocsin.incident_history (incident, at);
