-- Money: which try won its order, refunds, what providers say, and the book of the test provider.

-- The one try that may be captured, set where `held` becomes `capturing`.
alter table orders add column attempt integer;

drop view shown_payments;
alter table payments rename to payments_before;

create table payments (
  order_id blob not null,
  attempt integer not null,
  provider text not null,                     -- 'none' where there is nothing to pay
  token text not null,
  reference text,                             -- the provider's name for it, once it is known
  status text not null check (status in
    ('creating', 'needs_action', 'authorized', 'voiding', 'captured', 'declined', 'cancelled', 'failed')),
  amount integer not null,
  currency text not null,
  buyer text,                                 -- whose key it was; the same key again is the same try
  key text,
  hash blob,
  tried_at integer not null default 0,         -- when the reconciler last looked: whatever breaks goes to the end
  created_at integer not null,
  changed_at integer not null,
  primary key (order_id, attempt)
) strict;

insert into payments (order_id, attempt, provider, token, reference, status, amount, currency, created_at, changed_at)
  select order_id, attempt, provider, token, reference, status, amount, currency, created_at, changed_at
  from payments_before;
drop table payments_before;

create unique index payments_by_key on payments (buyer, key);
create unique index payments_by_reference on payments (provider, reference);
create index payments_open on payments (tried_at) where status in ('creating', 'needs_action', 'authorized', 'voiding');

update orders set attempt = (select max(p.attempt) from payments p
    where p.order_id = orders.id and p.status in ('authorized', 'captured', 'failed'))
  where status in ('capturing', 'paid');

-- Money on its way back. The order stays `paid` until the provider has done it.
create table refunds (
  order_id blob not null,
  n integer not null,                          -- part of the key the provider sees
  status text not null check (status in ('pending', 'done', 'failed')),
  amount integer not null,
  currency text not null,
  restock integer not null check (restock in (0, 1)),
  reason text,
  by_user text not null,
  key text not null,
  hash blob not null,
  tried_at integer not null default 0,
  created_at integer not null,
  changed_at integer not null,
  primary key (order_id, n)
) strict;

create unique index refunds_by_key on refunds (by_user, key);
create unique index one_refund_per_order on refunds (order_id) where status <> 'failed';
create index refunds_open on refunds (tried_at) where status = 'pending';

-- The inbox: what providers told us of. Only that something happened is kept; what is true is asked of them.
create table payment_events (
  provider text not null,
  event_id text not null,
  kind text not null,
  reference text,
  received_at integer not null,
  tried_at integer not null default 0,
  done_at integer,
  primary key (provider, event_id)
) strict;

create index payment_events_open on payment_events (tried_at) where done_at is null;
create index payment_events_by_age on payment_events (received_at);

-- The test provider's own book. It stands for a system outside: nothing but the test provider reads or writes it,
-- and never in a transaction of ours.
create table test_intents (
  id text primary key,
  order_id blob not null,
  attempt integer not null,
  script text not null,
  status text not null check (status in ('needs_action', 'declined', 'authorized', 'captured', 'cancelled', 'failed')),
  amount integer not null,
  currency text not null,
  livemode integer not null default 0,
  captured integer not null default 0,
  refunded integer not null default 0,
  created_at integer not null,
  changed_at integer not null,
  check (captured in (0, amount)),
  check (refunded between 0 and captured)
) strict;

create index test_intents_of_order on test_intents (order_id, attempt);

-- The keys it remembers: the same key is the same answer, and with other words an error.
create table test_calls (
  key text primary key,
  request text not null,
  intent text not null,
  answer text not null,
  created_at integer not null
) strict;

insert into test_intents (id, order_id, attempt, script, status, amount, currency, captured, created_at, changed_at)
  select reference, order_id, attempt, token, status, amount, currency,
         case status when 'captured' then amount else 0 end, created_at, changed_at
  from payments where reference is not null and status <> 'creating';

create view shown_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

create view shown_refunds as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from refunds r;

-- Must return nothing, always: orders that are paid without money, or the other way round.
create view audit_money as
  select o.id, o.status from orders o
  where (o.status in ('paid', 'refunded'))
          <> exists (select 1 from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured')
     or (o.status = 'refunded') <> exists (select 1 from refunds r where r.order_id = o.id and r.status = 'done');
