-- Customers: everybody who bought. The job that sums orders adds to them; a purchase writes no row more.

create table customers (
  user_id text primary key,
  person text not null,
  name text not null,
  search text not null,                       -- the name as searches compare it
  first_order uuid not null,                  -- ids are in the order of time
  last_order uuid not null
);

create index customers_by_last_order on customers (last_order);

create table customer_notes (
  id uuid primary key,
  user_id text not null,
  at bigint not null,
  by_user text not null,
  by_name text not null,
  body text not null
);

create index customer_notes_of_user on customer_notes (user_id, at);
create index customer_notes_by_author on customer_notes (by_user);

-- What a demo's simulated viewers bought is in no list. The next purchase of a customer brings the name into the form in which searches
-- compare names.
insert into customers (user_id, person, name, search, first_order, last_order)
  select buyer, max(person), max(buyer_name), lower(max(buyer_name)), (array_agg(id order by id))[1], (array_agg(id order by id desc))[1]
  from reservations where buyer not like 'crowd:%' group by buyer;

create view readable_customer_notes as
  select n.*, to_timestamp(n.at / 1000.0) as noted from customer_notes n;
