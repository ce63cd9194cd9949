//! A database with every table grown large: what a query reads there shows whether it looks up or searches.

use livesouk::domain::{OfferId, OrderId, ProductId, StreamId};
use uuid::Uuid;

use crate::contract_store::fixture::Fixture;

/// Rows of the tables that grow with every sale: reservations, orders, payments, messages, the audit log and what belongs to them. The test
/// runs with 200,000; set the variable to 5000000 for the size of a large shop.
const ROWS_VARIABLE: &str = "LIVESOUK_TEST_PLAN_ROWS";
const ROWS: i64 = 200_000;

/// Ids of one kind: a time that is the same in the whole kind, and a number.
const STREAMS: u128 = 1_600_000_000_000;
const OFFERS: u128 = 1_600_000_100_000;
const ORDERS: u128 = 1_600_000_200_000;

/// An id of the large tables, as the function `large_id` makes it in the database.
fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(kind << 80 | 0x7000 << 64 | 0x8000 << 48 | number)
}

/// A show that has ended, with thousands of messages, audit log entries and orders.
pub fn old_stream() -> StreamId {
    StreamId(id(STREAMS, 7))
}

/// Its offer, with hundreds of orders or more.
pub fn old_offer() -> OfferId {
    OfferId(id(OFFERS, 7))
}

/// An order that was paid and sent.
pub fn old_order() -> OrderId {
    OrderId(id(ORDERS, 7))
}

/// A product that is not in an offer.
pub fn old_product() -> ProductId {
    ProductId(id(1_600_001_000_000, 7))
}

/// A user with orders, messages, sanctions and entries in the audit log.
pub const OLD_USER: &str = "user-7";

pub fn rows() -> i64 {
    std::env::var(ROWS_VARIABLE).ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS)
}

