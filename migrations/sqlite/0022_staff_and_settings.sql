-- The staff of the shop, links for its set-up, and its settings.

-- An owner ranks above an admin: sanctions by an owner bind everybody else.
alter table sanctions rename column by_role to old_by_role;
alter table sanctions add column by_role text not null default 'host'
  check (by_role in ('moderator', 'producer', 'host', 'admin', 'owner'));
update sanctions set by_role = old_by_role;
alter table sanctions drop column old_by_role;

-- The roles of accounts: in the whole shop (stream is null), or in one show.
create table staff (
  account blob not null,
  stream blob,
  role text not null check (role in ('owner', 'admin', 'host', 'producer', 'moderator', 'analyst')),
  by_name text not null,
  created_at integer not null,
  constraint staff_shop_role_check check (stream is null or role not in ('owner', 'admin'))
) strict;
create unique index staff_in_shop on staff (account) where stream is null;
create unique index staff_in_stream on staff (account, stream) where stream is not null;
create index staff_owners on staff (role) where role = 'owner';

-- An invite is for one address and for one use. Only the hash of its code is kept.
create table staff_invites (
  id blob primary key,
  code_hash blob not null unique check (length(code_hash) = 32),
  email text not null,
  role text not null check (role in ('owner', 'admin', 'host', 'producer', 'moderator', 'analyst')),
  stream blob,
  by_name text not null,
  -- The inviter's role: what one may not give any more, an invite of theirs does not give either.
  by_account blob,
  created_at integer not null,
  expires_at integer not null,
  used_at integer,
  revoked_at integer
) strict;
create index staff_invites_open on staff_invites (created_at) where used_at is null and revoked_at is null;

-- One-time links by which an owner signs in: the first at the set-up, later ones from the command line.
create table setup_links (
  code_hash blob primary key check (length(code_hash) = 32),
  created_at integer not null,
  expires_at integer not null
) strict;

-- What the pages of the desk can change without a restart. `version` grows with every change.
create table shop_settings (
  name text primary key,
  value text not null,                        -- JSON
  version integer not null
) strict;

-- The key that signs tokens of a shop that was started without --auth-key. Every node reads it.
create table signing_keys (
  one integer primary key check (one = 1),
  secret text not null,
  created_at integer not null
) strict;

create view readable_staff as
  select s.*, a.name, a.email, datetime(s.created_at / 1000, 'unixepoch') as created
  from staff s left join accounts a on a.id = s.account;
