-- People who sign in on our own pages: accounts, sign-in sessions and one-time codes by e-mail.

create table accounts (
  id uuid primary key,
  email text unique,                          -- in lower case; null: the account signs in another way
  email_normalized text,                      -- one text for all addresses of a mailbox
  person text not null,                       -- accounts of one mailbox are one person for all limits
  name text not null,
  language text not null,
  created_at bigint not null,
  constraint accounts_email_check check ((email is null) = (email_normalized is null))
);

create index accounts_by_mailbox on accounts (email_normalized, created_at);

-- A session of an account, or of a guest. The secret is the cookie of one browser; only its hash is kept.
create table sign_in_sessions (
  id uuid primary key,
  secret_hash bytea not null unique check (length(secret_hash) = 32),
  user_id text not null,
  account uuid,
  name text not null,                         -- of a guest; an account has its own
  created_at bigint not null,
  last_used_at bigint not null,
  expires_at bigint not null,
  stepped_up_at bigint,
  user_agent text not null
);

create index sign_in_sessions_of_user on sign_in_sessions (user_id, last_used_at);
create index sign_in_sessions_by_expiry on sign_in_sessions (expires_at);

-- Codes that were sent. Rows stay for an hour, because the codes of a mailbox are counted.
create table email_codes (
  id uuid primary key,
  email text not null,
  email_normalized text not null,
  code_hash bytea not null check (length(code_hash) = 32),
  browser_hash bytea not null check (length(browser_hash) = 32),
  language text not null,
  tries bigint not null default 0,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);

create index email_codes_by_mailbox on email_codes (email_normalized, created_at);
create index email_codes_by_age on email_codes (created_at);

create view readable_accounts as
  select a.*, to_timestamp(created_at / 1000.0) as created from accounts a;

create view readable_sign_in_sessions as
  select s.id, s.user_id, s.account, s.name, s.user_agent, to_timestamp(created_at / 1000.0) as created,
         to_timestamp(last_used_at / 1000.0) as last_used, to_timestamp(expires_at / 1000.0) as expires
  from sign_in_sessions s;

-- The person for whom the limit per buyer holds. Orders from before are those of tokens, whose person is the user id.
alter table orders add column person text not null default '';
update orders set person = buyer;
alter table orders alter column person drop default;

-- A mute or a ban binds every identity of a person.
alter table sanctions add column person text not null default '';
update sanctions set person = user_id;
alter table sanctions alter column person drop default;
drop index bans_of_user;
create index bans_of_person on sanctions (person) where kind = 'ban';

-- Who may buy an offer.
alter table offers add column buyers text not null default 'anyone' check (buyers in ('anyone', 'verified', 'account'));

-- Links by which a guest comes back to an order. Of the secret only the hash is kept.
create table order_links (
  secret_hash bytea primary key check (length(secret_hash) = 32),
  order_id uuid not null,
  created_at bigint not null
);

create index order_links_of_order on order_links (order_id, created_at);

-- Views with all columns of a table are made again, so that they have the new ones.
drop view readable_orders;
drop view readable_offers;

create view readable_offers as
  select o.*, quantity - reserved as left_now, to_timestamp(opens_at / 1000.0) as opens,
         to_timestamp(closes_at / 1000.0) as closes, to_timestamp(starts_at / 1000.0) as starts
  from offers o;

create view readable_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(hold_until / 1000.0) as held_until,
         to_timestamp(paid_at / 1000.0) as paid
  from orders o;
