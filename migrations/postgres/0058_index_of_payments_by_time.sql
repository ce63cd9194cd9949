-- no-transaction
-- Built while the shop sells (see src/store/migration.rs), so this file may be interrupted and run again.

create index concurrently if not exists payments_by_time on payments (provider, created_at, order_id, attempt);
