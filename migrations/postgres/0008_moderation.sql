-- Keeping talk kind: rules of a show, muted words, what waits for the team, and the log of what the team did.

alter table streams add column chat_off bigint not null default 0 check (chat_off in (0, 1));
alter table streams add column links text not null default 'refuse' check (links in ('allow', 'hold', 'refuse'));
alter table streams add column hold_all bigint not null default 0 check (hold_all in (0, 1));
alter table streams add column words_v bigint not null default 0;   -- the version in which the muted words changed; 0: never
alter table streams add column pinned_message uuid;                  -- the comment that stands above the others, as it was said
alter table streams add column pinned_user text;
alter table streams add column pinned_name text;
alter table streams add column pinned_body text;

alter table messages add column status text not null default 'said' check (status in ('said', 'held', 'hidden'));
alter table messages add column reply_to uuid;
alter table messages add column reply_name text;
alter table messages add column reply_body text;

create index messages_held on messages (stream, id) where status = 'held';
-- A person's messages go together: when they are muted, and when their data is erased.
create index messages_of_user on messages (user_id, stream);
create index messages_replying on messages (reply_to) where reply_to is not null;

alter table sanctions add column reason text;

create table muted_words (
  stream uuid not null,
  position bigint not null,
  word text not null,
  whole bigint not null check (whole in (0, 1)),
  act text not null check (act in ('hold', 'refuse')),
  primary key (stream, position)
);

-- Written in the transaction that did it, where it is about talk; never changed but to erase a name.
create table actions (
  id uuid primary key,
  stream uuid not null,
  at bigint not null,
  by_user text not null,
  by_name text not null,
  by_role text not null,
  kind text not null,
  user_id text,                               -- whom it was done to
  user_name text,
  message uuid,
  subject text,                               -- the offer or order it was about
  detail text,
  reason text
);

create index actions_of_stream on actions (stream, id);
create index actions_on_user on actions (user_id, stream, id) where user_id is not null;

create view shown_actions as
  select a.*, to_timestamp(at / 1000.0) as done from actions a;
