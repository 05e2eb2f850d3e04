-- What is asked of millions of stored events, each from an index in the order it is shown in. Measured with 10 million
-- events and half a million deliveries (benchmarks/growth.py); before, listings of what is rare read everything.

-- Counted per rule without its rows: 59 ms -> 2 for 4,400 firings.
drop index tocsin.firings_rule;
create index firings_rule on tocsin.firings (rule, created) include (mode, status);

-- Test events among live ones, which are few.
create index events_test on tocsin.events (received) where not livemode;

-- By status also counts: /readyz and /metrics ask for what is pending, dead and held.
create index deliveries_status on tocsin.deliveries (status, created);
-- text_pattern_ops: `mail/*` is a range of it, whatever the database sorts by.
create index deliveries_rule on tocsin.deliveries (rule text_pattern_ops, created);
create index deliveries_destination on tocsin.deliveries (destination text_pattern_ops, created);
create index deliveries_account on tocsin.deliveries (account, created) where account is not null;

create index accounts_as_of on tocsin.accounts (as_of);

-- PostgreSQL looks after a table when a fifth of it has changed: of ten million events that is too late. Retention would
-- walk over what it has deleted, and counting over an index would look at the rows after all.
alter table tocsin.events set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
alter table tocsin.firings set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
alter table tocsin.attempts set (autovacuum_vacuum_scale_factor = 0.02);
-- Each row changes a few times within seconds, then never again.
alter table tocsin.deliveries set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
-- Small, and changed all the time.
alter table tocsin.states set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
alter table tocsin.timers set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
