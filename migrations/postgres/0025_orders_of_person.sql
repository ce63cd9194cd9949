-- no-transaction
-- The look-up under the lock of an offer's row asks for the person; nobody asks for the buyer of an offer any more. Each index is
-- built while the shop sells (see src/store/migration.rs), so a statement of this file may be interrupted and run again.

create index concurrently if not exists orders_of_person on orders (offer, person);
drop index concurrently if exists orders_of_buyer;
