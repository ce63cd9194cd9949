-- A claim of a coupon stays until its coupon is on a paid order, also when the buyer takes the coupon away from an order.

-- The order from which the buyer has taken it away; null: none.
alter table coupon_claims add column declined_order uuid;

-- It has all columns of a table that changed, so it is made again.
drop view readable_coupon_claims;
create view readable_coupon_claims as
  select c.*, to_timestamp(claimed_at / 1000.0) as claimed from coupon_claims c;
