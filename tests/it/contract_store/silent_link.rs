//! A network link that goes silent: no side is notified, and what is sent over it is lost. Machines do so when they take over an
//! address, and firewalls when they forget a connection.

use std::time::{Duration, Instant};

use livesouk::domain::OfferId;
use livesouk::store::Store;
use tokio::task::JoinSet;

use super::fixture::Fixture;
use super::postgres_faults::behind_proxy;
use crate::support::{SOON, until_some};

/// Connections of the pools for transactions and for reads.
const MONEY: i64 = 10;
const READS: i64 = 8;

/// Opens the connections for reads, which are idle afterwards.
async fn open_read_connections(shop: &Fixture, store: &Store) {
    until_some("open connections", Duration::from_secs(20), async || {
        let mut queries = JoinSet::new();
        for _ in 0..40 {
            let store = store.clone();
            queries.spawn(async move { store.now().await });
        }
        assert!(queries.join_all().await.iter().all(Result::is_ok));
        let idle = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'livesouk'";
        (shop.number(idle).await > 6).then_some(())
    })
    .await;
}

/// A firewall forgot the connections, or another machine has the address: every idle connection is silent. To find that out one
/// by one would delay as many requests by a second each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_link_delays_one_request_and_not_one_for_each_connection() {
    let shop = Fixture::on_postgres().await;
    let (proxy, store) = behind_proxy(&shop).await;
    open_read_connections(&shop, &store).await;
    proxy.lose();
    let begun = Instant::now();
    for _ in 0..8 {
        store.now().await.unwrap();
    }
    // One waits for the ping. The others and the new connections take milliseconds.
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
}

/// Requests that wait for the lock of a table: they use every connection of both pools.
async fn use_all_connections(shop: &Fixture, store: &Store, offer: OfferId) -> JoinSet<()> {
    shop.run("begin; lock table offers in access exclusive mode").await;
    let mut requests = JoinSet::new();
    for _ in 0..READS {
        let store = store.clone();
        requests.spawn(async move { drop(store.offer(offer).await) });
    }
    for _ in 0..MONEY {
        let store = store.clone();
        requests.spawn(async move { drop(store.pause_offer(offer).await) });
    }
    let waiting = "select count(*) from pg_locks where not granted
        and database = (select oid from pg_database where datname = current_database())";
    until_some("requests that wait", SOON, async || (shop.number(waiting).await == MONEY + READS).then_some(())).await;
    requests
}

/// The clients of the requests disconnect, or background jobs reach their deadline, while the connections are in use. What each of them
/// was sent is unknown, so none may be used again, and none may keep its place in the pool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_requests_on_a_silent_link_keep_no_place_in_the_pools() {
    let shop = Fixture::on_postgres().await;
    let offer = shop.offer(5, 1).await;
    let (proxy, store) = behind_proxy(&shop).await;
    let mut requests = use_all_connections(&shop, &store, offer).await;
    proxy.lose();
    requests.shutdown().await;
    shop.run("commit").await;
    let begun = Instant::now();
    store.offer(offer).await.unwrap();
    store.pause_offer(offer).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    shop.assert_consistent().await;
}
