-- One vocabulary: tables, columns and values get the names that the code, the API and the documentation use.
-- The older migration files keep the old names, because sqlx compares the checksum of each file that it has applied.

-- Views name tables and columns, so they are dropped first and created again at the end.
drop view shown_streams;
drop view shown_offers;
drop view shown_orders;
drop view shown_messages;
drop view shown_payments;
drop view shown_refunds;
drop view shown_actions;
drop view shown_invites;
drop view shown_minutes;
drop view shown_pins;
drop view audit;
drop view audit_money;

-- The audit log: what a member of the team did, to whom, and why.
alter table actions rename to audit_log;
update audit_log set kind = 'reject' where kind = 'hide';
update audit_log set kind = 'blocklist' where kind = 'words';
drop index actions_of_stream;
drop index actions_on_user;
create index audit_log_of_stream on audit_log (stream, id);
create index audit_log_on_user on audit_log (user_id, stream, id) where user_id is not null;

-- Stock alerts: users who asked to be notified when units of an offer are back. An alert reserves nothing.
alter table waiting rename to stock_alerts;
drop index waiting_of_user;
create index stock_alerts_of_user on stock_alerts (user_id, stream);

-- Blocked words of a show. A constraint cannot be changed on SQLite, so a column with other values is added, filled and
-- given the name.
alter table muted_words rename to blocked_words;
alter table blocked_words add column word_act text not null default 'refuse' check (word_act in ('review', 'refuse'));
update blocked_words set word_act = 'review' where act = 'hold';
alter table blocked_words drop column act;
alter table blocked_words rename column word_act to action;
alter table blocked_words rename column whole to whole_word;

-- Rules of a show: messages that need a decision of the team go to the review queue.
alter table streams rename column hold_all to review_all;
alter table streams rename column words_v to blocklist_version;
alter table streams add column link_rule text not null default 'refuse' check (link_rule in ('allow', 'review', 'refuse'));
update streams set link_rule = case links when 'hold' then 'review' else links end where links <> 'refuse';
alter table streams drop column links;
alter table streams rename column link_rule to links;

-- The status of a message. Most messages are published, and that is the default, so only the others are updated.
alter table messages add column review_status text not null default 'published'
  check (review_status in ('published', 'pending_review', 'rejected'));
update messages set review_status = case status when 'held' then 'pending_review' else 'rejected' end where status <> 'said';
drop index messages_held;
alter table messages drop column status;
alter table messages rename column review_status to status;
create index messages_pending_review on messages (stream, id) where status = 'pending_review';

-- Results of verbs that were called with an idempotency key.
alter table answers rename to idempotency_keys;

-- The largest number of viewers of a show in each minute.
alter table minutes rename to viewers_by_minute;

alter table test_intents rename column script to scenario;
alter table invites rename column code to code_hash;
alter table shops rename column one to singleton;

-- For people at a console: each table with readable times.
create view readable_streams as
  select s.*, datetime(scheduled_at / 1000, 'unixepoch') as scheduled, datetime(started_at / 1000, 'unixepoch') as started,
         datetime(ended_at / 1000, 'unixepoch') as ended, datetime(created_at / 1000, 'unixepoch') as created
  from streams s;

create view readable_offers as
  select o.*, quantity - reserved as left_now, datetime(opens_at / 1000, 'unixepoch') as opens,
         datetime(closes_at / 1000, 'unixepoch') as closes, datetime(starts_at / 1000, 'unixepoch') as starts
  from offers o;

create view readable_orders as
  select o.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(hold_until / 1000, 'unixepoch') as held_until,
         datetime(paid_at / 1000, 'unixepoch') as paid
  from orders o;

create view readable_messages as
  select m.*, datetime(at / 1000, 'unixepoch') as sent from messages m;

create view readable_payments as
  select p.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from payments p;

create view readable_refunds as
  select r.*, datetime(created_at / 1000, 'unixepoch') as created, datetime(changed_at / 1000, 'unixepoch') as changed
  from refunds r;

create view readable_audit_log as
  select a.*, datetime(at / 1000, 'unixepoch') as recorded from audit_log a;

create view readable_invites as
  select i.id, i.stream, i.role, i.by_user, datetime(created_at / 1000, 'unixepoch') as created,
         datetime(expires_at / 1000, 'unixepoch') as expires, datetime(revoked_at / 1000, 'unixepoch') as revoked
  from invites i;

create view readable_viewers_by_minute as
  select v.*, datetime(minute / 1000, 'unixepoch') as began from viewers_by_minute v;

create view readable_pins as
  select p.*, datetime(at / 1000, 'unixepoch') as pinned, datetime(until / 1000, 'unixepoch') as unpinned from pins p;

-- Must always be empty: offers whose counter of reserved units differs from the sum of their orders.
create view reservation_mismatches as
  select o.id, o.reserved, coalesce(sum(r.qty), 0) as counted
  from offers o
  left join orders r on r.offer = o.id and r.status in ('held', 'capturing', 'paid')
  group by o.id, o.reserved
  having o.reserved <> coalesce(sum(r.qty), 0);

-- Must always be empty: orders that are paid without a captured payment, or refunded without a refund, or the reverse.
create view payment_mismatches as
  select o.id, o.status from orders o
  where (o.status in ('paid', 'refunded'))
          <> exists (select 1 from payments p where p.order_id = o.id and p.attempt = o.attempt and p.status = 'captured')
     or (o.status = 'refunded') <> exists (select 1 from refunds r where r.order_id = o.id and r.status = 'done');
