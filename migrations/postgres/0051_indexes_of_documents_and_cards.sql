-- no-transaction
-- Payments and refunds that may need a document, and what a card has paid. Built while the shop sells (see src/store/migration.rs), so this file may be interrupted
-- and run again.

create index concurrently if not exists orders_undocumented on orders (paid_at) where paid_at is not null and documented is null;
create index concurrently if not exists refunds_undocumented on refunds (changed_at) where status = 'done' and documented is null;
create index concurrently if not exists payments_of_card on payments (fingerprint) where fingerprint is not null;
