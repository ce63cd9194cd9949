-- The outbox of e-mails. A row is written in the transaction that made it true, and a job on every node sends it.

create table mails (
  id blob primary key,
  kind text not null,
  -- 0: somebody waits in front of a screen; 1: the others.
  priority integer not null,
  to_address text not null,
  language text not null,
  -- The user whom it is about, for the export and the erasure of their data.
  user_id text,
  order_id blob,
  -- JSON. Of a mail with a secret it is erased once it was sent or has failed.
  content text not null,
  status text not null check (status in ('queued', 'sending', 'sent', 'failed')),
  attempts integer not null default 0,
  unknown_outcomes integer not null default 0,
  -- While it is being sent: until when no other node sends it.
  next_try_at integer not null,
  give_up_at integer not null,
  last_error text,
  created_at integer not null,
  sent_at integer
) strict;

create index mails_due on mails (priority, next_try_at) where status in ('queued', 'sending');
create index mails_waiting on mails (created_at) where status in ('queued', 'sending');
create index mails_by_status on mails (status, id);
create index mails_without_content on mails (id) where content = '';
create index mails_of_order on mails (order_id) where order_id is not null;
create index mails_of_user on mails (user_id) where user_id is not null;

-- Where the mails about an order go, and in which language. They are erased with the address.
alter table addresses add column email text;
alter table addresses add column language text;

-- Filters of the seller's desk to which a member of the team gave a name.
create table saved_views (
  user_id text not null,
  name text not null check (length(name) between 1 and 40),
  query text not null,
  primary key (user_id, name)
) strict;
