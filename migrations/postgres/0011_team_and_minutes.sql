-- The team of a show, let in by invite links; and what a show's report needs that nothing else keeps.

-- Of a link only the hash is kept: whoever reads the table cannot open it.
create table invites (
  id uuid primary key,
  stream uuid not null references streams (id),
  role text not null check (role in ('moderator', 'producer', 'analyst')),
  code bytea not null unique check (length(code) = 32),
  by_user text not null,
  created_at bigint not null,
  expires_at bigint not null,                 -- the link and every token that came of it end then
  revoked_at bigint
);

create index invites_of_stream on invites (stream, id);

-- Who came by an invite. An id is made for each, so that a revoke can name them.
create table helpers (
  user_id text primary key,
  invite uuid not null references invites (id),
  name text not null,
  joined_at bigint not null
);

create index helpers_of_invite on helpers (invite);

-- How many watched a show, the most in each minute of it, on all nodes together.
create table minutes (
  stream uuid not null,
  minute bigint not null,                     -- epoch milliseconds of its beginning
  viewers bigint not null check (viewers >= 0),
  primary key (stream, minute)
);

-- What was shown as the card, and how long.
create table pins (
  stream uuid not null,
  at bigint not null,
  offer uuid not null,
  until bigint,
  primary key (stream, at, offer)
);

create view shown_invites as
  select i.id, i.stream, i.role, i.by_user, to_timestamp(created_at / 1000.0) as created,
         to_timestamp(expires_at / 1000.0) as expires, to_timestamp(revoked_at / 1000.0) as revoked
  from invites i;

create view shown_minutes as
  select m.*, to_timestamp(minute / 1000.0) as began from minutes m;

create view shown_pins as
  select p.*, to_timestamp(at / 1000.0) as pinned, to_timestamp(until / 1000.0) as unpinned from pins p;
