//! PostgreSQL fails over to its standby during purchases. With a synchronous standby every acknowledged order survives. Without
//! one an order may be lost, and a test shows that too, to make the limit of the guarantee visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::Postgres;
use crate::support::proxy::Proxy;
use crate::support::rest::RestResponse;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

/// A primary, its standby, and the network between them and the shop.
struct Pair {
    primary: Postgres,
    standby: Postgres,
    /// From the standby to the primary.
    stream: Proxy,
    /// From the shop to the server that is primary.
    way: Proxy,
}

impl Pair {
    async fn start(synchronous: bool) -> Pair {
        let primary = Postgres::start().await.unwrap_or_else(|missing| panic!("{missing}"));
        let stream = Proxy::start(primary.address()).await;
        let standby = Postgres::standby(stream.address()).await.unwrap_or_else(|why| panic!("{why}"));
        if synchronous {
            primary.wait_for_standbys().await;
        }
        let way = Proxy::start(primary.address()).await;
        Pair { primary, standby, stream, way }
    }

    async fn shop(&self) -> Shop {
        Shop::serve(&Postgres::url_at(self.primary.address()), &Postgres::url_at(self.way.address())).await
    }

    /// The primary is lost forever, and the standby is promoted, as a cluster manager does it.
    async fn fail_over(&mut self) {
        self.lose_primary().await;
        self.take_over().await;
    }

    async fn lose_primary(&mut self) {
        self.way.cut();
        self.primary.crash().await;
    }

    async fn take_over(&self) {
        self.standby.promote().await;
        self.way.aim(self.standby.address());
        self.way.restore();
    }

    /// Everything that was written so far has reached the standby.
    async fn caught_up(&self) {
        until_some("standby that has caught up", SOON, async || {
            let behind = "select max(sent_lsn - flush_lsn)::text from pg_stat_replication";
            (self.primary.run(behind).await.as_deref() == Some("0")).then_some(())
        })
        .await;
    }
}

async fn ready(shop: &Shop) {
    let ready = async || (shop.server.rest().get("/readyz").await.status == 200).then_some(());
    until_some("node that is ready again", SOON, ready).await;
}

fn is_no_promise(answer: &RestResponse) -> bool {
    let code = answer.body["code"].as_str().unwrap_or_default();
    answer.status == 503 && matches!(code, "busy" | "unavailable" | "outcome_unknown")
}

