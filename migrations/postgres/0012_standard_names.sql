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
alter table audit_log rename constraint actions_pkey to audit_log_pkey;
alter index actions_of_stream rename to audit_log_of_stream;
alter index actions_on_user rename to audit_log_on_user;

-- Stock alerts: users who asked to be notified when units of an offer are back. An alert reserves nothing.
alter table waiting rename to stock_alerts;
alter table stock_alerts rename constraint waiting_pkey to stock_alerts_pkey;
alter index waiting_of_user rename to stock_alerts_of_user;

-- Blocked words of a show. A constraint cannot be changed on SQLite, so a column with other values is added, filled and
-- given the name.
alter table muted_words rename to blocked_words;
alter table blocked_words add column word_act text not null default 'refuse' check (word_act in ('review', 'refuse'));
update blocked_words set word_act = 'review' where act = 'hold';
alter table blocked_words drop column act;
alter table blocked_words rename column word_act to action;
alter table blocked_words rename column whole to whole_word;
alter table blocked_words rename constraint muted_words_pkey to blocked_words_pkey;
alter table blocked_words rename constraint muted_words_whole_check to blocked_words_whole_word_check;
alter table blocked_words rename constraint blocked_words_word_act_check to blocked_words_action_check;
alter table blocked_words alter column action drop default;

-- Rules of a show: messages that need a decision of the team go to the review queue.
alter table streams rename column hold_all to review_all;
alter table streams rename column words_v to blocklist_version;
alter table streams add column link_rule text not null default 'refuse' check (link_rule in ('allow', 'review', 'refuse'));
update streams set link_rule = case links when 'hold' then 'review' else links end where links <> 'refuse';
alter table streams drop column links;
alter table streams rename column link_rule to links;
alter table streams rename constraint streams_hold_all_check to streams_review_all_check;
alter table streams rename constraint streams_link_rule_check to streams_links_check;

-- The status of a message. Most messages are published, and that is the default, so only the others are updated.
alter table messages add column review_status text not null default 'published'
  check (review_status in ('published', 'pending_review', 'rejected'));
update messages set review_status = case status when 'held' then 'pending_review' else 'rejected' end where status <> 'said';
drop index messages_held;
alter table messages drop column status;
alter table messages rename column review_status to status;
create index messages_pending_review on messages (stream, id) where status = 'pending_review';
alter table messages rename constraint messages_review_status_check to messages_status_check;

-- Results of verbs that were called with an idempotency key.
alter table answers rename to idempotency_keys;
alter table idempotency_keys rename constraint answers_pkey to idempotency_keys_pkey;

-- The largest number of viewers of a show in each minute.
alter table minutes rename to viewers_by_minute;
alter table viewers_by_minute rename constraint minutes_pkey to viewers_by_minute_pkey;
alter table viewers_by_minute rename constraint minutes_viewers_check to viewers_by_minute_viewers_check;

alter table test_intents rename column script to scenario;
alter table invites rename column code to code_hash;
alter table shops rename column one to singleton;
alter table invites rename constraint invites_code_key to invites_code_hash_key;
alter table invites rename constraint invites_code_check to invites_code_hash_check;
alter table shops rename constraint shops_one_key to shops_singleton_key;
alter table shops rename constraint shops_one_check to shops_singleton_check;

-- For people at a console: each table with readable times.
create view readable_streams as
  select s.*, to_timestamp(scheduled_at / 1000.0) as scheduled, to_timestamp(started_at / 1000.0) as started,
         to_timestamp(ended_at / 1000.0) as ended, to_timestamp(created_at / 1000.0) as created
  from streams s;

create view readable_offers as
  select o.*, quantity - reserved as left_now, to_timestamp(opens_at / 1000.0) as opens,
         to_timestamp(closes_at / 1000.0) as closes, to_timestamp(starts_at / 1000.0) as starts
  from offers o;

create view readable_orders as
  select o.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(hold_until / 1000.0) as held_until,
         to_timestamp(paid_at / 1000.0) as paid
  from orders o;

create view readable_messages as
  select m.*, to_timestamp(at / 1000.0) as sent from messages m;

create view readable_payments as
  select p.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from payments p;

create view readable_refunds as
  select r.*, to_timestamp(created_at / 1000.0) as created, to_timestamp(changed_at / 1000.0) as changed
  from refunds r;

create view readable_audit_log as
  select a.*, to_timestamp(at / 1000.0) as recorded from audit_log a;

create view readable_invites as
  select i.id, i.stream, i.role, i.by_user, to_timestamp(created_at / 1000.0) as created,
         to_timestamp(expires_at / 1000.0) as expires, to_timestamp(revoked_at / 1000.0) as revoked
  from invites i;

create view readable_viewers_by_minute as
  select v.*, to_timestamp(minute / 1000.0) as began from viewers_by_minute v;

create view readable_pins as
  select p.*, to_timestamp(at / 1000.0) as pinned, to_timestamp(until / 1000.0) as unpinned from pins p;

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
