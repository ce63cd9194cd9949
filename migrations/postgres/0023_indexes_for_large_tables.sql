-- no-transaction
-- Queries that read a whole table once it is large. Each index is built while the shop sells (see src/store/migration.rs), so a
-- statement of this file may be interrupted and run again.

-- The erasure of a user's data.
create index concurrently if not exists sanctions_of_user on sanctions (user_id);
drop index concurrently if exists bans_of_user;
-- Quotes whose message is gone.
create index concurrently if not exists messages_replying_in_stream on messages (stream) where reply_to is not null;
create index concurrently if not exists streams_by_pinned_user on streams (pinned_user) where pinned_user is not null;
create index concurrently if not exists token_revocations_by_author on token_revocations (by_user);
-- Every node looks once a second for a sign-out in the future.
create index concurrently if not exists token_revocations_by_time on token_revocations (not_before) where not_before is not null;
create index concurrently if not exists token_revocations_by_end on token_revocations (expires_at);
-- It reads the texts that the team wrote, and most rows have none.
create index concurrently if not exists audit_log_with_text on audit_log (id) where reason is not null or detail is not null;
create index concurrently if not exists sanctions_with_reason on sanctions (stream, user_id, kind) where reason is not null;
create index concurrently if not exists refunds_with_reason on refunds (order_id, n) where reason is not null;

-- Addresses whose user asked for erasure while the order was open.
create index concurrently if not exists addresses_to_erase on addresses (order_id) where erase_when_done = 1;

-- The test provider forgets old calls every 30 seconds.
create index concurrently if not exists test_calls_by_age on test_calls (created_at);

-- The report of a show counts its failed payments, by the days of the show.
create index concurrently if not exists payments_failed on payments (order_id) where status in ('declined', 'failed');

-- What is due to start and to close, and what is on sale in a show. None of these columns changes when units are sold, so the
-- updates of a sale stay on their page (HOT).
create index concurrently if not exists offers_by_start on offers (starts_at) where stage = 'draft' and starts_at is not null;
create index concurrently if not exists offers_by_end on offers (closes_at) where stage <> 'closed' and closes_at is not null;
create index concurrently if not exists offers_not_closed_of_stream on offers (stream, id) where stage <> 'closed';
drop index concurrently if exists offers_not_closed;
