//! Faults of PostgreSQL and of the network while users buy: no acknowledged order is lost, none is duplicated, and selling
//! recovers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use livesouk::app::Error;
use livesouk::clock::Clock;
use livesouk::domain::{OrderStatus, Refusal};
use livesouk::store::Store;
use rand::RngExt;

use super::builders::{actor, code, key, purchase_requests};
use super::fixture::{Fixture, SELL_CONNECTIONS};
use crate::support::proxy::Proxy;

pub const SELLING: &str =
    "from pg_stat_activity where datname = current_database() and application_name = 'livesouk sell'";

async fn kill_selling(shop: &Fixture) -> usize {
    shop.number(&format!("select count(pg_terminate_backend(pid)) {SELLING}")).await as usize
}

const BUYERS: usize = 50;
const REQUESTS: usize = 40;
const UNITS: i64 = 1_900;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_duplicated_while_selling_connections_are_killed() {
    let shop = Fixture::on_postgres().await.into_arc();
    let offer = shop.offer(UNITS, REQUESTS as i64).await;
    let app = shop.app().await;
    let (buying, unknown) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let answered = Arc::new(AtomicUsize::new(0));
    let killer = tokio::spawn({
        let (shop, buying, answered) = (shop.clone(), buying.clone(), answered.clone());
        async move {
            let mut killed = 0;
            while buying.load(Ordering::Relaxed) {
                let before = answered.load(Ordering::Relaxed);
                killed += kill_selling(&shop).await;
                // Random pauses, and only after an answer: on a slow machine no connection would be opened between two kills.
                let pause = rand::rng().random_range(5..30);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                while answered.load(Ordering::Relaxed) == before && buying.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            killed
        }
    });
    let mut buyers = tokio::task::JoinSet::new();
    for buyer in 0..BUYERS {
        let (app, unknown, answered) = (app.clone(), unknown.clone(), answered.clone());
        buyers.spawn(async move {
            let ann = actor(&format!("buyer-{buyer}"));
            let mut acknowledged = Vec::new();
            for number in 0..REQUESTS {
                // Like a correct client: the same key until there is an answer.
                loop {
                    match app.checkout.buy(&ann, offer, 1, key(&format!("key-{number:05}"))).await {
                        Ok(bought) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            break acknowledged.push((bought.reservation.id, bought.reservation.place));
                        }
                        Err(Error::Refused(Refusal::SoldOut | Refusal::SoldOutForNow)) => break,
                        Err(Error::OutcomeUnknown | Error::Unavailable | Error::Refused(Refusal::Busy { .. })) => {
                            unknown.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            acknowledged
        });
    }
    let acknowledged: Vec<_> = tokio::time::timeout(Duration::from_secs(90), buyers.join_all())
        .await
        .expect("every buyer gets an answer")
        .into_iter()
        .flatten()
        .collect();
    buying.store(false, Ordering::Relaxed);
    let killed = killer.await.unwrap();
    assert!(killed >= 3, "only {killed} were killed");
    let unknown = unknown.load(Ordering::Relaxed);
    assert!(
        unknown * 4 < killed.max(12),
        "{unknown} unknown outcomes: a batch must be retried before its buyers get an answer"
    );

    let ids: HashSet<_> = acknowledged.iter().map(|(id, _)| *id).collect();
    let mut places: Vec<_> = acknowledged.iter().map(|(_, place)| *place).collect();
    places.sort_unstable();
    assert_eq!(ids.len(), acknowledged.len(), "two keys, one order");
    assert_eq!(places, (1..=UNITS).collect::<Vec<_>>());
    for id in ids {
        assert_eq!(shop.order(id).await.status, OrderStatus::Held);
    }
    assert_eq!(shop.number("select count(*) from reservations").await, UNITS, "every order was acknowledged");
    assert_eq!(shop.load_offer(offer).await.terms.left(), 0);
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

/// After a restart of PostgreSQL every idle connection is dead. To find that out one by one would take too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restart_costs_one_failed_batch() {
    let shop = Fixture::on_postgres().await.into_arc();
    let mut warm = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (shop, offer) = (shop.clone(), shop.offer(10, 1).await);
        warm.spawn(async move { shop.buy(offer, &purchase_requests([n])[0]).await.map(|_| ()) });
    }
    warm.join_all().await;
    let offer = shop.offer(10, 1).await;
    assert!(kill_selling(&shop).await > 1, "too few idle connections for this test");
    let mut failed = 0;
    while let Err(fault) = shop.store.sell(offer, &purchase_requests([100])).await {
        assert!(fault.is_transient(), "{fault}");
        failed += 1;
    }
    assert_eq!(failed, 1);
}

/// The same database through a network that can fail.
pub async fn behind_proxy(shop: &Fixture) -> (Proxy, Store) {
    let (start, rest) = shop.url.split_once('@').unwrap();
    let (address, database) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(address.parse().unwrap()).await;
    let url = format!("{start}@{}/{database}", proxy.address());
    let store = Store::open(&url, Clock::system(), SELL_CONNECTIONS).await.unwrap();
    (proxy, store)
}

/// A network that swallows everything reports no error: without a deadline of our own, the selling task would wait
/// forever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swallowed_reply_is_an_unknown_outcome_and_selling_resumes() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(10, 1).await;
    let (proxy, store) = behind_proxy(&shop).await;
    let app = shop.app_over(store).await;
    app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap();
    proxy.black_hole();
    let begun = Instant::now();
    let result = app.checkout.buy(&actor("bob"), offer, 1, key("key-00001")).await;
    assert_eq!(result.err(), Some(Error::OutcomeUnknown));
    // A request stops waiting after 15 s. Before that, the batch itself times out, and its selling task is free.
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    proxy.restore();
    let begun = Instant::now();
    let bought = loop {
        match app.checkout.buy(&actor("bob"), offer, 1, key("key-00001")).await {
            Ok(bought) => break bought,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20), "selling did not resume"),
        }
    };
    assert_eq!(bought.reservation.place, 2);
    shop.assert_consistent().await;
    app.stopping().cancel();
}

