-- no-transaction
-- Built while the shop sells (see src/store/migration.rs), so this file may be interrupted and run again.

create unique index concurrently if not exists one_refund_in_flight_per_order on refunds (order_id)
  where status = 'pending' and reference is null;
create unique index concurrently if not exists refunds_by_reference on refunds (order_id, reference) where reference is not null;
create index concurrently if not exists refunds_done on refunds (changed_at) where status = 'done' and reference is not null;
