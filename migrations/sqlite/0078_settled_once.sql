-- What is decided once and stays: why an attempt to pay was lost, what became of its card, and how a dispute ended that was given up.

-- Why the attempt did not win its order, as its buyer is told, as JSON. Null: it has won or is under way, or a node decided it that does not
-- know this column; then the answer follows from the order as it is now.
alter table payments add column lost_reason text;
-- When the card of the attempt was saved, or when it was decided that it will not be. Null: neither has happened.
alter table payments add column card_settled_at integer;
-- What the team said of a dispute that was given up. Null: it is open, or the provider said how it ended.
alter table disputes add column closed_as text check (closed_as in ('won', 'lost', 'withdrawn'));

-- They have all columns of a table that changed, so they are made again.
drop view readable_payments;
create view readable_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

drop view readable_disputes;
create view readable_disputes as
  select d.*, datetime(opened_at / 1000, 'unixepoch') as opened, datetime(due_at / 1000, 'unixepoch') as due, datetime(closed_at / 1000, 'unixepoch') as closed
  from disputes d;
