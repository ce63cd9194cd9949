//! A shop with many orders, made in the database: the newest hundredth is paid and waits to be sent, the others were sent.

use std::time::Instant;

use livesouk::clock::Clock;
use livesouk::domain::{OrderId, Shop, ShopId, StreamId};
use livesouk::store::Store;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use testkit::postgres::Database;
use uuid::Uuid;

/// Orders of one customer, on average.
const ORDERS_OF_CUSTOMER: i64 = 10;
const SHOWS: i64 = 400;
const STREAMS: u128 = 1_600_000_000_000;
const ORDERS: u128 = 1_600_000_200_000;

/// What keeps the database alive.
enum Home {
    Postgres { _database: Database },
    Sqlite { _folder: tempfile::TempDir },
}

pub struct LargeShop {
    pub store: Store,
    pub orders: i64,
    _home: Home,
}

fn id(kind: u128, number: i64) -> Uuid {
    Uuid::from_u128(kind << 80 | 0x7000 << 64 | 0x8000 << 48 | number.unsigned_abs() as u128)
}

/// `$id(KIND, N)` is an id, `$n` the number of orders, `$customers` that of customers, `$series(LAST)` the numbers from 0 as `n`.
const TABLES: [&str; 9] = [
    "insert into streams (id, shop, title, titles, host, status, started_at, ended_at, created_at)
        select $id(1600000000000, n), $shop, 'Show ' || n, '{}', 'Noura', 'ended', 1, 2, 1 from $series(399)",
    "insert into products (id, shop, title, titles, created_at) select $id(1600001000000, n), $shop, 'Lamp', '{}', 1 from $series(0)",
    "insert into variants (id, product, name, names, price, stock, position)
        select $id(1600001100000, n), $id(1600001000000, n), 'One', '{}', 5, 5, 0 from $series(0)",
    "insert into offers (id, stream, variant, kind, stage, price, currency, quantity, reserved, next_place, per_buyer, countdown_ms,
            hold_ms, opens_at, closes_at)
        select $id(1600000100000, n), $id(1600000000000, n), $id(1600001100000, 0), 'regular', 'closed', 100, 'SAR', 1000000, 0, 1000000,
            1000, 0, 300000, 1, 2 from $series(399)",
    "insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, returned, qty, amount, currency, place, created_at,
            hold_until, changed_at, order_id, person)
        select $id(1600000200000, n), $id(1600000000000, n % 400), $id(1600000100000, n % 400), 'user-' || (n % $customers),
            'Customer ' || (n % $customers), 'key-of-order-' || n, $hash, case n % 20 when 0 then 'expired' when 1 then 'cancelled' else 'sold' end,
            0, 1, 100, 'SAR', 1 + n / 400, 1600000000000 + n * 10, 1600000300000 + n * 10, 1600000000000 + n * 10, $id(1600000200000, n),
            'user-' || (n % $customers)
        from $series($n - 1)",
    "insert into orders (id, number, stream, buyer, status, currency, attempt, created_at, changed_at, paid_at)
        select $id(1600000200000, n), 1001 + n, $id(1600000000000, n % 400), 'user-' || (n % $customers),
            case n % 20 when 0 then 'paying' when 1 then 'cancelled' else 'paid' end, 'SAR', 1, 1600000000000 + n * 10,
            1600000000000 + n * 10, 1600000000000 + n * 10
        from $series($n - 1)",
    "insert into payments (order_id, attempt, provider, token, reference, status, amount, currency, buyer, key, hash, tried_at, created_at,
            changed_at)
        select $id(1600000200000, n), 1, 'test', 'ok', 'ref-' || n, case n % 20 when 0 then 'declined' else 'captured' end, 100, 'SAR',
            'user-' || (n % $customers), 'pay-' || n, $hash, 1, 1, 1 from $series($n - 1)",
    "insert into shipments (order_id, sent_at, by_user)
        select $id(1600000200000, n), 1650000000000, 'mod-1' from $series($n - $n / 100) where n % 20 > 1",
    "insert into order_tags (order_id, tag) select $id(1600000200000, n), 'gift' from $series($n - 1) where n % 50 = 7",
];
const ACCOUNTS: &str = "insert into accounts (id, email, email_normalized, person, name, language, created_at)
    select $id(1600001300000, n), 'user' || n || '@example.com', 'user' || n || '@example.com', 'user-' || n, 'Customer ' || n, 'en', 1
    from $series($customers - 1)";

