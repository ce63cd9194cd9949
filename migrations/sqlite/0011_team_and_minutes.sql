-- The team of a show, let in by invite links; and what a show's report needs that nothing else keeps.

-- Of a link only the hash is kept: whoever reads the table cannot open it.
create table invites (
  id blob primary key,
  stream blob not null references streams (id),
  role text not null check (role in ('moderator', 'producer', 'analyst')),
  code blob not null unique check (length(code) = 32),
  by_user text not null,
  created_at integer not null,
  expires_at integer not null,                 -- the link and every token that came of it end then
  revoked_at integer
) strict;

create index invites_of_stream on invites (stream, id);

-- Who came by an invite. An id is made for each, so that a revoke can name them.
create table helpers (
  user_id text primary key,
  invite blob not null references invites (id),
  name text not null,
  joined_at integer not null
) strict;

create index helpers_of_invite on helpers (invite);

-- How many watched a show, the most in each minute of it, on all nodes together.
create table minutes (
  stream blob not null,
  minute integer not null,                     -- epoch milliseconds of its beginning
  viewers integer not null check (viewers >= 0),
  primary key (stream, minute)
) strict;

-- What was shown as the card, and how long.
create table pins (
  stream blob not null,
  at integer not null,
  offer blob not null,
  until integer,
  primary key (stream, at, offer)
) strict;

create view shown_invites as
  select i.id, i.stream, i.role, i.by_user, datetime(created_at / 1000, 'unixepoch') as created,
         datetime(expires_at / 1000, 'unixepoch') as expires, datetime(revoked_at / 1000, 'unixepoch') as revoked
  from invites i;

create view shown_minutes as
  select m.*, datetime(minute / 1000, 'unixepoch') as began from minutes m;

create view shown_pins as
  select p.*, datetime(at / 1000, 'unixepoch') as pinned, datetime(until / 1000, 'unixepoch') as unpinned from pins p;
