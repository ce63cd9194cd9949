-- Passkeys of accounts, and the challenges that browsers answer with them.

create table passkeys (
  id blob primary key,
  account blob not null,
  credential blob not null unique,            -- the id that the authenticator gave it
  public_key blob not null,                   -- COSE
  rp_id text not null,                        -- the host for which it was made
  sign_count integer not null,
  name text not null,
  created_at integer not null,
  last_used_at integer
) strict;

create index passkeys_of_account on passkeys (account, created_at);

-- A challenge works once. Only its hash is kept.
create table passkey_challenges (
  challenge_hash blob primary key check (length(challenge_hash) = 32),
  account blob,                               -- for a new passkey of this account; null: for a proof
  expires_at integer not null
) strict;

create index passkey_challenges_by_expiry on passkey_challenges (expires_at);

-- When the passkey of the account was used in this session. The roles of an account that has passkeys need it.
alter table sign_in_sessions add column passkey_at integer;

create view readable_passkeys as
  select p.id, p.account, p.rp_id, p.name, datetime(created_at / 1000, 'unixepoch') as created,
         datetime(last_used_at / 1000, 'unixepoch') as last_used
  from passkeys p;
