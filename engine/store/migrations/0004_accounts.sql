-- The accounts that events are about, as they were last seen: JSON, escaped to ASCII. `as_of` is the moment of the event
-- or of the answer that said so.
create table tocsin.accounts (
    account  text not null,
    livemode boolean not null,
    object   text not null,
    as_of    timestamptz not null,
    primary key (account, livemode)
);
