-- Invoices and credit notes. They are frozen when they are made: later changes of the shop, its products or its buyers change no document.

create table billing_documents (
  id uuid primary key,
  kind text not null check (kind in ('invoice', 'credit_note')),
  year bigint not null,                       -- the calendar year in the time zone of the shop
  number bigint not null check (number > 0),  -- without gaps by kind and year
  order_id uuid not null,
  refund bigint,                              -- of a credit note: the number of the refund in its order
  issued_at bigint not null,
  currency text not null,
  total bigint not null,
  tax bigint not null,
  body text not null,                         -- JSON: all that the document says
  unique (kind, year, number),
  check ((kind = 'credit_note') = (refund is not null))
);

create index billing_documents_of_order on billing_documents (order_id, id);
create unique index one_invoice_per_order on billing_documents (order_id) where kind = 'invoice';
create unique index one_credit_note_per_refund on billing_documents (order_id, refund) where kind = 'credit_note';

-- Orders that were paid before this time, and their refunds, get no document: their shop has billed them in another way.
create table billing_begin (
  one bigint primary key check (one = 1),
  since bigint not null
);

insert into billing_begin (one, since) values (1, (extract(epoch from clock_timestamp()) * 1000)::bigint);

-- 1: it has its document, or needs none. Null: not yet, or it is from before.
alter table orders add column documented bigint;
alter table refunds add column documented bigint;

-- What the payment provider calls the card (or the like) of a payment that won its order: one person may have several accounts.
alter table payments add column fingerprint text;

-- Where the buyer confirms the payment, as the provider said when it asked for that.
alter table payments add column action_url text;

-- They have all columns of a table that changed, so they are made again.
drop view readable_payments;
create view readable_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;

drop view readable_orders;
create view readable_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(paid_at / 1000.0) as paid
  from orders o;

drop view readable_refunds;
create view readable_refunds as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from refunds r;

create view readable_billing_documents as
  select d.*, to_timestamp(issued_at / 1000.0) as issued from billing_documents d;

-- Whatever a program does: a number that was given stays, with what it says.
create function refuse_change_of_billing_document() returns trigger language plpgsql as
  $$ begin raise exception 'invoices and credit notes are never changed or deleted'; end $$;
create trigger billing_documents_are_kept before update or delete on billing_documents
  for each row execute function refuse_change_of_billing_document();
