-- Disputes that the payment provider does not let the shop read: they are asked for only for a time.

-- Since when no look could read it. Null: the last one could, or there was none.
alter table disputes add column unread_since integer;
-- When the shop gave up. It is not asked for any more, and how it ends is not known here.
alter table disputes add column given_up_at integer;

-- A provider that only says with its events how disputes end may never say it. 120 days after their beginning the shop gives them up.
update disputes set look_at = opened_at + 10368000000 where status = 'open' and look_at is null;

-- It has all columns of a table that changed, so it is made again.
drop view readable_disputes;
create view readable_disputes as
  select d.*, datetime(opened_at / 1000, 'unixepoch') as opened, datetime(due_at / 1000, 'unixepoch') as due, datetime(closed_at / 1000, 'unixepoch') as closed
  from disputes d;
