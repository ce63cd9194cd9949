//! Limits of one buyer: purchases, cancellations, attempts to pay, and reservations that lapse again and again.

use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::support::metrics::Metrics;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, key, now_ms};
use crate::support::{SOON, until_some};

#[tokio::test]
async fn buying_and_cancelling_in_a_loop_is_slowed() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(50, json!({"per_buyer": 5})).await;
    let mut ann = shop.live("Ann", "viewer").await;
    let started = Instant::now();
    let (mut rounds, mut refused) = (0, 0);
    for _ in 0..300 {
        match ann.ask(json!({"do": "buy", "offer": offer, "qty": 1, "key": key()})).await {
            Ok(bought) => {
                rounds += 1;
                let cancel = json!({"do": "cancel", "order": bought["order"]["id"], "key": key()});
                ann.ask(cancel).await.expect("as many cancellations as purchases are allowed");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error["code"], "too_many_requests");
                let retry_ms = error["retry_ms"].as_i64().unwrap();
                assert!((1..=500).contains(&retry_ms), "{error}");
            }
        }
    }
    let allowed = 31 + 2 * started.elapsed().as_secs();
    assert!(rounds >= 30 && rounds <= allowed, "{rounds} rounds, {allowed} allowed, {refused} refused");
    let bob = shop.rest("Bob", "viewer");
    bob.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let page = Metrics::of(&shop.host).await;
    let counted = ["buy", "hold"].map(|what| page.get(&format!("livesouk_buyers_limited_total{{what=\"{what}\"}}")));
    assert_eq!(counted.iter().sum::<f64>() as u64, refused);
    shop.assert_left(&offer, 49).await;
}

#[tokio::test]
async fn repeated_purchase_counts_once_and_is_answered_when_nothing_more_is_allowed() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(90, json!({"per_buyer": 80})).await;
    let ann = shop.rest("Ann", "viewer");
    let path = format!("/v1/offers/{offer}/orders");
    let first = key();
    let order = id(&ann.post_keyed(&path, &first, json!({"qty": 1})).await.expect(201));
    for _ in 0..40 {
        let repeated = ann.post_keyed(&path, &first, json!({"qty": 1})).await;
        assert!(repeated.status < 300, "{repeated:?}");
        assert_eq!(id(&repeated.body), order);
    }
    let mut bought = 0;
    let refused = loop {
        let answer = ann.post_keyed(&path, &key(), json!({"qty": 1})).await;
        if answer.status >= 400 {
            break answer;
        }
        bought += 1;
    };
    refused.expect_problem(429, "too_many_requests");
    assert!(bought >= 29, "{bought} more were allowed: the repeated request was counted");
    let repeated = ann.post_keyed(&path, &first, json!({"qty": 1})).await;
    assert_eq!((repeated.status < 300, id(&repeated.body)), (true, order), "{repeated:?}");
}

#[tokio::test]
async fn attempts_to_pay_are_limited_but_repeating_one_is_not() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let ann = shop.rest("Ann", "viewer");
    let order = id(&ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201));
    let pay = async |key: &str, token: &str| {
        ann.post_keyed(&format!("/v1/orders/{order}/pay"), key, json!({"token": token})).await
    };
    let keys: Vec<String> = (0..21).map(|_| key()).collect();
    for key in &keys[..20] {
        pay(key, "declined").await.expect_problem(402, "declined");
    }
    let refused = pay(&keys[20], "declined").await;
    assert!(refused.header("retry-after").is_some());
    let problem = refused.expect_problem(429, "too_many_payments");
    assert!((1..=6_000).contains(&problem["retry_ms"].as_i64().unwrap()), "{problem}");
    // The client does not know the outcome of its last attempt and repeats it.
    pay(&keys[19], "declined").await.expect_problem(402, "declined");
    let view = ann.get(&format!("/v1/orders/{order}")).await.expect(200);
    assert_eq!(view["status"], "held", "it is still hers");
}

/// Ends the reservations of this order's buyer now, as if their time were over.
async fn end_holds(shop: &Shop) {
    let file = format!("sqlite:{}", shop.server.data().join("livesouk.db").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    let ended = sqlx::query("update reservations set hold_until = ?1 where status = 'held'").bind(now_ms() - 1);
    ended.execute(&mut database).await.unwrap();
    let held = async || shop.number("select count(*) from reservations where status = 'held'").await;
    until_some("release", SOON, async || (held().await == 0).then_some(())).await;
}

async fn buy(buyer: &Rest, offer: &str, key: &str) -> Result<Value, Value> {
    let answer = buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), key, json!({"qty": 1})).await;
    if answer.is_success() { Ok(answer.body) } else { Err(answer.body) }
}

#[tokio::test]
async fn buyer_whose_reservations_lapse_again_and_again_has_to_pause() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"per_buyer": 1})).await;
    let other = shop.on_sale(5, json!({"per_buyer": 1})).await;
    let (ann, bob) = (shop.rest("Ann", "viewer"), shop.rest("Bob", "viewer"));
    let first = key();
    for number in 0..3 {
        let key = if number == 0 { first.clone() } else { key() };
        buy(&ann, &offer, &key).await.unwrap_or_else(|error| panic!("purchase {number}: {error}"));
        end_holds(&shop).await;
    }
    let refused = buy(&ann, &offer, &key()).await.unwrap_err();
    assert_eq!(refused["code"], "too_many_holds", "{refused}");
    assert!((20_000..=30_000).contains(&refused["retry_ms"].as_i64().unwrap()), "{refused}");
    // A retry finds its reservation, another offer and another buyer are not affected.
    assert_eq!(buy(&ann, &offer, &first).await.unwrap()["status"], "expired");
    buy(&ann, &other, &key()).await.unwrap();
    buy(&bob, &offer, &key()).await.unwrap();
    let page = Metrics::of(&shop.host).await;
    assert_eq!(page.get("livesouk_lapsed_holds_total{result=\"counted\"}"), 3.0);
    assert_eq!(page.get("livesouk_buyers_limited_total{what=\"lapsed_holds\"}"), 1.0);
    assert_eq!(page.get("livesouk_purchases_total{result=\"too_many_holds\"}"), 1.0);
}

#[tokio::test]
async fn reservations_that_lapse_while_the_shop_restarts_do_not_count() {
    let mut shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(10, json!({"per_buyer": 5})).await;
    let ann = shop.rest("Ann", "viewer");
    for _ in 0..5 {
        buy(&ann, &offer, &key()).await.unwrap();
    }
    assert_eq!(shop.server.stop().await.code(), Some(0));
    let shop = Shop::demo_in(shop.server.folder(), &[]).await;
    end_holds(&shop).await;
    buy(&shop.rest("Ann", "viewer"), &offer, &key()).await.expect("no pause");
    assert_eq!(Metrics::of(&shop.host).await.get("livesouk_lapsed_holds_total{result=\"excused\"}"), 5.0);
}
