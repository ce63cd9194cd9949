-- API keys: secrets for programs of the shop. Only hashes are kept.

create table api_keys (
  id uuid primary key,
  key_hash bytea not null unique check (octet_length(key_hash) = 32),
  name text not null,
  -- The beginning and the end of the secret, for lists.
  hint text not null,
  -- Names with a space between them.
  scopes text not null,
  made_by uuid not null,
  by_name text not null,
  created_at bigint not null,
  last_used_at bigint,
  expires_at bigint,
  ended_at bigint
);

create index api_keys_of_account on api_keys (made_by);

create view readable_api_keys as
  select k.*, to_timestamp(created_at / 1000.0) as created from api_keys k;
