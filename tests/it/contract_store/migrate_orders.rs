//! Migration 26: every purchase becomes a reservation, and those for which money was asked become orders of one line with the same
//! id. The data is that of a shop from before, with a row of every kind.

use livesouk::clock::Clock;
use livesouk::domain::{Market, OrderId, OrderStatus, PaymentStatus, QuoteRules, ReservationStatus, UserId};
use livesouk::store::{NewPayment, Store};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use uuid::Uuid;

use super::builders::{key, user};
use super::migrate::migrations_until;
use crate::support::postgres::Database;

/// The last migration in which a purchase was an order.
const ONE_TABLE: i64 = 25;

const HELD: u128 = 0xa1;
const DECLINED_ONCE: u128 = 0xa2;
const CAPTURING: u128 = 0xa3;
const PAID: u128 = 0xa4;
const REFUNDED: u128 = 0xa5;
const EXPIRED: u128 = 0xa6;
const CANCELLED: u128 = 0xa7;

/// `%` represents an id of one byte, `%40` for a hash.
const DATA: &str = "
    insert into shops (id, title, titles, currency, created_at) values (%10, 'Shop', '{}', 'SAR', 1);
    insert into products (id, shop, title, titles, created_at) values (%11, %10, 'Lamp', '{}', 1);
    insert into variants (id, product, name, names, price, stock, position) values (%12, %11, 'One', '{}', 5, 7, 0);
    insert into streams (id, shop, title, titles, host, status, created_at) values (%01, %10, 'Show', '{}', 'Noura', 'live', 1);
    insert into offers (id, stream, variant, kind, stage, price, currency, quantity, reserved, next_place, per_buyer, countdown_ms,
            hold_ms)
        values (%02, %01, %12, 'regular', 'open', 5, 'SAR', 30, 8, 8, 9, 0, 300000);
    insert into offer_sums (offer, stream) values (%02, %01);
    insert into orders (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place, reason, version,
            created_at, hold_until, changed_at, paid_at, attempt, person) values
        (%a1, %01, %02, 'ann', 'Ann', 'key-00001', %40, 'held', 2, 10, 'SAR', 1, null, 1, 10, 4000000000000, 10, null, null, 'ann'),
        (%a2, %01, %02, 'ann', 'Ann', 'key-00002', %40, 'held', 2, 10, 'SAR', 2, null, 1, 20, 4000000000000, 20, null, null, 'ann'),
        (%a3, %01, %02, 'bob', 'Bob', 'key-00003', %40, 'capturing', 1, 5, 'SAR', 3, null, 2, 30, 40, 35, null, 1, 'bob'),
        (%a4, %01, %02, 'cem', 'Cem', 'key-00004', %40, 'paid', 3, 15, 'SAR', 4, null, 3, 40, 50, 45, 45, 2, 'cem'),
        (%a5, %01, %02, 'dan', 'Dan', 'key-00005', %40, 'refunded', 1, 5, 'SAR', 5, 'refunded', 4, 50, 60, 58, 55, 1, 'dan'),
        (%a6, %01, %02, 'eve', 'Eve', 'key-00006', %40, 'expired', 1, 5, 'SAR', 6, 'hold_ended', 2, 60, 70, 71, null, null, 'eve'),
        (%a7, %01, %02, 'fay', 'Fay', 'key-00007', %40, 'cancelled', 1, 5, 'SAR', 7, 'capture_failed', 3, 70, 80, 75, null, 1, 'fay');
    insert into payments (order_id, attempt, provider, token, reference, status, amount, currency, buyer, key, hash, created_at,
            changed_at) values
        (%a2, 1, 'test', 'declined', 'test_2', 'declined', 10, 'SAR', 'ann', 'pay-00002', %40, 21, 22),
        (%a3, 1, 'test', 'ok', 'test_3', 'authorized', 5, 'SAR', 'bob', 'pay-00003', %40, 31, 32),
        (%a4, 1, 'test', 'declined', 'test_4', 'declined', 15, 'SAR', 'cem', 'pay-00004', %40, 41, 42),
        (%a4, 2, 'test', 'ok', 'test_5', 'captured', 15, 'SAR', 'cem', 'pay-00005', %40, 43, 45),
        (%a5, 1, 'test', 'ok', 'test_6', 'captured', 5, 'SAR', 'dan', 'pay-00006', %40, 51, 55),
        (%a7, 1, 'test', 'capture_fails', 'test_7', 'failed', 5, 'SAR', 'fay', 'pay-00007', %40, 71, 75);
    insert into refunds (order_id, n, status, amount, currency, restock, by_user, key, hash, created_at, changed_at)
        values (%a5, 1, 'done', 5, 'SAR', 1, 'noura', 'refund-01', %40, 56, 58);
    insert into addresses (order_id, name, lines, city, country, changed_at) values
        (%a1, 'Ann', '[\"1 Road\"]', 'Riyadh', 'SA', 11), (%a4, 'Cem', '[\"4 Road\"]', 'Riyadh', 'SA', 41);
    insert into shipments (order_id, sent_at, by_user) values (%a4, 46, 'noura');
    insert into fulfilments (order_id, packed_at, carrier, tracking) values (%a4, 45, 'Aramex', '1Z');
    insert into order_notes (id, order_id, at, by_user, by_name, body) values (%b1, %a4, 45, 'noura', 'Noura', 'A gift');
    insert into order_tags (order_id, tag) values (%a4, 'gift');
    insert into order_links (secret_hash, order_id, created_at) values (%40, %a4, 9000000000000);
    insert into mails (id, kind, priority, to_address, language, user_id, order_id, content, status, next_try_at, give_up_at, created_at)
        values (%b2, 'order_confirmed', 1, 'cem@example.com', 'en', 'cem', %a4, '', 'sent', 45, 99, 45);";

