-- no-transaction
-- Built while the shop sells (see src/store/migration.rs), so this file may be interrupted and run again.

create index concurrently if not exists offers_of_variant on offers (variant);
