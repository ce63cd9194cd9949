//! Opening a store: which URLs are refused, what survives a restart, and that a failed write does not break the next one.

use livesouk::clock::Clock;
use livesouk::domain::{Shop, ShopId};
use livesouk::store::{Error, Store};

use super::builders::{code, places, purchase_request, purchase_requests, stream};
use super::fixture::{Fixture, facts};

facts! {
    committed_data_survives_a_restart
    server_has_one_shop
    failed_transaction_leaves_the_store_usable
    failed_statements_release_the_offers_row
}

async fn committed_data_survives_a_restart(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    let sold = shop.sell(offer, &purchase_requests(0..2)).await;
    let (epoch, before) = (shop.store.epoch().await.unwrap(), shop.load_offer(offer).await);
    let shop = shop.reopened().await;
    assert_eq!(shop.load_offer(offer).await, before);
    for answered in sold.results.iter().flatten() {
        assert_eq!(shop.order(answered.reservation.id).await.lines, std::slice::from_ref(&answered.reservation));
    }
    // On PostgreSQL the epoch is the WAL timeline, so it stays. On SQLite it rises, because the file may be a restored backup.
    let raised = if shop.is_postgres() { 0 } else { 1 };
    assert_eq!(shop.store.epoch().await.unwrap(), epoch + raised);
    assert_eq!(places(&shop.sell(offer, &purchase_requests(0..3)).await), [3]);
    shop.assert_consistent().await;
}

async fn server_has_one_shop(shop: Fixture) {
    let late = Shop { id: ShopId::new(), title: "Late".into(), ..shop.shop.clone() };
    assert_eq!(shop.store.create_shop(late).await.unwrap(), shop.shop);
    assert_eq!(shop.store.shop().await.unwrap(), Some(shop.shop.clone()));
}

async fn failed_transaction_leaves_the_store_usable(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    for round in 0..12 {
        let duplicate = shop.store.create_stream(shop.shop.id, &stream(shop.stream)).await.unwrap_err();
        assert!(matches!(duplicate, Error::Database(_)), "{duplicate}");
        let twice = shop.new_offer(1, 1);
        shop.store.create_offer(&twice, None).await.unwrap();
        let pool = shop.stock().await;
        let duplicate = shop.store.create_offer(&twice, None).await.unwrap_err();
        assert!(matches!(duplicate, Error::Database(_)), "{duplicate}");
        assert_eq!(shop.stock().await, pool, "round {round}: units were taken by a transaction that failed");
    }
    assert_eq!(code(&shop.buy(offer, &purchase_requests([0])[0]).await), "ok");
    shop.store.restock_offer(offer, 1, None).await.unwrap();
    shop.assert_consistent().await;
}

async fn failed_statements_release_the_offers_row(shop: Fixture) {
    let offer = shop.offer(5, 1).await;
    shop.reject_poison_buyer().await;
    for _ in 0..3 {
        let fault = shop.store.sell(offer, &[purchase_request("poison", "key-poison", 1)]).await;
        assert!(matches!(fault, Err(Error::Database(_))));
        // These need the same row; they would wait for seconds if it were still locked.
        let begun = std::time::Instant::now();
        shop.store.pause_offer(offer).await.unwrap();
        shop.store.open_offer(offer).await.unwrap();
        assert!(begun.elapsed().as_millis() < 2_000, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn second_server_on_a_sqlite_file_is_refused_until_the_first_stops() {
    let shop = Fixture::on_sqlite().await;
    let url = shop.url.clone();
    for _ in 0..2 {
        match Store::open(&url, Clock::system(), 1).await {
            Err(Error::Setup(why)) => assert!(why.contains("another livesouk has"), "{why}"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("two servers on one file"),
        }
    }
    let offer = shop.offer(1, 1).await;
    shop.hold_one(offer, "ann").await;
    shop.reopened().await.assert_consistent().await;
}

#[tokio::test]
async fn unknown_store_url_is_refused() {
    for url in ["mysql://x/y", "shop.db", ""] {
        assert!(matches!(Store::open(url, Clock::system(), 1).await, Err(Error::Setup(_))), "{url:?}");
    }
}

/// Each connection of the pool would have an in-memory database of its own, and none would survive the server.
#[tokio::test]
async fn in_memory_sqlite_is_refused() {
    for url in ["sqlite::memory:", "sqlite:", "sqlite://"] {
        let opened = Store::open(url, Clock::system(), 1).await;
        assert!(matches!(opened, Err(Error::Setup(_))), "{url:?}");
    }
}
