-- The delivery address that a buyer saved for the next purchase, one for each person. The address of an order stands in `addresses`.

create table saved_addresses (
  user_id text primary key check (length(user_id) between 1 and 64),
  address text not null,
  changed_at bigint not null
);

-- For the job that deletes those that were not used for years.
create index saved_addresses_by_age on saved_addresses (changed_at);

create view readable_saved_addresses as
  select s.*, to_timestamp(s.changed_at / 1000.0) as "time" from saved_addresses s;
