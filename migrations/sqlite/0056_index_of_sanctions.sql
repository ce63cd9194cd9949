create index if not exists sanctions_of_person on sanctions (person);
drop index if exists bans_of_person;
