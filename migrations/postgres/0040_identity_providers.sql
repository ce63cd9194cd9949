-- Sign-in by OpenID Connect: which identity is which account, and sign-ins that have begun.

create table oidc_identities (
  issuer text not null,
  subject text not null,
  account uuid not null,
  created_at bigint not null,
  primary key (issuer, subject)
);

create index oidc_identities_of_account on oidc_identities (account);

-- A sign-in works once, in the browser that began it. Only hashes are kept.
create table oidc_sign_ins (
  state_hash bytea primary key check (octet_length(state_hash) = 32),
  browser_hash bytea not null check (octet_length(browser_hash) = 32),
  expires_at bigint not null
);

create index oidc_sign_ins_by_expiry on oidc_sign_ins (expires_at);

create view readable_oidc_identities as
  select i.*, to_timestamp(created_at / 1000.0) as created from oidc_identities i;
