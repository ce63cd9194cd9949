-- The keys with which encoders publish the video of a show, and the index for shows that have a recording. A key itself is signed and not
-- stored: a row says which generation of keys is good. A show without a row has generation 0.

create table publish_keys (
  stream uuid primary key references streams (id),
  -- Grows when the keys are replaced or taken back; earlier keys are refused from then on.
  generation bigint not null,
  -- When the newest key of this generation was made; null: none was made since the keys were taken back.
  made_at bigint,
  -- When a media server last let an encoder in with a key of this generation, exact to the minute.
  used_at bigint
);

create view readable_publish_keys as
  select k.*, to_timestamp(made_at / 1000.0) as made, to_timestamp(used_at / 1000.0) as used from publish_keys k;

create index streams_recorded on streams (id) where replay is not null;
