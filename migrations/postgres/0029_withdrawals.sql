-- Withdrawals from purchases by their buyers. The row stays: the shop must be able to show when it came.

create table withdrawals (
  order_id uuid primary key,
  created_at bigint not null
);

create view readable_withdrawals as
  select w.*, to_timestamp(created_at / 1000.0) as created from withdrawals w;
