-- Coupons. A use is reserved when an order takes the coupon, and given back when the order ends without a payment.

create table coupons (
  id blob primary key,
  code text not null,                         -- as the team wrote it
  folded text not null,                       -- as it is compared
  percent_bp integer check (percent_bp between 1 and 10000),
  amount integer check (amount > 0),
  currency text not null,
  starts_at integer not null,
  ends_at integer,
  quota integer check (quota > 0),             -- null: any number of orders
  per_person integer not null check (per_person > 0),
  minimum integer not null check (minimum >= 0),
  products text not null,                     -- JSON: the ids of the products that it counts for; empty: all
  stream blob,                                -- null: every show
  uses integer not null default 0 check (uses >= 0),
  ended_at integer,
  created_at integer not null,
  by_user text not null,
  version integer not null,
  check ((percent_bp is null) <> (amount is null)),
  -- The last line of defence: no program gives out more than the quota.
  check (quota is null or uses <= quota)
) strict;

create unique index one_coupon_per_code on coupons (folded) where ended_at is null;
-- For buyers who type the code of a coupon that has ended: the answer says so.
create index coupons_by_code on coupons (folded);

-- The orders that have a coupon: one has at most one. A row whose order ended without a payment is deleted.
create table coupon_uses (
  order_id blob primary key,
  coupon blob not null references coupons (id),
  person text not null,
  is_final integer not null default 0 check (is_final in (0, 1)),   -- 1: the order was paid
  taken_at integer not null
) strict;

create index coupon_uses_of_person on coupon_uses (coupon, person);
create index open_coupon_uses on coupon_uses (order_id) where is_final = 0;

-- The part of the order's discount that falls on the line, written with the attempt to pay.
alter table reservations add column discount integer not null default 0 check (discount between 0 and amount);

-- They have all columns of a table that changed, so they are made again.
drop view readable_reservations;
create view readable_reservations as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(hold_until / 1000, 'unixepoch') as held_until
  from reservations r;

create view readable_coupons as
  select c.*, datetime(starts_at / 1000, 'unixepoch') as starts, datetime(ends_at / 1000, 'unixepoch') as ends,
         datetime(created_at / 1000, 'unixepoch') as created
  from coupons c;

create view readable_coupon_uses as
  select u.*, datetime(taken_at / 1000, 'unixepoch') as taken from coupon_uses u;

-- Must always be empty: coupons whose counter differs from the orders that have them.
create view coupon_mismatches as
  select c.id, c.uses, count(u.order_id) as counted
  from coupons c
  left join coupon_uses u on u.coupon = c.id
  group by c.id, c.uses
  having c.uses <> count(u.order_id);
