-- Digests that have not gone out, of which retention asks for each delivery that is part of one. A few rows at a time.
create index deliveries_open_digests on tocsin.deliveries (digest)
    where digest is not null and firing is null and status in ('pending', 'waiting', 'held');