fn data(id: impl Fn(u128) -> String, hash: &str) -> String {
    let mut parts = DATA.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |sql, part| {
        let (byte, rest) = part.split_at(2);
        let value = if byte == "40" { hash.to_owned() } else { id(u128::from_str_radix(byte, 16).unwrap()) };
        format!("{sql}{value}{rest}")
    })
}

fn order_id(byte: u128) -> OrderId {
    OrderId(Uuid::from_u128(byte))
}

async fn assert_orders_survived(store: &Store) {
    for (id, status, number, amount, version) in [
        (HELD, OrderStatus::Held, None, 10, 1),
        (DECLINED_ONCE, OrderStatus::Held, Some(1001), 10, 1),
        (CAPTURING, OrderStatus::Capturing, Some(1002), 5, 2),
        (PAID, OrderStatus::Paid, Some(1003), 15, 3),
        (REFUNDED, OrderStatus::Refunded, Some(1004), 5, 4),
        (EXPIRED, OrderStatus::Expired, None, 5, 2),
        (CANCELLED, OrderStatus::Cancelled, Some(1005), 5, 3),
    ] {
        let order = store.order(order_id(id)).await.unwrap().unwrap();
        let seen = (order.id, order.status, order.number, order.amount, order.version, order.lines.len());
        assert_eq!(seen, (order_id(id), status, number, amount, version, 1));
    }
    let (paid, refunded) = (order_id(PAID), order_id(REFUNDED));
    assert_eq!(store.order(paid).await.unwrap().unwrap().paid_at, Some(45));
    let line = store.reservation(refunded).await.unwrap().unwrap();
    assert_eq!((line.status, line.returned, line.order), (ReservationStatus::Sold, 1, Some(refunded)));
    assert_eq!(store.reservation_mismatches().await.unwrap(), []);
    let winner = store.winning_payment(paid).await.unwrap().unwrap();
    assert_eq!((winner.attempt, winner.status), (2, PaymentStatus::Captured));
    let fulfilment = store.fulfilment(paid).await.unwrap();
    assert_eq!((fulfilment.sent_at, fulfilment.tracking.as_deref()), (Some(46), Some("1Z")));
    assert_eq!(
        (store.order_notes(paid).await.unwrap().len(), store.order_tags(paid).await.unwrap()),
        (1, vec!["gift".into()])
    );
    assert_eq!(store.order_of_link(&[7; 32]).await.unwrap(), Some(paid));
    assert_eq!(store.mails_of_order(paid).await.unwrap().len(), 1);
    assert_eq!(store.address(order_id(HELD)).await.unwrap().map(|address| address.name), Some("Ann".to_owned()));
    let totals = store.sales_totals(livesouk::domain::StreamId(Uuid::from_u128(0x01))).await.unwrap();
    assert_eq!((totals.orders_held, totals.orders_paid, totals.orders_refunded), (3, 1, 1));
}