#[tokio::test]
async fn acknowledged_orders_survive_a_failover_and_the_show_continues() {
    let mut pair = Pair::start(true).await;
    let shop = pair.shop().await;
    let offer = shop.on_sale(10_000, json!({"per_buyer": 1_000, "hold_s": 3_600})).await;
    let path = format!("/v1/offers/{offer}/orders");
    let mut watcher = shop.live("Wim", "viewer").await;

    // Buyers who buy until the failover is over. Each remembers its acknowledged orders, and the keys without an answer.
    let (over, seen) = tokio::sync::watch::channel(false);
    let unknown_outcomes = Arc::new(AtomicUsize::new(0));
    let mut buyers = Vec::new();
    for number in 0..6 {
        let (rest, path, over) = (shop.rest(&format!("buyer-{number}"), "viewer"), path.clone(), seen.clone());
        let unknown_outcomes = unknown_outcomes.clone();
        buyers.push(tokio::spawn(async move {
            let (mut promised, mut unknown) = (Vec::new(), Vec::new());
            while !*over.borrow() {
                let key = key();
                let answer = rest.post_keyed(&path, &key, json!({"qty": 1})).await;
                match answer.status {
                    200 | 201 => promised.push((key, id(&answer.body))),
                    _ => {
                        assert!(is_no_promise(&answer), "{answer:?}");
                        unknown.push(key);
                        unknown_outcomes.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Slow enough that no buyer reaches their limit.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (rest, promised, unknown)
        }));
    }
    until_some("fifty orders", SOON, async || (shop.left(&offer).await <= 9_950).then_some(())).await;
    let timeline = shop.offer(&offer).await["v"][0].clone();
    pair.lose_primary().await;
    // A batch is retried for five seconds. Buyers without a result then get the answer `outcome_unknown`.
    until_some("purchase with an unknown outcome", SOON, async || {
        (unknown_outcomes.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    // The room is not affected.
    watcher.ask(json!({"do": "say", "text": "still here"})).await.unwrap();
    watcher.event("the message", SOON, |event| event["text"] == "still here").await;
    pair.take_over().await;
    ready(&shop).await;
    let first = format!("/v1/offers/{offer}/orders");
    until_some("order on the new primary", SOON, async || {
        let answer = shop.rest("Zoe", "viewer").post_keyed(&first, "after-the-failover", json!({"qty": 1})).await;
        matches!(answer.status, 200 | 201).then_some(())
    })
    .await;
    over.send_replace(true);

    let mut all = 1;
    for buyer in buyers {
        let (rest, promised, unknown) = buyer.await.unwrap();
        for (key, order) in &promised {
            let found = rest.get(&format!("/v1/orders/by-key/{key}")).await.expect(200);
            assert_eq!(&id(&found), order, "an acknowledged order is lost");
        }
        // A retry with the same key settles an unknown outcome: one order each, from before or new.
        for key in &unknown {
            let answer = rest.post_keyed(&path, key, json!({"qty": 1})).await;
            assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        }
        all += promised.len() + unknown.len();
    }
    let counted = "select count(*)::text from reservations";
    assert_eq!(pair.standby.run(counted).await, Some(all.to_string()));
    assert_eq!(pair.standby.run("select count(*)::text from reservation_mismatches").await.as_deref(), Some("0"));
    // The epoch is the timeline of PostgreSQL: states from here on replace earlier ones, whatever their version.
    let epoch = async || shop.offer(&offer).await["v"][0].as_i64();
    until_some("another epoch", SOON, async || (epoch().await > timeline.as_i64()).then_some(())).await;
    let left = 10_000 - all;
    watcher.until_state("the count of now", SOON, |state| state["offers"][&offer]["left"] == left).await;
}

/// Buys and pays while the standby is cut off, then fails over to it. Returns both answers and the orders that exist afterwards.
async fn buy_without_replication_and_fail_over(synchronous: bool) -> (RestResponse, RestResponse, Vec<String>) {
    let mut pair = Pair::start(synchronous).await;
    let shop = pair.shop().await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9, "hold_s": 3_600})).await;
    let ann = shop.rest("Ann", "viewer");
    let path = format!("/v1/offers/{offer}/orders");
    let before = id(&ann.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201));
    pair.caught_up().await;

    pair.stream.black_hole();
    let pay = format!("/v1/orders/{before}/pay");
    let (paid, bought) = tokio::join!(
        ann.post_keyed(&pay, "pay-unreplicated", json!({"token": "ok"})),
        ann.post_keyed(&path, "buy-unreplicated", json!({"qty": 1}))
    );
    // If the outcome of the first attempt is unknown, that of a retry must be unknown too, as long as nothing has changed.
    let (paid, bought) = match synchronous {
        true => (
            ann.post_keyed(&pay, "pay-unreplicated", json!({"token": "ok"})).await,
            ann.post_keyed(&path, "buy-unreplicated", json!({"qty": 1})).await,
        ),
        false => (paid, bought),
    };
    pair.fail_over().await;
    ready(&shop).await;
    let orders = until_some("list of orders", SOON, async || {
        let answer = ann.get("/v1/orders").await;
        (answer.status == 200).then(|| answer.body["items"].as_array().expect("a list").clone())
    })
    .await;
    let there = |order: &Value| format!("{} {}", id(order), order["status"].as_str().unwrap_or_default());
    (paid, bought, orders.iter().map(there).collect())
}

#[tokio::test]
async fn order_without_replication_is_not_acknowledged() {
    let (paid, bought, _) = buy_without_replication_and_fail_over(true).await;
    for answer in [paid, bought] {
        assert!(is_no_promise(&answer), "{answer:?}");
    }
}

#[tokio::test]
async fn failover_without_a_synchronous_standby_loses_acknowledged_orders() {
    let (paid, bought, after) = buy_without_replication_and_fail_over(false).await;
    let (paid, bought) = (paid.expect(200), bought.expect(201));
    assert_eq!((&paid["status"], &bought["status"]), (&json!("paid"), &json!("held")));
    assert_eq!(
        after,
        [format!("{} held", id(&paid))],
        "this is why docs/operate.md asks for synchronous_standby_names"
    );
}

#[tokio::test]
async fn retry_is_not_acknowledged_before_its_order_is_replicated() {
    let mut pair = Pair::start(true).await;
    let shop = pair.shop().await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9, "hold_s": 3_600})).await;
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/offers/{offer}/orders"));
    pair.caught_up().await;
    pair.stream.black_hole();
    let unreplicated = ann.post_keyed(&path, "buy-unreplicated", json!({"qty": 1})).await;
    assert!(is_no_promise(&unreplicated), "{unreplicated:?}");
    // A restart forgets that the commit was waiting: the order is visible on the primary, and nowhere else.
    pair.primary.crash().await;
    pair.primary.start_again().await;
    assert_eq!(pair.primary.run("select count(*)::text from reservations").await.as_deref(), Some("1"));
    ready(&shop).await;
    // The lookup takes the row lock of the offer, which is a write for PostgreSQL. So the commit of the retry waits like the first.
    let retried = ann.post_keyed(&path, "buy-unreplicated", json!({"qty": 1})).await;
    assert!(is_no_promise(&retried), "{retried:?}");
    pair.stream.restore();
    let order = until_some("order on the standby", SOON, async || {
        let answer = ann.post_keyed(&path, "buy-unreplicated", json!({"qty": 1})).await;
        matches!(answer.status, 200 | 201).then(|| id(&answer.body))
    })
    .await;
    pair.fail_over().await;
    ready(&shop).await;
    assert_eq!(id(&ann.get(&format!("/v1/orders/{order}")).await.expect(200)), order);
}
