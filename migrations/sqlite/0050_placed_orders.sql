-- Cash on delivery and bank transfer: an order is placed first, and the shop receives the payment itself.

-- A line of a placed order is certain and not paid. SQLite changes no constraint, so the table is made again.
drop view readable_reservations;
drop view reservation_mismatches;
drop view payment_mismatches;

create table new_reservations (
  id blob primary key,
  stream blob not null,
  offer blob not null,
  buyer text not null,
  buyer_name text not null,
  key text not null check (length(key) between 8 and 255),
  hash blob not null check (length(hash) = 32),   -- what the key was used for
  status text not null check (status in ('held', 'capturing', 'placed', 'sold', 'expired', 'cancelled')),
  qty integer not null check (qty > 0),
  amount integer not null check (amount >= 0),
  currency text not null,
  place integer not null,
  reason text,
  version integer not null default 1,
  created_at integer not null,
  hold_until integer not null,
  changed_at integer not null,
  person text not null default '',
  returned integer not null default 0,
  order_id blob,                              -- null: in no order yet
  extended_ms integer,                        -- what requests to the payment provider have added to the hold; null: nothing
  constraint one_reservation_per_key unique (buyer, key),
  constraint one_buyer_per_place unique (offer, place),
  constraint reservations_returned_check check (returned between 0 and qty)
) strict;

insert into new_reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, reason, version,
    created_at, hold_until, changed_at, person, returned, order_id, extended_ms)
  select id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, reason, version,
    created_at, hold_until, changed_at, person, returned, order_id, extended_ms
  from reservations;

drop table reservations;
alter table new_reservations rename to reservations;

create index reservations_of_person on reservations (offer, person);
create index reservations_unpaid on reservations (offer, hold_until) where status in ('held', 'capturing');
create index reservations_of_order on reservations (order_id) where order_id is not null;

alter table orders add column placement text;      -- JSON: the method, when it was placed and until when it is to be paid; null: it was not placed
alter table orders add column due_at integer;
alter table orders add column person text;         -- who owes the payment

-- They have all columns of a table that changed, so they are made again.
drop view readable_orders;
create view readable_orders as
  select o.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(paid_at / 1000, 'unixepoch') as paid,
         datetime(due_at / 1000, 'unixepoch') as due
  from orders o;

create view readable_reservations as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(hold_until / 1000, 'unixepoch') as held_until
  from reservations r;

-- Must always be empty: offers whose counter of reserved units differs from the sum of their reservations.
create view reservation_mismatches as
  select o.id, o.reserved, coalesce(sum(r.qty - r.returned), 0) as counted
  from offers o
  left join reservations r on r.offer = o.id and r.status in ('held', 'capturing', 'placed', 'sold')
  group by o.id, o.reserved
  having o.reserved <> coalesce(sum(r.qty - r.returned), 0);

-- Must always be empty: orders that are paid without a captured payment or without a sold line, placed without a placed line, orders of
-- which more was given back than was captured, returned units without a refund, or the reverse, and such reservations in no order.
create view payment_mismatches as
  select o.id, o.status from orders o
  where (o.status = 'paid')
          <> exists (select 1 from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured')
     or (o.status = 'paid') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'sold')
     or (o.status = 'capturing') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'capturing')
     or (o.status = 'placed') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'placed')
     or (select coalesce(sum(f.amount), 0) from refunds f where f.order_id = o.id and f.status in ('pending', 'done'))
          > coalesce((select p.amount from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured'), 0)
     or exists (select 1 from reservations r where r.order_id = o.id and r.status = 'sold' and r.returned <> case
          when exists (select 1 from refunds f where f.order_id = o.id and f.has_lines = 0 and (f.status = 'done' or f.was_done = 1)) then r.qty
          else (select coalesce(sum(l.qty), 0) from refund_lines l join refunds f on f.order_id = l.order_id and f.n = l.n
            where l.order_id = o.id and l.reservation = r.id and (f.status = 'done' or f.was_done = 1)) end)
  union all
  select r.id, r.status from reservations r where r.status in ('capturing', 'placed', 'sold') and r.order_id is null;
