//! Many holds that end together, and offers whose rows are locked: every other hold is released in time.

use std::time::{Duration, Instant};

use livesouk::app::App;
use livesouk::domain::OfferId;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;
use crate::support::{SOON, until_some};

/// The promise: a hold is released within this time after its end.
const PROMISE: Duration = Duration::from_secs(5);

impl Fixture {
    /// Adds holds of one unit to an offer that has as many free units. They all end at the same time.
    async fn add_holds(&self, offer: OfferId, holds: i64, hold_until: i64) {
        self.run(&format!(
            "insert into reservations (id, stream, offer, buyer, buyer_name, key, hash, status, qty, amount, currency, place,
                 created_at, hold_until, changed_at, person)
             select gen_random_uuid(), '{stream}', '{offer}', 'buyer-' || n, 'Buyer', '{offer}-' || n,
                 decode(repeat('00', 32), 'hex'), 'held', 1, 4900, 'SAR', n, 0, {hold_until}, 0, 'buyer-' || n
             from generate_series(1, {holds}) n;
             update offers set reserved = reserved + {holds}, next_place = next_place + {holds} where id = '{offer}'",
            stream = self.stream.0,
            offer = offer.0,
        ))
        .await;
    }

    async fn held(&self) -> i64 {
        self.number("select count(*) from reservations where status = 'held'").await
    }

    async fn until_held(&self, holds: i64, deadline: Duration) {
        until_some("released holds", deadline, async || (self.held().await <= holds).then_some(())).await;
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }
}

async fn lock(connection: &mut PgConnection, offer: OfferId) {
    let lock = format!("begin; select id from offers where id = '{}' for update", offer.0);
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(connection).await.unwrap();
}

async fn stop(apps: &[App]) {
    for app in apps {
        app.stopping().cancel();
        app.finish().await;
    }
}

/// Ten shows' worth of offers of one variant, on two nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_holds_that_end_together_are_released_within_five_seconds() {
    let shop = Fixture::on_postgres().await;
    let end = shop.store.now().await.unwrap() + 4_000;
    for _ in 0..10 {
        let offer = shop.offer(1_000, 1).await;
        shop.add_holds(offer, 1_000, end).await;
    }
    let apps = [shop.app().await, shop.app().await];
    assert_eq!(shop.held().await, 10_000, "the machine is too slow for this test");
    let until_end = end - shop.store.now().await.unwrap();
    tokio::time::sleep(Duration::from_millis(until_end.max(0) as u64)).await;
    let begun = Instant::now();
    shop.until_held(0, 4 * PROMISE).await;
    let took = begun.elapsed();
    eprintln!("10,000 holds were released in {took:?}");
    assert!(took < PROMISE, "{took:?}");
    assert_eq!(shop.number("select cast(sum(reserved) as bigint) from offers").await, 0);
    assert_eq!(shop.number("select count(*) from reservations where version <> 2").await, 0, "each hold ended once");
    shop.assert_consistent().await;
    stop(&apps).await;
}

/// Another transaction keeps one offer locked. Its holds come first in every order that the database could choose.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_offer_delays_the_holds_of_no_other_offer() {
    let shop = Fixture::on_postgres().await;
    let locked = shop.offer(600, 1).await;
    shop.add_holds(locked, 600, 1_000).await;
    let mut other = shop.connection().await;
    lock(&mut other, locked).await;
    for _ in 0..20 {
        let offer = shop.offer(10, 1).await;
        shop.add_holds(offer, 10, 2_000).await;
    }
    let apps = [shop.app().await];
    let begun = Instant::now();
    shop.until_held(600, 4 * PROMISE).await;
    assert!(begun.elapsed() < PROMISE, "{:?}", begun.elapsed());
    // New holds of others are released while the lock is still there.
    let offer = shop.offer(10, 1).await;
    shop.add_holds(offer, 10, 2_000).await;
    let begun = Instant::now();
    shop.until_held(600, 4 * PROMISE).await;
    assert!(begun.elapsed() < PROMISE, "{:?}", begun.elapsed());
    assert_eq!(shop.held().await, 600, "the row is locked");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    let begun = Instant::now();
    shop.until_held(0, 4 * PROMISE).await;
    assert!(begun.elapsed() < PROMISE, "{:?}", begun.elapsed());
    shop.assert_consistent().await;
    stop(&apps).await;
}

/// Somebody restocks the variant forever; only closed offers give units back to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_variant_delays_closed_offers_only() {
    let shop = Fixture::on_postgres().await;
    let (open, closed) = (shop.offer(10, 1).await, shop.offer(10, 1).await);
    shop.add_holds(open, 10, 1_000).await;
    shop.add_holds(closed, 10, 1_000).await;
    shop.store.close_offer(closed).await.unwrap();
    let mut other = shop.connection().await;
    let lock = format!("begin; select id from variants where id = '{}' for update", shop.variant.0);
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
    let apps = [shop.app().await];
    let begun = Instant::now();
    shop.until_held(10, 4 * PROMISE).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(shop.held().await, 10, "the closed offer waits");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    shop.until_held(0, PROMISE).await;
    shop.assert_consistent().await;
    stop(&apps).await;
}

/// During a rush the row is locked by one batch after the other, and there is no moment without a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_of_an_offer_that_is_always_locked_by_somebody_are_released() {
    let shop = Fixture::on_postgres().await.into_arc();
    let offer = shop.offer(1_000, 1).await;
    let (rush, mut buyers) = (CancellationToken::new(), tokio::task::JoinSet::new());
    for _ in 0..4 {
        let (mut connection, rush) = (shop.connection().await, rush.clone());
        buyers.spawn(async move {
            while !rush.is_cancelled() {
                lock(&mut connection, offer).await;
                sqlx::raw_sql("select pg_sleep(0.02); commit").execute(&mut connection).await.unwrap();
            }
        });
    }
    let locked =
        format!("select count(*) from (select id from offers where id = '{}' for update skip locked) o", offer.0);
    until_some("a rush", SOON, async || (shop.number(&locked).await == 0).then_some(())).await;
    shop.add_holds(offer, 1_000, 1_000).await;
    let apps = [shop.app().await];
    let begun = Instant::now();
    shop.until_held(0, 4 * PROMISE).await;
    assert!(begun.elapsed() < PROMISE, "{:?}", begun.elapsed());
    rush.cancel();
    buyers.join_all().await;
    shop.assert_consistent().await;
    stop(&apps).await;
}
