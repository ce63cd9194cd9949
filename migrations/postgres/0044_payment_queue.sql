-- A payment under way makes the holds of its lines longer. Payments wait in a queue while the payment provider takes no more requests.

-- What requests to the payment provider have added to the hold, over all attempts to pay; null: nothing.
alter table reservations add column extended_ms bigint;

-- When the payment provider was asked last to authorise the attempt. Null: it was not asked if the attempt has a number in the queue,
-- and when the attempt was made if it has none.
alter table payments add column called_at bigint;
-- Attempts are sent to the provider in this order; null: the attempt was sent at once.
alter table payments add column queue_number bigint;
-- From when on it may be sent, or sent again if the answer is not known; of attempts with a number.
alter table payments add column call_due_at bigint;
create sequence payment_queue_numbers;

-- The nodes that send payments: each takes its share of the rate.
create table payment_nodes (
  id uuid primary key,
  seen_at bigint not null
);

-- They have all columns of a table that changed, so they are made again.
drop view readable_reservations;
create view readable_reservations as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(hold_until / 1000.0) as held_until
  from reservations r;

drop view readable_payments;
create view readable_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;

create view readable_payment_nodes as
  select n.*, to_timestamp(seen_at / 1000.0) as seen from payment_nodes n;
