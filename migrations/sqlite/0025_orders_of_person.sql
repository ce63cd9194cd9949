-- The look-up in a batch of purchases asks for the person; nobody asks for the buyer of an offer any more.

create index if not exists orders_of_person on orders (offer, person);
drop index if exists orders_of_buyer;
