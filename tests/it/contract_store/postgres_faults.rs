//! Postgres and the way to it fail while people buy: nothing said is lost, nothing is done twice, and it mends itself.

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
const WISHES: usize = 40;
const UNITS: i64 = 1_900;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_doubled_while_selling_connections_are_killed() {
    let shop = Fixture::on_postgres().await.into_arc();
    let offer = shop.offer(UNITS, WISHES as i64).await;
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
                // At random while somebody sells: on a slow machine nobody would connect between two kills.
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
            for wish in 0..WISHES {
                // As a good client: the same key until there is an answer.
                loop {
                    match app.buy(&ann, offer, 1, key(&format!("wish-{wish:04}"))).await {
                        Ok(bought) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            break acknowledged.push((bought.order.id, bought.order.place));
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
        .expect("everybody is answered")
        .into_iter()
        .flatten()
        .collect();
    buying.store(false, Ordering::Relaxed);
    let killed = killer.await.unwrap();
    assert!(killed >= 3, "only {killed} were killed");
    let unknown = unknown.load(Ordering::Relaxed);
    assert!(
        unknown * 4 < killed.max(12),
        "{unknown} answers unknown: a batch is sent again before its buyers hear of it"
    );

    let ids: HashSet<_> = acknowledged.iter().map(|(id, _)| *id).collect();
    let mut places: Vec<_> = acknowledged.iter().map(|(_, place)| *place).collect();
    places.sort_unstable();
    assert_eq!(ids.len(), acknowledged.len(), "two keys, one order");
    assert_eq!(places, (1..=UNITS).collect::<Vec<_>>());
    for id in ids {
        assert_eq!(shop.order(id).await.status, OrderStatus::Held);
    }
    assert_eq!(shop.number("select count(*) from orders").await, UNITS, "orders that nobody was told of");
    assert_eq!(shop.load_offer(offer).await.terms.left(), 0);
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

/// After a restart of Postgres every idle connection is dead; finding them out one by one would take too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_costs_one_failed_batch_and_not_one_for_each_idle_connection() {
    let shop = Fixture::on_postgres().await.into_arc();
    let mut warm = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (shop, offer) = (shop.clone(), shop.offer(10, 1).await);
        warm.spawn(async move { shop.buy(offer, &purchase_requests([n])[0]).await.map(|_| ()) });
    }
    warm.join_all().await;
    let offer = shop.offer(10, 1).await;
    assert!(kill_selling(&shop).await > 1, "too few idle connections to prove anything");
    let mut failed = 0;
    while let Err(fault) = shop.store.sell(offer, &purchase_requests([100])).await {
        assert!(fault.is_transient(), "{fault}");
        failed += 1;
    }
    assert_eq!(failed, 1);
}

/// A network that swallows everything tells nobody: without a deadline of our own the actor would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_answer_ends_in_unknown_and_selling_goes_on_when_the_network_does() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(10, 1).await;
    let (start, rest) = shop.url.split_once('@').unwrap();
    let (address, database) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(address.parse().unwrap()).await;
    let url = format!("{start}@{}/{database}", proxy.address());
    let store = Store::open(&url, Clock::system(), SELL_CONNECTIONS).await.unwrap();
    let app = shop.app_over(store).await;
    app.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap();
    proxy.black_hole();
    let begun = Instant::now();
    let told = app.buy(&actor("bob"), offer, 1, key("key-00001")).await;
    assert_eq!(told.err(), Some(Error::OutcomeUnknown));
    // An asker stops waiting after 15 s; before that the batch itself has given up, and its actor is free.
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    proxy.restore();
    let begun = Instant::now();
    let bought = loop {
        match app.buy(&actor("bob"), offer, 1, key("key-00001")).await {
            Ok(bought) => break bought,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(20), "selling did not come back"),
        }
    };
    assert_eq!(bought.order.place, 2);
    shop.assert_consistent().await;
    app.stopping().cancel();
}

/// For every connection made from now on; the selling ones are made anew.
pub async fn set_default(shop: &Fixture, setting: &str, value: &str) {
    let database = shop.url.rsplit_once('/').unwrap().1;
    shop.run("set default_transaction_read_only = off").await;
    shop.run(&format!("alter database {database} set {setting} = {value}")).await;
    kill_selling(shop).await;
}

/// Its batches would fail on each other, and would look before they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_another_default_isolation_sells_all_the_same() {
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

/// While a standby takes over, the server we reach may only read for a moment: no row is at fault.
#[tokio::test]
async fn a_server_that_may_only_read_is_a_fault_that_passes() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(10, 1).await;
    set_default(&shop, "default_transaction_read_only", "on").await;
    let fault = shop.store.sell(offer, &purchase_requests([0])).await.unwrap_err();
    assert!(fault.is_transient(), "{fault}");
    set_default(&shop, "default_transaction_read_only", "off").await;
    assert_eq!(code(&shop.buy(offer, &purchase_requests([0])[0]).await), "ok");
}

/// The connection dies in the commit that makes an order paid: it may be, it may not be, and that is what is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_commit_is_lost_is_unknown_not_undone() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(10, 1).await;
    let app = shop.app().await;
    let order = app.buy(&actor("ann"), offer, 1, key("key-00001")).await.unwrap().order.id;
    shop.run(
        "create function die() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
         create constraint trigger die after update on orders deferrable initially deferred for each row
         when (new.status = 'paid') execute function die()",
    )
    .await;
    let told = app.pay(&actor("ann"), order, "ok", key("key-00002")).await;
    assert_eq!(told.err(), Some(Error::OutcomeUnknown));
    app.stopping().cancel();
    app.finish().await;
}