/// `$n`: all rows, `$some`: a quarter of them, `$shop` and `$variant`: what the fixture has.
const TABLES: &str = "
    set synchronous_commit = off;
    create function large_id(kind bigint, number bigint) returns uuid language sql immutable as
        $$ select (lpad(to_hex(kind), 12, '0') || '70008000' || lpad(to_hex(number), 12, '0'))::uuid $$;
    insert into streams (id, shop, title, titles, host, status, started_at, ended_at, created_at)
        select large_id(1600000000000, n), $shop, 'Show', '{}', 'Noura', 'ended', 1, 2, 1 from generate_series(0, 4999) n;
    insert into offers (id, stream, variant, kind, stage, price, currency, quantity, reserved, next_place, per_buyer, countdown_ms,
            hold_ms, opens_at, closes_at)
        select large_id(1600000100000, n), large_id(1600000000000, n % 5000), $variant, 'regular', 'closed', 100, 'SAR',
            1000000, 0, 1 + $n / 400, 1000, 0, 300000, 1, 2 from generate_series(0, 19999) n;
    insert into offer_sums (offer, stream, position, is_complete)
        select large_id(1600000100000, n), large_id(1600000000000, n % 5000), $n / 400, 1 from generate_series(0, 19999) n;
    insert into orders_by_minute (stream, minute, orders)
        select large_id(1600000000000, n % 400), 60000::bigint * n, 5 from generate_series(0, $some) n;
    insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, returned, qty, amount, currency, place, created_at,
            hold_until, changed_at, order_id, person)
        select large_id(1600000200000, n), large_id(1600000000000, n % 400), large_id(1600000100000, n % 400), 'user-' || n % 20000,
            'User ' || n % 20000, 'key-of-order-' || n, decode(repeat('07', 32), 'hex'),
            case n % 20 when 0 then 'expired' when 1 then 'cancelled' else 'sold' end, case n % 20 when 2 then 1 else 0 end, 1, 100, 'SAR',
            1 + n / 400, 1600000000000 + n * 10, 1600000300000 + n * 10, 1600000000000 + n * 10, large_id(1600000200000, n),
            'user-' || n % 20000
        from generate_series(0, $n - 1) n;
    insert into orders (id, stream, buyer, status, currency, attempt, created_at, changed_at, paid_at)
        select large_id(1600000200000, n), large_id(1600000000000, n % 400), 'user-' || n % 20000,
            case n % 20 when 0 then 'paying' when 1 then 'cancelled' else 'paid' end, 'SAR', 1, 1600000000000 + n * 10,
            1600000000000 + n * 10, 1600000000000 + n * 10
        from generate_series(0, $n - 1) n;
    insert into payments (order_id, attempt, provider, token, reference, status, amount, currency, buyer, key, hash, tried_at,
            created_at, changed_at, fingerprint)
        select large_id(1600000200000, n), 1, 'test', 'ok', 'ref-' || n, case n % 20 when 0 then 'declined' else 'captured' end, 100,
            'SAR', 'user-' || n % 20000, 'pay-' || n, decode(repeat('07', 32), 'hex'), 1, 1, 1, 'fp-' || n % 20000 from generate_series(0, $n - 1) n;
    insert into messages (id, stream, at, user_id, user_name, user_role, body)
        select large_id(1600000400000, n), large_id(1600000000000, n % 400), 1600000000000 + n * 10, 'user-' || n % 20000,
            'User ' || n % 20000, 'viewer', 'A message of a usual length, number ' || n from generate_series(0, $n - 1) n;
    insert into messages (id, stream, at, user_id, user_name, user_role, body, reply_to, reply_name, reply_body)
        select large_id(1600000500000, n), large_id(1600000000000, n % 400), 1600000000000 + n * 10, 'replier-' || n % 20000,
            'User', 'viewer', 'An answer', large_id(1600000400000, n), 'User', 'A message' from generate_series(0, $some / 10) n;
    insert into audit_log (id, stream, at, by_user, by_name, by_role, kind, user_id, user_name, reason)
        select large_id(1600000600000, n), large_id(1600000000000, n % 400), 1, 'mod-' || n % 2000, 'Mo', 'moderator', 'delete',
            'user-' || n % 20000, 'User', case n % 100 when 0 then 'spam' end from generate_series(0, $n - 1) n;
    insert into outbox (id, topic, body, created_at)
        select large_id(1600000700000, n), 'other', 'x', 1 from generate_series(0, $n - 1) n;
    insert into idempotency_keys (buyer, verb, key, hash, subject_id, created_at)
        select 'user-' || n % 20000, 'cancel', 'cancel-' || n, decode(repeat('07', 32), 'hex'), large_id(1600000200000, n), 1
        from generate_series(0, $n - 1) n;
    insert into test_calls (key, request, intent, answer, created_at)
        select 'call-' || n, 'x', 'ref-' || n, 'ok captured', 1000 + n from generate_series(0, $n - 1) n;
    insert into test_intents (id, order_id, attempt, scenario, status, amount, currency, captured, created_at, changed_at)
        select 'ref-' || n, large_id(1600000200000, n), 1, 'ok', 'captured', 100, 'SAR', 100, 1, 1 from generate_series(0, $n - 1) n;
    insert into addresses (order_id, name, lines, city, country, changed_at)
        select large_id(1600000200000, n), 'User', '[\"Street 1\"]', 'Riyadh', 'SA', 1 from generate_series(0, $some) n where n % 20 > 2;
    insert into saved_addresses (user_id, address, changed_at)
        select 'user-' || n, '{}', 1700000000000 + n from generate_series(0, $n - 1) n;
    insert into shipments (order_id, sent_at, by_user)
        select large_id(1600000200000, n), 1650000000000, 'mod-1' from generate_series(0, $n - 1) n where n % 20 > 2;
    insert into fulfilments (order_id, packed_at) select large_id(1600000200000, n), 1 from generate_series(0, $some) n;
    insert into order_notes (id, order_id, at, by_user, by_name, body)
        select large_id(1600000800000, n), large_id(1600000200000, n), 1, 'mod-' || n % 2000, 'Mo', 'note' from generate_series(0, $some) n;
    insert into order_tags (order_id, tag) select large_id(1600000200000, n), 'tag-' || n % 40 from generate_series(0, $some) n;
    insert into refunds (order_id, n, status, amount, currency, restock, reason, by_user, key, hash, created_at, changed_at)
        select large_id(1600000200000, n), 1, 'done', 100, 'SAR', 0, case n % 100 when 2 then 'broken' end, 'mod-1', 'refund-' || n,
            decode(repeat('07', 32), 'hex'), 1, 1 from generate_series(2, $n - 1, 20) n;
    insert into billing_documents (id, kind, year, number, order_id, refund, issued_at, currency, total, tax, body)
        select large_id(1600002100000, n), 'invoice', 2020 + n % 7, 1 + n / 7, large_id(1600000200000, n), null, 1600000000000 + n * 10, 'SAR', 100, 13,
            '{\"seller\":{\"name\":\"Souk\",\"title\":\"Souk\",\"titles\":{},\"address\":[],\"vat_number\":null,\"country\":null},\"buyer\":null,'
            || '\"order_number\":1,\"invoice_number\":null,\"at\":1,\"time_zone\":\"UTC\",\"language\":\"en\",\"currency\":\"SAR\",\"tax_included\":true,'
            || '\"lines\":[],\"delivery\":0,\"delivery_tax_bp\":0,\"adjustment\":0,\"taxes\":[],\"tax\":13,\"total\":100}'
        from generate_series(0, $some) n;
    insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, opened_at, closed_at)
        select 'test', 'dispute-' || n, large_id(1600000200000, n), 1, 'lost', 0, 100, 'SAR', 1, 2 from generate_series(0, 19999) n;
    insert into payment_events (provider, event_id, kind, reference, received_at, done_at)
        select 'test', 'event-' || n, 'x', 'ref-' || n, 1000 + n, 1 from generate_series(0, $n - 1) n;
    insert into payment_customers (id, user_id, live, reference, created_at)
        select large_id(1600003000000, n), 'user-' || n, 1, 'cus-' || n, 1 from generate_series(0, 99999) n;
    insert into saved_cards (id, customer, reference, fingerprint, brand, last4, exp_month, exp_year, created_at)
        select large_id(1600003100000, n), large_id(1600003000000, n), 'pm-' || n, 'fp-' || n, 'visa', '4242', 12, 2034, 1
        from generate_series(0, 99999) n;
    insert into provider_removals (id, kind, reference, live, due_at, created_at)
        select large_id(1600003200000, n), 'card', 'gone-' || n, 1, 9000000000000 + n, 9000000000000 + n from generate_series(0, 9999) n;
    insert into sanctions (stream, user_id, kind, user_name, until, by_user, created_at, person, reason)
        select large_id(1600000000000, n % 400), 'user-' || n % 20000, 'ban', 'User', null, 'Mo', n, 'user-' || n % 20000, case n % 100 when 0 then 'spam' end
        from generate_series(0, $some) n on conflict do nothing;
    insert into customers (user_id, person, name, search, first_order, last_order)
        select 'user-' || n, 'user-' || n, 'User ' || n, 'user ' || n, large_id(1600000200000, n), large_id(1600000200000, n)
        from generate_series(0, 99999) n;
    insert into customer_notes (id, user_id, at, by_user, by_name, body)
        select large_id(1600001800000, n), 'user-' || n, 1, 'mod-1', 'Mo', 'A note' from generate_series(0, 19999) n;
    insert into stock_alerts (offer, user_id, stream, created_at)
        select large_id(1600000100000, n % 100), 'user-' || n, large_id(1600000000000, n % 100), 1 from generate_series(0, $some) n;
    insert into viewers_by_minute (stream, minute, viewers)
        select large_id(1600000000000, n % 400), 60000::bigint * n, 5 from generate_series(0, $some) n;
    insert into pins (stream, at, offer, until)
        select large_id(1600000000000, n % 400), n, large_id(1600000100000, n % 400), n + 1 from generate_series(0, $some) n;
    insert into invites (id, stream, role, code_hash, by_user, created_at, expires_at)
        select large_id(1600000900000, n), large_id(1600000000000, n % 400), 'moderator', sha256(('invite' || n)::bytea), 'Noura', 1, 2
        from generate_series(0, 19999) n;
    insert into helpers (user_id, invite, name, joined_at)
        select 'helper-' || n, large_id(1600000900000, n), 'Help', 1 from generate_series(0, 19999) n;
    insert into blocked_words (stream, position, word, whole_word, action)
        select large_id(1600000000000, n % 400), n / 400, 'word', 1, 'refuse' from generate_series(0, 19999) n;
    insert into products (id, shop, title, titles, created_at)
        select large_id(1600001000000, n), $shop, 'Lamp ' || n, '{}', 1 from generate_series(0, 19999) n;
    insert into variants (id, product, name, names, price, stock, position)
        select large_id(1600001100000, n), large_id(1600001000000, n), 'One', '{}', 5, 5, 0 from generate_series(0, 19999) n;
    insert into price_changes (id, variant, at, price, by_user, by_name)
        select large_id(1600001800000, n), large_id(1600001100000, n % 20000), 1, 5, 'mod-' || n % 2000, 'Mo'
        from generate_series(0, $some) n;
    insert into stock_changes (id, variant, at, units, stock, reason, note, by_user, by_name)
        select large_id(1600001900000, n), large_id(1600001100000, n % 20000), 1, 1, 5, 'received', case n % 100 when 0 then 'new' end,
            'mod-' || n % 2000, 'Mo'
        from generate_series(0, $some) n;
    insert into product_revisions (product, version, at, title, titles, variants)
        select large_id(1600001000000, n % 20000), 1 + n / 20000, n, 'Lamp', '{}', '[]' from generate_series(0, $some) n;
    insert into token_revocations (id, user_id, not_before, expires_at, created_at, by_user, by_name, by_role)
        select large_id(1600001200000, n), 'user-' || n, 1000, 9000000000000, 1, 'mod-' || n % 2000, 'Mo', 'admin'
        from generate_series(0, 29999) n;
    insert into sign_in_codes (code_hash, user_id, origin, sealed_token, expires_at)
        select sha256(('code' || n)::bytea), 'user-' || n, 'https://shop.example', 'x', 9000000000000 + n from generate_series(0, 29999) n;
    insert into accounts (id, email, email_normalized, person, name, language, created_at)
        select large_id(1600001300000, n), 'user' || n || '@example.com', 'user' || n || '@example.com', 'person-' || n, 'User', 'en', 1
        from generate_series(0, $some) n;
    insert into sign_in_sessions (id, secret_hash, user_id, account, name, created_at, last_used_at, expires_at, user_agent)
        select large_id(1600001400000, n), sha256(('session' || n)::bytea), 'account-' || n, large_id(1600001300000, n), 'User', 1, 1,
            9000000000000, 'a browser' from generate_series(0, $some) n;
    insert into email_codes (id, email, email_normalized, code_hash, browser_hash, language, created_at, expires_at)
        select large_id(1600001500000, n), 'user@example.com', 'user' || n, sha256('a'), sha256('b'), 'en', 2000 + n, 9000000000000
        from generate_series(0, $some) n;
    insert into mails (id, kind, priority, to_address, language, user_id, order_id, content, status, next_try_at, give_up_at, created_at)
        select large_id(1600001600000, n), 'order_confirmed', 1, 'user@example.com', 'en', 'user-' || n % 20000,
            large_id(1600000200000, n), case n % 4 when 0 then '' else '{}' end, case n % 1000 when 0 then 'failed' else 'sent' end, 1, 2,
            2000 + n
        from generate_series(0, $n - 1) n;
    insert into follows (id, target, email, email_normalized, language, user_id, stop_secret, created_at)
        select large_id(1600002200000, n), case n % 2 when 0 then large_id(1600001000000, n) else '00000000-0000-0000-0000-000000000000' end,
            'user' || n || '@example.com', 'user' || n || '@example.com', 'en', 'user-' || n % 20000, 'secret-' || n, 1
        from generate_series(0, $some) n;
    insert into follow_requests (secret_hash, target, email, email_normalized, language, user_id, created_at, expires_at)
        select sha256(('follow' || n)::bytea), '00000000-0000-0000-0000-000000000000', 'user@example.com', 'user' || n, 'en', 'user-' || n % 20000,
            2000 + n, 9000000000000 from generate_series(0, $some) n;
    insert into announcements (stream, target, announced_at, reached, finished_at)
        select large_id(1600000000000, n % 400), large_id(1600001000000, n), 1, large_id(1600002200000, n), 2000 + n from generate_series(0, $some) n;
    insert into staff (account, stream, role, by_name, created_at)
        select large_id(1600001300000, n), large_id(1600000000000, n % 400), 'moderator', 'Olla', 1 from generate_series(0, 499) n;
    insert into staff_invites (id, code_hash, email, role, by_name, created_at, expires_at, used_at)
        select large_id(1600001700000, n), sha256(('invite' || n)::bytea), 'user' || n || '@example.com', 'moderator', 'Olla', 1, 2, 1
        from generate_series(0, 19999) n;
    insert into coupons (id, code, folded, percent_bp, currency, starts_at, per_person, minimum, products, uses, ended_at, created_at, by_user,
            version)
        select large_id(1600003000000, n), 'code' || n, 'code' || n, 1000, 'SAR', 1, 1000000, 0, '[]', 1 + $some / 5000, 2, 1, 'noura', 2
        from generate_series(0, 4999) n;
    insert into coupon_uses (order_id, coupon, person, is_final, taken_at)
        select large_id(1600000200000, n), large_id(1600003000000, n % 5000), 'user-' || n % 20000, 1, 1 from generate_series(0, $some) n;
    insert into coupon_claims (coupon, person, user_id, claimed_at)
        select large_id(1600003000000, n % 5000), 'user-' || n, 'user-' || n, 1 from generate_series(0, $some) n;
    insert into saved_views (user_id, name, query)
        select 'mod-' || n % 2000, 'View ' || n, 'status=paid' from generate_series(0, 19999) n;
    insert into order_links (secret_hash, order_id, created_at)
        select sha256(('link' || n)::bytea), large_id(1600000200000, n), 1 from generate_series(0, $some) n;
    insert into pictures (hash, width, height, bytes, uploaded_at, unnamed_since, looked_at)
        select encode(sha256(('picture' || n)::bytea), 'hex'), 1, 1, 1, 1, case n % 20 when 0 then 1 end, 1 + n
        from generate_series(0, 19999) n;
    insert into catalogue_imports (id, at, by_user, by_name, by_role, file_name, language, encoding, kind, status, bytes, rows, error, worked_at)
        select large_id(1600002000000, n), 3000 + n, 'mod-' || n % 2000, 'Mo', 'producer', 'list.csv', 'en', 'UTF-8', 'simple', 'applied', 1, 1, '', 0
        from generate_series(0, 999) n;
    insert into catalogue_import_products (import, position, handle, title, row_number, rows, state, problems, changes, data)
        select large_id(1600002000000, n % 1000), n, 'pot', 'Pot', 2, 1, 'created', '[]', '[]', '{}' from generate_series(0, $some) n;
    insert into catalogue_import_parts (import, n, bytes)
        select large_id(1600002000000, n % 1000), n, 'x' from generate_series(0, 19999) n;
    insert into catalogue_import_kept (import, hash)
        select large_id(1600002000000, n % 1000), encode(sha256(('kept' || n)::bytea), 'hex') from generate_series(0, 19999) n;
    insert into catalogue_import_pictures (import, position, product, address)
        select large_id(1600002000000, n % 1000), n, large_id(1600001000000, n), 'https://cdn.example/a.jpg' from generate_series(0, 19999) n;
    insert into product_pictures (product, position, address)
        select large_id(1600001000000, n), 0, '/pictures/' || encode(sha256(('picture' || n)::bytea), 'hex') || '/800'
        from generate_series(0, 19999) n;
    analyze;";

/// Fills the tables, and gives statistics of them to the planner.
pub async fn fill(shop: &Fixture) {
    let sql = TABLES
        .replace("$some", &(rows() / 4).to_string())
        .replace("$n", &rows().to_string())
        .replace("$shop", &shop.id(shop.shop.id.0))
        .replace("$variant", &shop.id(shop.variant.0));
    shop.run(&sql).await;
}
