-- Coupons. A use is reserved when an order takes the coupon, and given back when the order ends without a payment.

create table coupons (
  id uuid primary key,
  code text not null,                         -- as the team wrote it
  folded text not null,                       -- as it is compared
  percent_bp bigint check (percent_bp between 1 and 10000),
  amount bigint check (amount > 0),
  currency text not null,
  starts_at bigint not null,
  ends_at bigint,
  quota bigint check (quota > 0),             -- null: any number of orders
  per_person bigint not null check (per_person > 0),
  minimum bigint not null check (minimum >= 0),
  products text not null,                     -- JSON: the ids of the products that it counts for; empty: all
  stream uuid,                                -- null: every show
  uses bigint not null default 0 check (uses >= 0),
  ended_at bigint,
  created_at bigint not null,
  by_user text not null,
  version bigint not null,
  check ((percent_bp is null) <> (amount is null)),
  -- The last line of defence: no program gives out more than the quota.
  check (quota is null or uses <= quota)
);

create unique index one_coupon_per_code on coupons (folded) where ended_at is null;
-- For buyers who type the code of a coupon that has ended: the answer says so.
create index coupons_by_code on coupons (folded);

-- The orders that have a coupon: one has at most one. A row whose order ended without a payment is deleted.
create table coupon_uses (
  order_id uuid primary key,
  coupon uuid not null references coupons (id),
  person text not null,
  is_final bigint not null default 0 check (is_final in (0, 1)),   -- 1: the order was paid
  taken_at bigint not null
);

create index coupon_uses_of_person on coupon_uses (coupon, person);
create index open_coupon_uses on coupon_uses (order_id) where is_final = 0;

-- The part of the order's discount that falls on the line, written with the attempt to pay.
alter table reservations add column discount bigint not null default 0;
alter table reservations add constraint reservations_discount_check check (discount between 0 and amount) not valid;

-- They have all columns of a table that changed, so they are made again.
drop view readable_reservations;
create view readable_reservations as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(hold_until / 1000.0) as held_until
  from reservations r;

create view readable_coupons as
  select c.*, to_timestamp(starts_at / 1000.0) as starts, to_timestamp(ends_at / 1000.0) as ends,
         to_timestamp(created_at / 1000.0) as created
  from coupons c;

create view readable_coupon_uses as
  select u.*, to_timestamp(taken_at / 1000.0) as taken from coupon_uses u;

-- Must always be empty: coupons whose counter differs from the orders that have them.
create view coupon_mismatches as
  select c.id, c.uses, count(u.order_id) as counted
  from coupons c
  left join coupon_uses u on u.coupon = c.id
  group by c.id, c.uses
  having c.uses <> count(u.order_id);
