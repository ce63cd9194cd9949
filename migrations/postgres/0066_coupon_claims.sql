-- Coupons in a show: the team shows one, and viewers claim it. A claim reserves nothing.

create table coupon_claims (
  coupon uuid not null references coupons (id),
  person text not null,
  user_id text not null,
  claimed_at bigint not null,
  primary key (person, coupon)
);

create index claims_of_coupon on coupon_claims (coupon);
create index coupon_claims_of_user on coupon_claims (user_id);

create view readable_coupon_claims as
  select c.*, to_timestamp(claimed_at / 1000.0) as claimed from coupon_claims c;

-- The coupon that viewers see, as JSON; null: none.
alter table streams add column coupon text;
create index streams_with_coupon on streams (id) where coupon is not null;
