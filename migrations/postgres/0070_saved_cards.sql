-- Saved cards: a buyer with an account pays again with one tap. The numbers of cards stay at the payment provider.

-- What stands for a buyer at the payment provider. `reference` is its id there, once it is known; the id of the row is the key under
-- which it is asked for. Keys for tests and keys for real money know nothing of each other's customers.
create table payment_customers (
  id uuid primary key,
  user_id text not null,
  live bigint not null check (live in (0, 1)),
  reference text,
  created_at bigint not null,
  unique (user_id, live)
);

create unique index payment_customers_by_reference on payment_customers (reference);

-- A copy of what the provider says of a card, so that a checkout asks nobody. `reference` is the payment method there.
create table saved_cards (
  id uuid primary key,
  customer uuid not null references payment_customers (id),
  reference text not null unique,
  fingerprint text,
  brand text not null,
  last4 text not null,
  exp_month bigint not null,
  exp_year bigint not null,
  created_at bigint not null
);

create index saved_cards_of_customer on saved_cards (customer, id);

-- What is still to be deleted at the provider: a card that was removed, or a buyer whose data was erased.
create table provider_removals (
  id uuid primary key,
  kind text not null check (kind in ('card', 'customer')),
  reference text not null unique,
  live bigint not null check (live in (0, 1)),
  tries bigint not null default 0,
  due_at bigint not null,
  created_at bigint not null
);

create index provider_removals_by_due on provider_removals (live, due_at, id);
create index provider_removals_by_age on provider_removals (created_at);

-- 1: the buyer wants the card of this attempt saved. `customer` is set before the first request to the provider, and stays.
alter table payments add column saves_card bigint not null default 0;
alter table payments add column customer text;

-- It has all columns of a table that changed, so it is made again.
drop view readable_payments;
create view readable_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;

create view readable_payment_customers as
  select c.*, to_timestamp(created_at / 1000.0) as created from payment_customers c;

create view readable_saved_cards as
  select c.*, to_timestamp(created_at / 1000.0) as created from saved_cards c;

create view readable_provider_removals as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(due_at / 1000.0) as due from provider_removals r;
