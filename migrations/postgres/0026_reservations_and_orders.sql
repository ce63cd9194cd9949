-- A purchase is a reservation: units of one offer, set aside for one buyer. An order is what is paid and shipped: its lines are
-- reservations. The selling path writes reservations and nothing else.

drop view readable_orders;
drop view reservation_mismatches;
drop view payment_mismatches;

alter table orders rename to reservations;
alter table reservations rename constraint orders_pkey to reservations_pkey;
alter table reservations rename constraint orders_amount_check to reservations_amount_check;
alter table reservations rename constraint orders_hash_check to reservations_hash_check;
alter table reservations rename constraint orders_key_check to reservations_key_check;
alter table reservations rename constraint orders_qty_check to reservations_qty_check;
alter table reservations rename constraint one_order_per_key to one_reservation_per_key;
alter index orders_of_person rename to reservations_of_person;
alter index orders_unpaid rename to reservations_unpaid;
drop index orders_capturing;

create sequence order_numbers start 1001;

create table orders (
  id uuid primary key,                        -- that of its first reservation
  number bigint not null unique default nextval('order_numbers'),
  stream uuid not null,
  buyer text not null,
  -- placed: to be paid by a date
  status text not null check (status in ('open', 'paying', 'capturing', 'paid', 'placed', 'cancelled')),
  currency text not null,
  attempt bigint,                             -- the payment attempt that won it
  created_at bigint not null,
  changed_at bigint not null,
  paid_at bigint
);

-- Every reservation for which money was asked becomes the one line of an order, with the same id. The others get an order when
-- somebody opens one.
insert into orders (id, stream, buyer, status, currency, attempt, created_at, changed_at, paid_at)
  select r.id, r.stream, r.buyer,
         case r.status when 'held' then 'paying' when 'capturing' then 'capturing' when 'paid' then 'paid'
           when 'refunded' then 'paid' else 'cancelled' end,
         r.currency, r.attempt, r.created_at, r.changed_at, r.paid_at
  from reservations r
  where r.status in ('capturing', 'paid', 'refunded') or exists (select 1 from payments p where p.order_id = r.id)
  order by r.id;

alter table reservations add column returned bigint not null default 0;
alter table reservations add column order_id uuid;   -- null: in no order yet
alter table reservations drop constraint orders_status_check;
update reservations set order_id = id,
    returned = case status when 'refunded' then qty else 0 end,
    status = case when status in ('paid', 'refunded') then 'sold' else status end
  where id in (select id from orders);
alter table reservations add constraint reservations_status_check
  check (status in ('held', 'capturing', 'sold', 'expired', 'cancelled'));
alter table reservations add constraint reservations_returned_check check (returned between 0 and qty);
alter table reservations drop column attempt;
alter table reservations drop column paid_at;

create index reservations_of_order on reservations (order_id) where order_id is not null;
create unique index one_open_order_per_buyer_and_stream on orders (buyer, stream) where status = 'open';
create index orders_capturing on orders (changed_at) where status = 'capturing';

-- How many lines the attempt was for: it wins all of them, or none.
alter table payments add column lines bigint not null default 1;

-- It has all columns of a table that changed, so it is made again.
drop view readable_payments;
create view readable_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;

create view readable_reservations as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(hold_until / 1000.0) as held_until
  from reservations r;

create view readable_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(paid_at / 1000.0) as paid
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