/// Sets it for every connection opened from now on, and closes the selling connections.
pub async fn set_default(shop: &Fixture, setting: &str, value: &str) {
    let database = shop.url.rsplit_once('/').unwrap().1;
    shop.run("set default_transaction_read_only = off").await;
    shop.run(&format!("alter database {database} set {setting} = {value}")).await;
    kill_selling(shop).await;
}

/// With that level, batches would fail because of each other, and would read before they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_isolation_level_of_the_database_does_not_matter() {
    let shop = Fixture::on_postgres().await.into_arc();
    let offer = shop.offer(100, 1).await;
    set_default(&shop, "default_transaction_isolation", "'serializable'").await;
    let mut sellers = tokio::task::JoinSet::new();
    for n in 0..60 {
        let shop = shop.clone();
        sellers.spawn(async move {
            shop.store.sell(offer, &purchase_requests([n])).await.map(|sold| code(&sold.results[0]))
        });
    }
    for sold in sellers.join_all().await {
        assert_eq!(sold.unwrap_or_else(|fault| panic!("{fault}")), "ok");
    }
    shop.assert_consistent().await;
}

/// While a standby takes over, the server is read-only for a moment: no row is at fault.
#[tokio::test]
async fn read_only_server_is_a_transient_fault() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(10, 1).await;
    set_default(&shop, "default_transaction_read_only", "on").await;
    let fault = shop.store.sell(offer, &purchase_requests([0])).await.unwrap_err();
    assert!(fault.is_transient(), "{fault}");
    set_default(&shop, "default_transaction_read_only", "off").await;
    assert_eq!(code(&shop.buy(offer, &purchase_requests([0])[0]).await), "ok");
}

/// The connection dies in the commit that sets an order to paid. It may be committed or not, and the answer says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payment_with_lost_commit_has_unknown_outcome() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(10, 1).await;
    let app = shop.app().await;
    let order = app.checkout.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap().order.id;
    shop.run(
        "create function die() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
         create constraint trigger die after update on reservations deferrable initially deferred for each row
         when (new.status = 'sold') execute function die()",
    )
    .await;
    let result = app.checkout.pay(&actor("ann"), order, "ok", None, key("key-00002")).await;
    assert_eq!(result.err(), Some(Error::OutcomeUnknown));
    app.stopping().cancel();
    app.finish().await;
}
