-- A purchase is a reservation: units of one offer, set aside for one buyer. An order is what is paid and shipped: its lines are
-- reservations. The selling path writes reservations and nothing else.

drop view readable_orders;
drop view reservation_mismatches;
drop view payment_mismatches;

create table reservations (
  id blob primary key,
  stream blob not null,
  offer blob not null,
  buyer text not null,
  buyer_name text not null,
  key text not null check (length(key) between 8 and 255),
  hash blob not null check (length(hash) = 32),   -- what the key was used for
  status text not null check (status in ('held', 'capturing', 'sold', 'expired', 'cancelled')),
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
  constraint one_reservation_per_key unique (buyer, key),
  constraint one_buyer_per_place unique (offer, place),
  constraint reservations_returned_check check (returned between 0 and qty)
) strict;

create table new_orders (
  id blob primary key,                        -- that of its first reservation
  number integer not null unique,
  stream blob not null,
  buyer text not null,
  -- placed: to be paid by a date
  status text not null check (status in ('open', 'paying', 'capturing', 'paid', 'placed', 'cancelled')),
  currency text not null,
  attempt integer,                            -- the payment attempt that won it
  created_at integer not null,
  changed_at integer not null,
  paid_at integer
) strict;

-- Every reservation for which money was asked becomes the one line of an order, with the same id. The others get an order when
-- somebody opens one.
insert into new_orders (id, number, stream, buyer, status, currency, attempt, created_at, changed_at, paid_at)
  select r.id, 1000 + row_number() over (order by r.id), r.stream, r.buyer,
         case r.status when 'held' then 'paying' when 'capturing' then 'capturing' when 'paid' then 'paid'
           when 'refunded' then 'paid' else 'cancelled' end,
         r.currency, r.attempt, r.created_at, r.changed_at, r.paid_at
  from orders r
  where r.status in ('capturing', 'paid', 'refunded') or exists (select 1 from payments p where p.order_id = r.id)
  order by r.id;

insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, reason, version,
    created_at, hold_until, changed_at, person, returned, order_id)
  select r.id, r.stream, r.offer, r.buyer, r.buyer_name, r.key, r.hash,
         case when r.status in ('paid', 'refunded') then 'sold' else r.status end,
         r.qty, r.amount, r.currency, r.place, r.reason, r.version, r.created_at, r.hold_until, r.changed_at, r.person,
         case r.status when 'refunded' then r.qty else 0 end, o.id
  from orders r left join new_orders o on o.id = r.id;

drop table orders;
alter table new_orders rename to orders;

create index reservations_of_person on reservations (offer, person);
create index reservations_unpaid on reservations (offer, hold_until) where status in ('held', 'capturing');
create index reservations_of_order on reservations (order_id) where order_id is not null;
create unique index one_open_order_per_buyer_and_stream on orders (buyer, stream) where status = 'open';
create index orders_capturing on orders (changed_at) where status = 'capturing';

-- How many lines the attempt was for: it wins all of them, or none.
alter table payments add column lines integer not null default 1;

-- It has all columns of a table that changed, so it is made again.
drop view readable_payments;
create view readable_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

create view readable_reservations as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(hold_until / 1000, 'unixepoch') as held_until
  from reservations r;

create view readable_orders as
  select o.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(paid_at / 1000, 'unixepoch') as paid
  from orders o;

-- Must always be empty: offers whose counter of reserved units differs from the sum of their reservations.
create view reservation_mismatches as
  select o.id, o.reserved, coalesce(sum(r.qty - r.returned), 0) as counted
  from offers o
  left join reservations r on r.offer = o.id and r.status in ('held', 'capturing', 'sold')
  group by o.id, o.reserved
  having o.reserved <> coalesce(sum(r.qty - r.returned), 0);

-- Must always be empty: orders that are paid without a captured payment or without a sold line, or refunded without a refund, or the
-- reverse, and sold reservations in no order.
create view payment_mismatches as
  select o.id, o.status from orders o
  where (o.status = 'paid')
          <> exists (select 1 from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured')
     or (o.status = 'paid') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'sold')
     or (o.status = 'capturing') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'capturing')
     or exists (select 1 from reservations r where r.order_id = o.id and r.returned > 0)
          <> exists (select 1 from refunds f where f.order_id = o.id and f.status = 'done')
  union all
  select r.id, r.status from reservations r where r.status in ('capturing', 'sold') and r.order_id is null;
