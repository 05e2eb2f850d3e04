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
create index deliveries_silence on tocsin.deliveries (silence, created) where silence is not null;
drop index tocsin.deliveries_silenced;
