-- Invoices and credit notes. They are frozen when they are made: later changes of the shop, its products or its buyers change no document.

create table billing_documents (
  id blob primary key,
  kind text not null check (kind in ('invoice', 'credit_note')),
  year integer not null,                      -- the calendar year in the time zone of the shop
  number integer not null check (number > 0), -- without gaps by kind and year
  order_id blob not null,
  refund integer,                             -- of a credit note: the number of the refund in its order
  issued_at integer not null,
  currency text not null,
  total integer not null,
  tax integer not null,
  body text not null,                         -- JSON: all that the document says
  unique (kind, year, number),
  check ((kind = 'credit_note') = (refund is not null))
) strict;

create index billing_documents_of_order on billing_documents (order_id, id);
create unique index one_invoice_per_order on billing_documents (order_id) where kind = 'invoice';
create unique index one_credit_note_per_refund on billing_documents (order_id, refund) where kind = 'credit_note';

-- Orders that were paid before this time, and their refunds, get no document: their shop has billed them in another way.
create table billing_begin (
  one integer primary key check (one = 1),
  since integer not null
) strict;

insert into billing_begin (one, since) values (1, cast((julianday('now') - 2440587.5) * 86400000 as integer));

-- 1: it has its document, or needs none. Null: not yet, or it is from before.
alter table orders add column documented integer;
alter table refunds add column documented integer;

-- What the payment provider calls the card (or the like) of a payment that won its order: one person may have several accounts.
alter table payments add column fingerprint text;

-- Where the buyer confirms the payment, as the provider said when it asked for that.
alter table payments add column action_url text;

-- They have all columns of a table that changed, so they are made again.
drop view readable_payments;
create view readable_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

drop view readable_orders;
create view readable_orders as
  select o.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(paid_at / 1000, 'unixepoch') as paid
  from orders o;

drop view readable_refunds;
create view readable_refunds as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from refunds r;

create view readable_billing_documents as
  select d.*, datetime(issued_at / 1000, 'unixepoch') as issued from billing_documents d;

-- Whatever a program does: a number that was given stays, with what it says.
create trigger billing_documents_are_not_changed before update on billing_documents
  begin select raise(abort, 'invoices and credit notes are never changed or deleted'); end;
create trigger billing_documents_are_not_deleted before delete on billing_documents
  begin select raise(abort, 'invoices and credit notes are never changed or deleted'); end;
