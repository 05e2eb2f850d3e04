-- What was read from Stripe for the rules that wanted it: JSON, escaped to ASCII, by what was asked for.
alter table tocsin.events add column fetched text;
