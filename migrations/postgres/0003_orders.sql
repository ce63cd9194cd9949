-- Purchases. No foreign key to offers: it would take a key-share lock on the hot row for every order of a batch.

create table orders (
  id uuid primary key,
  stream uuid not null,
  offer uuid not null,
  buyer text not null,
  buyer_name text not null,
  key text not null check (length(key) between 8 and 255),
  hash bytea not null check (length(hash) = 32),   -- what the key was used for
  status text not null check (status in ('held', 'capturing', 'paid', 'expired', 'cancelled', 'refunded')),
  qty bigint not null check (qty > 0),
  amount bigint not null check (amount >= 0),
  currency text not null,
  place bigint not null,
  reason text,
  version bigint not null default 1,
  created_at bigint not null,
  hold_until bigint not null,
  changed_at bigint not null,
  paid_at bigint,
  constraint one_order_per_key unique (buyer, key),
  constraint one_buyer_per_place unique (offer, place)
);

create index orders_of_buyer on orders (offer, buyer, status);
create index orders_mine on orders (buyer, id);
create index orders_of_stream on orders (stream, status);
create index orders_due on orders (hold_until) where status = 'held';
create index orders_unpaid on orders (offer) where status in ('held', 'capturing');

-- Idempotency of the verbs on an order (pay, cancel); a purchase's own key lives in its row.
create table answers (
  buyer text not null,
  verb text not null,
  key text not null,
  hash bytea not null,
  order_id uuid not null,
  code text,                                  -- null: the order as it is now; else the refusal that was the answer
  created_at bigint not null,
  primary key (buyer, verb, key)
);

-- One try to take money. Written before the provider is called; a crash in between is settled by asking again.
create table payments (
  order_id uuid not null,
  attempt bigint not null,
  provider text not null,
  token text not null,
  reference text,
  status text not null check (status in ('creating', 'authorized', 'captured', 'declined', 'cancelled', 'failed')),
  amount bigint not null,
  currency text not null,
  created_at bigint not null,
  changed_at bigint not null,
  primary key (order_id, attempt)
);

create index orders_capturing on orders (changed_at) where status = 'capturing';

-- What others must hear of, written in the transaction that made it true, deleted when delivered.
create table outbox (
  id uuid primary key,
  topic text not null,
  body text not null,
  created_at bigint not null
);
