-- Sums of orders, so that the report of a show with a million orders is read from a few rows. One job adds to them; a purchase
-- and a payment write no row more.

-- The orders of an offer up to `position`, of which the last change was summed. Places have no gaps, and an order that is not
-- decided yet is in unsettled_orders.
create table offer_sums (
  offer uuid primary key,
  stream uuid not null,
  position bigint not null default 0,         -- the last place that was looked at
  is_complete bigint not null default 0 check (is_complete in (0, 1)),   -- the offer is closed: it gets no more orders
  paid bigint not null default 0,
  units_paid bigint not null default 0,
  amount_paid bigint not null default 0,
  expired bigint not null default 0,
  cancelled bigint not null default 0,
  refunded bigint not null default 0,
  amount_refunded bigint not null default 0
);

create index offer_sums_of_stream on offer_sums (stream);
create index offer_sums_open on offer_sums (offer) where is_complete = 0;

-- Orders that were looked at and were held or being captured then.
create table unsettled_orders (
  order_id uuid primary key,
  offer uuid not null
);

create index unsettled_orders_of_offer on unsettled_orders (offer);

-- Orders that were refunded, perhaps after they were summed as paid.
create table unsummed_refunds (
  order_id uuid primary key
);

-- Orders of a show by the minute in which they were placed.
create table orders_by_minute (
  stream uuid not null,
  minute bigint not null,                     -- epoch milliseconds of its beginning
  orders bigint not null,
  primary key (stream, minute)
);

insert into offer_sums (offer, stream) select id, stream from offers;
-- What a demo's simulated viewers bought is in no report.
insert into unsummed_refunds (order_id) select r.order_id from refunds r join orders o on o.id = r.order_id
  where r.status = 'done' and o.buyer not like 'crowd:%';