impl LargeShop {
    pub async fn on_postgres(orders: i64) -> Self {
        let database = Database::migrated().await;
        let store = Store::open(&database.url(), Clock::system(), 8).await.unwrap();
        let shop = shop_in(&store).await;
        let mut connection = database.connect().await;
        let sql = |text: &str| {
            let text = text.replace("$id(", "large_id(").replace("$hash", "decode(repeat('07', 32), 'hex')");
            with_numbers(&text, orders, &format!("'{}'", shop.0), |last| {
                format!("generate_series(0::bigint, {last}) n")
            })
        };
        let began = Instant::now();
        sqlx::raw_sql(
            "set synchronous_commit = off; create function large_id(kind bigint, number bigint) returns uuid language sql immutable as
            $$ select (lpad(to_hex(kind), 12, '0') || '70008000' || lpad(to_hex(number), 12, '0'))::uuid $$;",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        for text in TABLES.iter().chain([&ACCOUNTS]) {
            sqlx::raw_sql(AssertSqlSafe(sql(text))).execute(&mut connection).await.unwrap();
        }
        sqlx::raw_sql("vacuum analyze").execute(&mut connection).await.unwrap();
        println!("{:<26}{:8.1}", "postgres filled in s", began.elapsed().as_secs_f64());
        Self { store, orders, _home: Home::Postgres { _database: database } }
    }

    pub async fn on_sqlite(orders: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("shop.db").display());
        let store = Store::open(&url, Clock::system(), 1).await.unwrap();
        let shop = shop_in(&store).await;
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let began = Instant::now();
        for text in TABLES.iter().chain([&ACCOUNTS]) {
            let text = text.replace("$hash", "unhex(replace(hex(zeroblob(32)), '00', '07'))");
            let text = id_of_sqlite(&text);
            let shop = format!("unhex('{}')", shop.0.simple());
            let sql = with_numbers(&text, orders, &shop, |last| {
                format!(
                    "(with recursive s(n) as (values (0) union all select n + 1 from s where n < {last}) select n from s)"
                )
            });
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        sqlx::raw_sql("analyze").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        println!("{:<26}{:8.1}", "sqlite filled in s", began.elapsed().as_secs_f64());
        Self { store, orders, _home: Home::Sqlite { _folder: folder } }
    }

    pub fn customers(&self) -> i64 {
        self.orders / ORDERS_OF_CUSTOMER
    }

    pub fn order(&self, number: i64) -> OrderId {
        OrderId(id(ORDERS, number))
    }

    pub fn show(&self, number: i64) -> StreamId {
        StreamId(id(STREAMS, number % SHOWS))
    }
}

async fn shop_in(store: &Store) -> ShopId {
    let shop =
        Shop { id: ShopId::new(), title: "Souk".to_owned(), titles: Default::default(), currency: "SAR".to_owned() };
    store.create_shop(shop).await.unwrap().id
}

/// Fills the places of a statement. `series` makes the rows up to a number.
fn with_numbers(text: &str, orders: i64, shop: &str, series: impl Fn(&str) -> String) -> String {
    let mut text = text.to_owned();
    while let Some(start) = text.find("$series(") {
        let from = start + "$series(".len();
        let end = from + text[from..].find(')').unwrap();
        let rows = series(&text[from..end]);
        text.replace_range(start..=end, &rows);
    }
    text.replace("$shop", shop)
        .replace("$customers", &(orders / ORDERS_OF_CUSTOMER).to_string())
        .replace("$n", &orders.to_string())
}

/// Ids are blobs there.
fn id_of_sqlite(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(start) = text.find("$id(") {
        let from = start + "$id(".len();
        let end = from + text[from..].find(')').unwrap();
        let (kind, number) = text[from..end].split_once(", ").unwrap();
        let made = format!("unhex(printf('%012x70008000%012x', {kind}, {number}))");
        text.replace_range(start..=end, &made);
    }
    text
}
