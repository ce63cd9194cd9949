-- Shows, their offers, their talk.

create table streams (
  id uuid primary key,
  shop uuid not null references shops (id),
  title text not null,
  titles text not null,
  host text not null,
  status text not null check (status in ('scheduled', 'live', 'ended')),
  video text,
  poster text,
  scheduled_at bigint,
  started_at bigint,
  ended_at bigint,
  pin uuid,                                   -- the offer being shown now
  slow_ms bigint not null default 0 check (slow_ms between 0 and 300000),
  notice text,
  likes bigint not null default 0,
  version bigint not null default 1,          -- raised by every change of pin, chat rules or status
  created_at bigint not null
);

create index streams_by_status on streams (status, id);

-- One hot row per offer: the whole truth of selling. Few updates fit a page, so they stay on it (HOT).
create table offers (
  id uuid primary key,
  stream uuid not null references streams (id),
  variant uuid not null references variants (id),
  kind text not null check (kind in ('regular', 'flash')),
  stage text not null check (stage in ('draft', 'open', 'paused', 'closed')),
  price bigint not null check (price between 0 and 100000000000),
  old_price bigint,
  currency text not null,
  quantity bigint not null check (quantity >= 0),
  reserved bigint not null default 0,         -- units in held, capturing and paid orders
  next_place bigint not null default 1,
  per_buyer bigint not null check (per_buyer between 1 and 1000),
  countdown_ms bigint not null,
  duration_ms bigint,
  hold_ms bigint not null check (hold_ms between 10000 and 3600000),
  opens_at bigint,
  closes_at bigint,
  version bigint not null default 1,
  constraint never_oversold check (reserved between 0 and quantity),  -- the last line, never the first
  constraint a_window_has_a_length check (opens_at is null or closes_at is null or opens_at < closes_at)
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create index offers_of_stream on offers (stream, id);
create index offers_not_closed on offers (stage) where stage <> 'closed';

create table messages (
  id uuid primary key,
  stream uuid not null,
  at bigint not null,
  user_id text not null,
  user_name text not null,
  user_role text not null,
  body text not null,
  deleted_by text
);

create index messages_of_stream on messages (stream, id);

-- A mute (until a time) or a ban (until lifted); one of each per person and show.
create table sanctions (
  stream uuid not null,
  user_id text not null,
  kind text not null check (kind in ('mute', 'ban')),
  user_name text not null,
  until bigint,
  by_user text not null,
  created_at bigint not null,
  primary key (stream, user_id, kind)
);
