-- Disputes that the payment provider does not let the shop read: they are asked for only for a time.

-- Since when no look could read it. Null: the last one could, or there was none.
alter table disputes add column unread_since bigint;
-- When the shop gave up. It is not asked for any more, and how it ends is not known here.
alter table disputes add column given_up_at bigint;

-- A provider that only says with its events how disputes end may never say it. 120 days after their beginning the shop gives them up.
update disputes set look_at = opened_at + 10368000000 where status = 'open' and look_at is null;

-- It has all columns of a table that changed, so it is made again.
drop view readable_disputes;
create view readable_disputes as
  select d.*, to_timestamp(opened_at / 1000.0) as opened, to_timestamp(due_at / 1000.0) as due, to_timestamp(closed_at / 1000.0) as closed
  from disputes d;
