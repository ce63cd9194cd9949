-- Passkeys of accounts, and the challenges that browsers answer with them.

create table passkeys (
  id uuid primary key,
  account uuid not null,
  credential bytea not null unique,           -- the id that the authenticator gave it
  public_key bytea not null,                  -- COSE
  rp_id text not null,                        -- the host for which it was made
  sign_count bigint not null,
  name text not null,
  created_at bigint not null,
  last_used_at bigint
);

create index passkeys_of_account on passkeys (account, created_at);

-- A challenge works once. Only its hash is kept.
create table passkey_challenges (
  challenge_hash bytea primary key check (octet_length(challenge_hash) = 32),
  account uuid,                               -- for a new passkey of this account; null: for a proof
  expires_at bigint not null
);

create index passkey_challenges_by_expiry on passkey_challenges (expires_at);

-- When the passkey of the account was used in this session. The roles of an account that has passkeys need it.
alter table sign_in_sessions add column passkey_at bigint;

create view readable_passkeys as
  select p.id, p.account, p.rp_id, p.name, to_timestamp(created_at / 1000.0) as created,
         to_timestamp(last_used_at / 1000.0) as last_used
  from passkeys p;
