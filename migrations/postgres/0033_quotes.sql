-- What an order costs with delivery and tax. Each attempt to pay freezes the quote that its buyer saw. Orders that were paid before
-- have none: they cost the sum of their lines.

alter table orders add column quote text;      -- JSON; null: nobody has tried to pay, or before there were quotes
alter table orders add column total bigint;
alter table orders add column joins uuid;      -- the paid order with which it is sent in one parcel, without a fee of its own

create index orders_by_parcel on orders (joins) where joins is not null;

-- The sum of the lines that the attempt was for; null: it was the amount.
alter table payments add column goods bigint;

-- They have all columns of a table that changed, so they are made again.
drop view readable_orders;
create view readable_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(paid_at / 1000.0) as paid
  from orders o;

drop view readable_payments;
create view readable_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;
