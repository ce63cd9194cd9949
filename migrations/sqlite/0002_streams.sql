-- Shows, their offers, their talk.

create table streams (
  id blob primary key,
  shop blob not null references shops (id),
  title text not null,
  titles text not null,
  host text not null,
  status text not null check (status in ('scheduled', 'live', 'ended')),
  video text,
  poster text,
  scheduled_at integer,
  started_at integer,
  ended_at integer,
  pin blob,                                   -- the offer being shown now
  slow_ms integer not null default 0 check (slow_ms between 0 and 300000),
  notice text,
  likes integer not null default 0,
  version integer not null default 1,          -- raised by every change of pin, chat rules or status
  created_at integer not null
) strict;

create index streams_by_status on streams (status, id);

-- One hot row per offer: the whole truth of selling.
create table offers (
  id blob primary key,
  stream blob not null references streams (id),
  variant blob not null references variants (id),
  kind text not null check (kind in ('regular', 'flash')),
  stage text not null check (stage in ('draft', 'open', 'paused', 'closed')),
  price integer not null check (price between 0 and 100000000000),
  old_price integer,
  currency text not null,
  quantity integer not null check (quantity >= 0),
  reserved integer not null default 0,         -- units in held, capturing and paid orders
  next_place integer not null default 1,
  per_buyer integer not null check (per_buyer between 1 and 1000),
  countdown_ms integer not null,
  duration_ms integer,
  hold_ms integer not null check (hold_ms between 10000 and 3600000),
  opens_at integer,
  closes_at integer,
  version integer not null default 1,
  constraint never_oversold check (reserved between 0 and quantity),  -- the last line, never the first
  constraint a_window_has_a_length check (opens_at is null or closes_at is null or opens_at < closes_at)
) strict;

create index offers_of_stream on offers (stream, id);
create index offers_not_closed on offers (stage) where stage <> 'closed';

create table messages (
  id blob primary key,
  stream blob not null,
  at integer not null,
  user_id text not null,
  user_name text not null,
  user_role text not null,
  body text not null,
  deleted_by text
) strict;

create index messages_of_stream on messages (stream, id);

-- A mute (until a time) or a ban (until lifted); one of each per person and show.
create table sanctions (
  stream blob not null,
  user_id text not null,
  kind text not null check (kind in ('mute', 'ban')),
  user_name text not null,
  until integer,
  by_user text not null,
  created_at integer not null,
  primary key (stream, user_id, kind)
) strict;
