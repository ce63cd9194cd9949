-- Withdrawals from purchases by their buyers. The row stays: the shop must be able to show when it came.

create table withdrawals (
  order_id blob primary key,
  created_at integer not null
) strict;

create view readable_withdrawals as
  select w.*, datetime(created_at / 1000, 'unixepoch') as created from withdrawals w;
