-- What is in a digest that has gone out is looked up by its name too.
drop index tocsin.deliveries_gathered;
create index deliveries_digest on tocsin.deliveries (digest, created) where digest is not null;
