-- Refunds of some lines or units, of the delivery, or of an amount: an order can have several. Each has its own state at the provider.

alter table refunds add column has_lines bigint not null default 0 check (has_lines in (0, 1));  -- 0: from before; it gives back every line
alter table refunds add column delivery bigint not null default 0;   -- the part of the amount that is for the delivery
alter table refunds add column reference text;                       -- the provider's id of the refund, once it is known
alter table refunds add column was_done bigint not null default 0 check (was_done in (0, 1));    -- of a failed one: its units are back

drop index one_refund_per_order;

-- Which units come back.
create table refund_lines (
  order_id uuid not null,
  n bigint not null,
  reservation uuid not null,
  stream uuid not null,
  qty bigint not null check (qty > 0),
  amount bigint not null,                     -- what the buyer paid for them
  goods bigint not null,                      -- the same without an added tax
  primary key (order_id, n, reservation)
);

create index refund_lines_of_stream on refund_lines (stream);

-- Money that is owed is given back in one or more tries; each has its own key and its own state at the provider.
alter table owed_refunds add column tries bigint not null default 1;
alter table owed_refunds add column reference text;                  -- the provider's id of the refund of this try
create index owed_refunds_returned on owed_refunds (changed_at) where status = 'returned';

-- The refunds in the ledger of the test provider.
create table test_refunds (
  key text primary key,
  intent text not null,
  amount bigint not null,
  created_at bigint not null
);

create index test_refunds_of_intent on test_refunds (intent);

drop view readable_refunds;
create view readable_refunds as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from refunds r;

drop view readable_owed_refunds;
create view readable_owed_refunds as
  select w.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from owed_refunds w;

-- Must always be empty: orders that are paid without a captured payment or without a sold line, orders of which more was given back than
-- was captured, returned units without a refund, or the reverse, and sold reservations in no order.
drop view payment_mismatches;
create view payment_mismatches as
  select o.id, o.status from orders o
  where (o.status = 'paid')
          <> exists (select 1 from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured')
     or (o.status = 'paid') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'sold')
     or (o.status = 'capturing') <> exists (select 1 from reservations r where r.order_id = o.id and r.status = 'capturing')
     or (select coalesce(sum(f.amount), 0) from refunds f where f.order_id = o.id and f.status in ('pending', 'done'))
          > coalesce((select p.amount from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured'), 0)
     or exists (select 1 from reservations r where r.order_id = o.id and r.status = 'sold' and r.returned <> case
          when exists (select 1 from refunds f where f.order_id = o.id and f.has_lines = 0 and (f.status = 'done' or f.was_done = 1)) then r.qty
          else (select coalesce(sum(l.qty), 0) from refund_lines l join refunds f on f.order_id = l.order_id and f.n = l.n
            where l.order_id = o.id and l.reservation = r.id and (f.status = 'done' or f.was_done = 1)) end)
  union all
  select r.id, r.status from reservations r where r.status in ('capturing', 'sold') and r.order_id is null;
