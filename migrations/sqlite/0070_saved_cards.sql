-- Saved cards: a buyer with an account pays again with one tap. The numbers of cards stay at the payment provider.

-- What stands for a buyer at the payment provider. `reference` is its id there, once it is known; the id of the row is the key under
-- which it is asked for. Keys for tests and keys for real money know nothing of each other's customers.
create table payment_customers (
  id blob primary key,
  user_id text not null,
  live integer not null check (live in (0, 1)),
  reference text,
  created_at integer not null,
  unique (user_id, live)
) strict;

create unique index payment_customers_by_reference on payment_customers (reference);

-- A copy of what the provider says of a card, so that a checkout asks nobody. `reference` is the payment method there.
create table saved_cards (
  id blob primary key,
  customer blob not null references payment_customers (id),
  reference text not null unique,
  fingerprint text,
  brand text not null,
  last4 text not null,
  exp_month integer not null,
  exp_year integer not null,
  created_at integer not null
) strict;

create index saved_cards_of_customer on saved_cards (customer, id);

-- What is still to be deleted at the provider: a card that was removed, or a buyer whose data was erased.
create table provider_removals (
  id blob primary key,
  kind text not null check (kind in ('card', 'customer')),
  reference text not null unique,
  live integer not null check (live in (0, 1)),
  tries integer not null default 0,
  due_at integer not null,
  created_at integer not null
) strict;

create index provider_removals_by_due on provider_removals (live, due_at, id);
create index provider_removals_by_age on provider_removals (created_at);

-- 1: the buyer wants the card of this attempt saved. `customer` is set before the first request to the provider, and stays.
alter table payments add column saves_card integer not null default 0;
alter table payments add column customer text;

-- It has all columns of a table that changed, so it is made again.
drop view readable_payments;
create view readable_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

create view readable_payment_customers as
  select c.*, datetime(created_at / 1000, 'unixepoch') as created from payment_customers c;

create view readable_saved_cards as
  select c.*, datetime(created_at / 1000, 'unixepoch') as created from saved_cards c;

create view readable_provider_removals as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(due_at / 1000, 'unixepoch') as due from provider_removals r;
