-- no-transaction
-- Built while the shop sells (see src/store/migration.rs), so this file may be interrupted and run again.

create index concurrently if not exists sanctions_of_person on sanctions (person);
drop index concurrently if exists bans_of_person;
