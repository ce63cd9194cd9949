-- Whether buyers can pay an offer later, in cash on delivery or by bank transfer: 1, 0, or as the shop says. Nodes of the version before leave
-- it null.
alter table offers add column pay_later bigint check (pay_later in (0, 1));

-- It has all columns of a table that changed, so it is made again.
drop view readable_offers;
create view readable_offers as
  select o.*, quantity - reserved as left_now, to_timestamp(opens_at / 1000.0) as opens,
         to_timestamp(closes_at / 1000.0) as closes, to_timestamp(starts_at / 1000.0) as starts
  from offers o;
