-- Follows: who wants an e-mail when a show starts, or when a product is up in one.

-- A follow that was confirmed. `target` is the product; all zeros: every show of the shop.
create table follows (
  id uuid primary key,
  target uuid not null,
  email text not null,
  email_normalized text not null,             -- one text for all addresses of a mailbox
  language text not null,
  user_id text,                               -- who was signed in
  -- Every mail has a link with it, so it cannot be a hash. It only ends follows of this mailbox.
  stop_secret text not null unique,
  created_at bigint not null
);

create unique index follows_of_mailbox on follows (email_normalized, target);
create index follows_of_target on follows (target, id);
create index follows_of_user on follows (user_id) where user_id is not null;

-- Confirmations that were asked for. They are counted for an hour, and work for two days.
create table follow_requests (
  secret_hash bytea primary key check (length(secret_hash) = 32),
  target uuid not null,
  email text not null,
  email_normalized text not null,
  language text not null,
  user_id text,
  created_at bigint not null,
  expires_at bigint not null
);

create index follow_requests_of_mailbox on follow_requests (email_normalized, created_at);
create index follow_requests_of_user on follow_requests (user_id) where user_id is not null;
create index follow_requests_by_expiry on follow_requests (expires_at);

-- A notification of the followers of a show or a product, once for each show and target. A job writes the mails in batches.
create table announcements (
  stream uuid not null,
  target uuid not null,
  announced_at bigint not null,
  reached uuid not null,                      -- the last follow whose mail was written
  finished_at bigint,
  primary key (stream, target)
);

create index announcements_to_write on announcements (announced_at) where finished_at is null;
create index announcements_by_end on announcements (finished_at) where finished_at is not null;

create view readable_follows as
  select id, target, email, language, user_id, to_timestamp(created_at / 1000.0) as created from follows;

create view readable_follow_requests as
  select target, email, language, user_id, to_timestamp(created_at / 1000.0) as created,
         to_timestamp(expires_at / 1000.0) as expires
  from follow_requests;

create view readable_announcements as
  select a.*, to_timestamp(announced_at / 1000.0) as announced, to_timestamp(finished_at / 1000.0) as finished
  from announcements a;
