-- Cash on delivery and bank transfer: an order is placed first, and the shop receives the payment itself.

-- A line of a placed order is certain and not paid. Rows of before fulfilled a stricter constraint, so they are not read.
alter table reservations drop constraint reservations_status_check;
alter table reservations add constraint reservations_status_check
  check (status in ('held', 'capturing', 'placed', 'sold', 'expired', 'cancelled')) not valid;

alter table orders add column placement text;      -- JSON: the method, when it was placed and until when it is to be paid; null: it was not placed
alter table orders add column due_at bigint;
alter table orders add column person text;         -- who owes the payment

-- They have all columns of a table that changed, so they are made again.
drop view readable_orders;
create view readable_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(paid_at / 1000.0) as paid,
         to_timestamp(due_at / 1000.0) as due
  from orders o;

drop view reservation_mismatches;
drop view payment_mismatches;

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
