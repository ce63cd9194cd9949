-- no-transaction
-- Built while the shop sells (see src/store/migration.rs), so this file may be interrupted and run again.

create index concurrently if not exists orders_placed on orders (due_at) where status = 'placed';
create index concurrently if not exists orders_placed_by_person on orders (person) where status = 'placed';
