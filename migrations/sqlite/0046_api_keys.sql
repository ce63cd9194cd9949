-- API keys: secrets for programs of the shop. Only hashes are kept.

create table api_keys (
  id blob primary key,
  key_hash blob not null unique check (length(key_hash) = 32),
  name text not null,
  -- The beginning and the end of the secret, for lists.
  hint text not null,
  -- Names with a space between them.
  scopes text not null,
  made_by blob not null,
  by_name text not null,
  created_at integer not null,
  last_used_at integer,
  expires_at integer,
  ended_at integer
) strict;

create index api_keys_of_account on api_keys (made_by);

create view readable_api_keys as
  select k.*, datetime(created_at / 1000, 'unixepoch') as created from api_keys k;
