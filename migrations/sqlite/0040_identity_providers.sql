-- Sign-in by OpenID Connect: which identity is which account, and sign-ins that have begun.

create table oidc_identities (
  issuer text not null,
  subject text not null,
  account blob not null,
  created_at integer not null,
  primary key (issuer, subject)
) strict;

create index oidc_identities_of_account on oidc_identities (account);

-- A sign-in works once, in the browser that began it. Only hashes are kept.
create table oidc_sign_ins (
  state_hash blob primary key check (length(state_hash) = 32),
  browser_hash blob not null check (length(browser_hash) = 32),
  expires_at integer not null
) strict;

create index oidc_sign_ins_by_expiry on oidc_sign_ins (expires_at);

create view readable_oidc_identities as
  select i.*, datetime(created_at / 1000, 'unixepoch') as created from oidc_identities i;
