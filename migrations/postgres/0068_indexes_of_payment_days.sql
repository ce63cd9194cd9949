-- no-transaction
-- Built while the shop sells (see src/store/migration.rs), so this file may be interrupted and run again.

create index concurrently if not exists payments_captured on payments (coalesce(captured_at, changed_at)) where status = 'captured';
create index concurrently if not exists payments_without_fee on payments (fee_due_at) where fee_due_at is not null;
create index concurrently if not exists refunds_given on refunds (coalesce(done_at, changed_at)) where status = 'done' or was_done = 1;
create index concurrently if not exists refunds_sent_back on refunds (changed_at) where was_done = 1;
create index concurrently if not exists owed_refunds_by_time on owed_refunds (created_at);
