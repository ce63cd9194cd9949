-- no-transaction
-- The attempts that wait for their turn, and those whose answer is not known yet. It is built while the shop sells (see
-- src/store/migration.rs), so this file may be interrupted and run again.

create index concurrently if not exists payments_queue on payments (queue_number)
  where queue_number is not null and status = 'creating';
