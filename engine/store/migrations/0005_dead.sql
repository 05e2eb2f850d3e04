-- What was given up since the last report of it; there is little of it, however much is delivered.
create index deliveries_dead on tocsin.deliveries (finished) where status = 'dead';

-- How far something that looks back has come, by its name.
create table tocsin.marks (
    name text primary key,
    at   timestamptz not null
);
