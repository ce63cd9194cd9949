-- The staff of the shop, links for its set-up, and its settings.

-- An owner ranks above an admin: sanctions by an owner bind everybody else.
alter table sanctions drop constraint sanctions_by_role_check;
alter table sanctions add constraint sanctions_by_role_check
  check (by_role in ('moderator', 'producer', 'host', 'admin', 'owner'));

-- The roles of accounts: in the whole shop (stream is null), or in one show.
create table staff (
  account uuid not null,
  stream uuid,
  role text not null check (role in ('owner', 'admin', 'host', 'producer', 'moderator', 'analyst')),
  by_name text not null,
  created_at bigint not null,
  constraint staff_shop_role_check check (stream is null or role not in ('owner', 'admin'))
);
create unique index staff_in_shop on staff (account) where stream is null;
create unique index staff_in_stream on staff (account, stream) where stream is not null;
create index staff_owners on staff (role) where role = 'owner';

-- An invite is for one address and for one use. Only the hash of its code is kept.
create table staff_invites (
  id uuid primary key,
  code_hash bytea not null unique check (length(code_hash) = 32),
  email text not null,
  role text not null check (role in ('owner', 'admin', 'host', 'producer', 'moderator', 'analyst')),
  stream uuid,
  by_name text not null,
  -- The inviter's role: what one may not give any more, an invite of theirs does not give either.
  by_account uuid,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  revoked_at bigint
);
create index staff_invites_open on staff_invites (created_at) where used_at is null and revoked_at is null;

-- One-time links by which an owner signs in: the first at the set-up, later ones from the command line.
create table setup_links (
  code_hash bytea primary key check (length(code_hash) = 32),
  created_at bigint not null,
  expires_at bigint not null
);

-- What the pages of the desk can change without a restart. `version` grows with every change.
create table shop_settings (
  name text primary key,
  value text not null,                        -- JSON
  version bigint not null
);

-- The key that signs tokens of a shop that was started without --auth-key. Every node reads it.
create table signing_keys (
  one bigint primary key check (one = 1),
  secret text not null,
  created_at bigint not null
);

create view readable_staff as
  select s.*, a.name, a.email, to_timestamp(s.created_at / 1000.0) as created
  from staff s left join accounts a on a.id = s.account;
