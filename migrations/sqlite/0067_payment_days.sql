-- What the page of payments by day shows: when money was taken and given back, what the payment provider keeps of it, and disputes.

-- When the shop had the money. Null: it was taken before there was this column, and `changed_at` says when.
alter table payments add column captured_at integer;
-- What the provider keeps of the payment, in the currency in which it pays the shop out. Null: not known.
alter table payments add column fee integer;
alter table payments add column fee_currency text;
-- When the provider is asked for the fee. Null: it is known, or it will not be.
alter table payments add column fee_due_at integer;
alter table payments add column fee_looks integer not null default 0;     -- how often it was asked

-- When the buyer had the money; it stays when the bank sends the money back later. Null: `changed_at` says when.
alter table refunds add column done_at integer;

-- Payments that buyers dispute at their banks.
create table disputes (
  provider text not null,
  reference text not null,                    -- the provider's id of it; the id of the payment where no details are known
  order_id blob not null,
  attempt integer not null,
  status text not null check (status in ('open', 'won', 'lost')),
  needs_answer integer not null check (needs_answer in (0, 1)),           -- the shop has not sent its evidence
  amount integer not null,
  currency text not null,
  reason text,                                -- as the provider calls it
  due_at integer,                             -- until when the shop can answer
  opened_at integer not null,
  closed_at integer,
  look_at integer,                            -- when the provider is asked for it again; null: never
  primary key (provider, reference)
) strict;

create index disputes_of_order on disputes (order_id);
create index disputes_open on disputes (opened_at) where status = 'open';
create index disputes_opened on disputes (opened_at);
create index disputes_closed on disputes (closed_at) where closed_at is not null;
create index disputes_to_look_at on disputes (look_at) where look_at is not null;

create view readable_disputes as
  select d.*, datetime(opened_at / 1000, 'unixepoch') as opened, datetime(due_at / 1000, 'unixepoch') as due, datetime(closed_at / 1000, 'unixepoch') as closed
  from disputes d;

-- They have all columns of a table that changed, so they are made again.
drop view readable_payments;
create view readable_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

drop view readable_refunds;
create view readable_refunds as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from refunds r;
