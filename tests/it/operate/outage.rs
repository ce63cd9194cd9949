//! PostgreSQL fails while the server runs, and comes back.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::proxy::Proxy;
use crate::support::rest::{Rest, RestResponse};
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

/// An answer that acknowledges nothing: 503 with one of these codes.
fn is_no_promise(answer: &RestResponse) -> bool {
    let code = answer.body["code"].as_str().unwrap_or_default();
    answer.status == 503 && matches!(code, "busy" | "unavailable" | "outcome_unknown")
}

#[tokio::test]
async fn node_recovers_after_a_database_outage() {
    let database = Database::migrated().await;
    let proxy = Proxy::start(database.address()).await;
    let shop = Shop::serve(&database.url(), &database.url_at(proxy.address())).await;
    let offer = shop.on_sale(9, json!({})).await;
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/offers/{offer}/orders"));
    let mut watcher = shop.live("Bob", "viewer").await;
    ann.post_keyed(&path, "before-outage", json!({"qty": 1})).await.expect(201);
    watcher.until_state("eight left", SOON, |state| state["offers"][&offer]["left"] == 8).await;

    proxy.cut();
    until_some("not ready", SOON, async || (shop.server.rest().get("/readyz").await.status == 503).then_some(())).await;
    assert_eq!(shop.server.rest().get("/healthz").await.status, 200);
    let during = key();
    let body = json!({"qty": 1});
    let (retried, over_socket) = tokio::join!(
        ann.post_keyed(&path, &during, body),
        watcher.ask(json!({"do": "buy", "offer": offer, "qty": 1, "key": "socket-outage"}))
    );
    assert!(is_no_promise(&retried), "{retried:?}");
    assert!(retried.header("retry-after").is_some(), "{retried:?}");
    let code = over_socket.expect_err("nothing is promised")["code"].clone();
    assert!(["busy", "unavailable", "outcome_unknown"].map(Value::from).contains(&code), "{code}");
    for path in ["/v1/orders", "/v1/streams", "/v1/products"] {
        let answer = ann.get(path).await;
        assert!(is_no_promise(&answer), "{answer:?}");
    }

    proxy.restore();
    until_some("ready again", SOON, async || (shop.server.rest().get("/readyz").await.status == 200).then_some(()))
        .await;
    let order = ann.post_keyed(&path, &during, json!({"qty": 1})).await;
    assert!(matches!(order.status, 200 | 201), "{order:?}");
    let again = ann.post_keyed(&path, &during, json!({"qty": 1})).await.expect(200);
    assert_eq!(id(&again), id(&order.body));
    let bought = watcher.ask(json!({"do": "buy", "offer": offer, "qty": 1, "key": "socket-outage"})).await.unwrap();
    assert_eq!(bought["order"]["status"], "held");
    watcher.until_state("six left", SOON, |state| state["offers"][&offer]["left"] == 6).await;
    assert_eq!(shop.number("select count(*) from reservations").await, 3);
    shop.assert_left(&offer, 6).await;
}

#[tokio::test]
async fn connection_loss_during_a_purchase_never_makes_two_orders() {
    let database = Database::migrated().await;
    let proxy = Proxy::start(database.address()).await;
    let shop = Shop::serve(&database.url(), &database.url_at(proxy.address())).await;
    let offer = shop.on_sale(100, json!({"per_buyer": 100})).await;
    let path = format!("/v1/offers/{offer}/orders");
    // Connections are cut during purchases, at any point of their transactions.
    for _ in 0..5 {
        let buyers: Vec<_> =
            (0..6).map(|_| tokio::spawn(buy_in_the_end(shop.rest(&key(), "viewer"), path.clone()))).collect();
        tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(0..30))).await;
        proxy.cut();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        proxy.restore();
        for buyer in buyers {
            buyer.await.unwrap();
        }
    }
    assert_eq!(shop.number("select count(*) from reservations").await, 30);
    assert_eq!(shop.number("select max(place) from reservations").await, 30);
    shop.assert_left(&offer, 70).await;
}

/// Retries a purchase with the same key until there is an order. An order that was acknowledged on the way must stay.
async fn buy_in_the_end(rest: Rest, path: String) {
    let key = key();
    let deadline = Instant::now() + SOON;
    let mut promised = None;
    loop {
        let answer = rest.post_keyed(&path, &key, json!({"qty": 1})).await;
        if matches!(answer.status, 200 | 201) {
            let order = id(&answer.body);
            if *promised.get_or_insert(order.clone()) == order && answer.status == 200 {
                return;
            }
            assert_eq!(promised.as_ref(), Some(&order));
        } else {
            // The connection may be cut between the acknowledgement and the second answer. Whoever asks too fast is told so.
            let is_limited = answer.status == 429 && answer.body["code"] == "too_many_requests";
            assert!(is_no_promise(&answer) || is_limited, "{answer:?} after {promised:?}");
            // As clients do.
            let pause = answer.body["retry_ms"].as_u64().unwrap_or(0).min(1_000);
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        }
        assert!(Instant::now() < deadline, "no order in time: {answer:?}");
    }
}

#[tokio::test]
async fn silently_lost_connection_does_not_stop_a_sale() {
    let database = Database::migrated().await;
    let proxy = Proxy::start(database.address()).await;
    let shop = Shop::serve(&database.url(), &database.url_at(proxy.address())).await;
    let offer = shop.on_sale(9, json!({"hold_s": 10})).await;
    let path = format!("/v1/offers/{offer}/orders");
    let first = shop.rest("Ann", "viewer").post_keyed(&path, &key(), json!({"qty": 2})).await.expect(201);
    // The database works, but nothing arrives on the old connections any more.
    proxy.lose();
    buy_in_the_end(shop.rest("Bob", "viewer"), path).await;
    assert_eq!(shop.number("select count(*) from reservations").await, 2);
    let order = format!("/v1/orders/{}", id(&first));
    until_some("end of the hold", SOON, async || {
        let answer = shop.rest("Ann", "viewer").get(&order).await;
        (answer.body["status"] == "expired").then_some(())
    })
    .await;
    assert_eq!(shop.server.rest().get("/readyz").await.status, 200);
    shop.assert_audited().await;
}
