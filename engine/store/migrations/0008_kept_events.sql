-- Events that are to be kept, for something of them is still to come.
create index timers_event on tocsin.timers (event) where event is not null;
