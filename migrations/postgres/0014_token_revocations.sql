-- Tokens that are refused although they are signed and in time. A row is about all tokens of a user that were issued before a
-- time, or about the one token with an id (`jti`).

create table token_revocations (
  id uuid primary key,
  user_id text unique,
  not_before bigint,
  jti text unique,
  expires_at bigint not null,                 -- by then every token that it is about has expired
  created_at bigint not null,
  by_user text not null,
  by_name text not null,
  by_role text not null,
  reason text,
  constraint token_revocations_about_check check
    ((user_id is null) = (not_before is null) and (user_id is null) <> (jti is null))
);

-- One row. Every node reads the version once a second, and the revocations when it has changed.
create table token_revocation_version (
  only_row bigint primary key check (only_row = 1),
  version bigint not null
);

insert into token_revocation_version (only_row, version) values (1, 1);

create view readable_token_revocations as
  select t.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(not_before / 1000.0) as not_before_time
  from token_revocations t;