/// What was under way goes on.
async fn assert_orders_go_on(store: &Store) {
    let captured = store.finish_capture(order_id(CAPTURING)).await.unwrap().unwrap();
    assert_eq!((captured.status, captured.number), (OrderStatus::Paid, Some(1002)));
    let ann = user("ann");
    for (id, with, attempt, number) in [(DECLINED_ONCE, "again-0002", 2, 1001), (HELD, "first-0001", 1, 1006)] {
        let new = NewPayment {
            order: order_id(id),
            buyer: ann.clone(),
            key: key(with),
            hash: [7; 32],
            provider: "test",
            token: "ok".to_owned(),
            card: Default::default(),
            quote_version: None,
            rules: QuoteRules::default(),
            market: Market::default(),
            is_queued: false,
            request_ms: 0,
        };
        let payment = store.begin_payment(&new).await.unwrap().payment;
        assert_eq!((payment.attempt, payment.amount), (attempt, 10));
        let (won, _) = store.begin_capture(&payment, Some(with)).await.unwrap().unwrap();
        assert_eq!((won.status, won.number), (OrderStatus::Capturing, Some(number)));
    }
    let (known, _) = store.payment_by_key(&UserId::parse("cem").unwrap(), &key("pay-00005")).await.unwrap().unwrap();
    assert_eq!(known, [7; 32], "a retry of a former payment finds it");
    let failed = store.release_failed_capture(order_id(HELD)).await.unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(store.reservation_mismatches().await.unwrap(), []);
}

#[tokio::test]
async fn orders_of_a_former_shop_survive_on_postgres() {
    let database = Database::create().await;
    let mut connection = database.connect().await;
    migrations_until("postgres", ONE_TABLE).await.run(&mut connection).await.unwrap();
    let sql = data(|id| format!("'{}'", Uuid::from_u128(id)), "decode(repeat('07', 32), 'hex')");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    Store::migrate(&database.url(), Clock::system()).await.unwrap();
    let mismatches = "select count(*) from payment_mismatches";
    assert_eq!(sqlx::query_scalar::<_, i64>(mismatches).fetch_one(&mut connection).await.unwrap(), 0);
    let store = Store::open(&database.url(), Clock::system(), 1).await.unwrap();
    assert_orders_survived(&store).await;
    assert_orders_go_on(&store).await;
}

#[tokio::test]
async fn orders_of_a_former_shop_survive_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    migrations_until("sqlite", ONE_TABLE).await.run(&mut connection).await.unwrap();
    let hash = format!("x'{}'", "07".repeat(32));
    let sql = data(|id| format!("x'{}'", Uuid::from_u128(id).simple()), &hash);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = Store::open(&format!("sqlite:{}", path.display()), Clock::system(), 1).await.unwrap();
    assert_orders_survived(&store).await;
    assert_orders_go_on(&store).await;
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let mismatches = "select count(*) from payment_mismatches";
    assert_eq!(sqlx::query_scalar::<_, i64>(mismatches).fetch_one(&mut connection).await.unwrap(), 0);
}
