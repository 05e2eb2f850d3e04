-- What is asked of the past by type and by rule, without reading what is of no interest: bodies lie in the rows of
-- events, so that reading a row too many is reading a page too many.
create index events_type on tocsin.events (type, received);
create index firings_rule on tocsin.firings (rule, created);
