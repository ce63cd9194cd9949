//! Idempotency keys of the team: a request that adds something needs a key, a retry adds nothing, and a key belongs to one request.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Shop, id, key, now_ms};
use crate::support::{SOON, until_some};

/// A request that adds something, another one, and whether it needs a key.
struct Adding {
    path: String,
    body: Value,
    other: Value,
    needs_key: bool,
}

/// An offer on sale whose variant has more units in stock.
async fn stocked(shop: &Shop, terms: Value) -> String {
    let offer = shop.on_sale(10, terms).await;
    let variant = shop.offer(&offer).await["variant"].as_str().unwrap().to_owned();
    shop.host.post(&format!("/v1/variants/{variant}/restock"), json!({"add": 100})).await.expect(200);
    offer
}

fn flash() -> Value {
    json!({"kind": "flash", "countdown_s": 10, "duration_s": 600})
}

async fn all(shop: &Shop) -> Vec<Adding> {
    let variant = shop.variant(1_000).await;
    let offer = stocked(shop, json!({})).await;
    let flash = stocked(shop, flash()).await;
    let new = |units: i64| json!({"variant": variant, "kind": "regular", "price": 4_900, "quantity": units});
    let product = |title: &str| json!({"title": title, "variants": [{"name": "One", "price": 1, "stock": 1}]});
    let pool = format!("/v1/variants/{variant}/restock");
    let adding = |path: String, body, other| Adding { path, body, other, needs_key: true };
    vec![
        adding(pool, json!({"add": 1}), json!({"add": 2})),
        adding(shop.path("offers"), new(1), new(2)),
        adding(format!("/v1/offers/{offer}/restock"), json!({"add": 1}), json!({"add": 2})),
        adding(format!("/v1/offers/{flash}/extend"), json!({"seconds": 30}), json!({"seconds": 60})),
        Adding { path: "/v1/products".to_owned(), body: product("Lamp"), other: product("Chair"), needs_key: false },
    ]
}

/// What counts whether something was added twice.
const ADDED: &str = "select (select count(*) from offers) + (select count(*) from products)
    + (select cast(1000 * sum(quantity) as bigint) from offers) + (select cast(sum(stock) as bigint) from variants)
    + (select cast(coalesce(sum(closes_at), 0) as bigint) from offers)";

#[tokio::test]
async fn request_that_adds_something_needs_a_key_and_adds_it_once() {
    let shop = Shop::demo(&[]).await;
    for Adding { path, body, other, needs_key } in all(&shop).await {
        let unkeyed = shop.host.send(Method::POST, &path, &[], Some(body.clone())).await;
        if needs_key {
            unkeyed.expect_problem(400, "key_missing");
        } else {
            assert_eq!(unkeyed.status, 201, "{path}: {unkeyed:?}");
        }
        let with = key();
        let before = shop.number(ADDED).await;
        let first = shop.host.post_keyed(&path, &with, body.clone()).await;
        assert!(first.is_success(), "{path}: {first:?}");
        let added = shop.number(ADDED).await;
        assert_ne!(added, before, "{path} adds something");
        let again = shop.host.post_keyed(&path, &with, body.clone()).await;
        assert!(again.is_success(), "{path}: {again:?}");
        assert_eq!(shop.number(ADDED).await, added, "{path}: the retry adds nothing");
        if first.status == 201 {
            assert_eq!(id(&again.body), id(&first.body), "{path}");
        }
        shop.host.post_keyed(&path, &with, other.clone()).await.expect_problem(422, "key_reused");
        assert_eq!(shop.number(ADDED).await, added, "{path}: the refused request adds nothing");
        shop.host.post_keyed(&path, "short", body).await.expect_problem(400, "key_invalid");
        // The key belongs to its user.
        let colleague = shop.rest("the-other-host", "host");
        assert!(colleague.post_keyed(&path, &with, other).await.is_success(), "{path}");
    }
}

#[tokio::test]
async fn verb_that_adds_something_needs_a_key_on_the_socket_too() {
    let shop = Shop::demo(&[]).await;
    let offer = stocked(&shop, flash()).await;
    let mut host = shop.live("the-host", "host").await;
    let with = key();
    for (verb, other) in [
        (json!({"do": "restock", "offer": offer, "add": 1}), json!({"add": 2})),
        (json!({"do": "extend", "offer": offer, "seconds": 30}), json!({"seconds": 60})),
    ] {
        let missing = host.ask(verb.clone()).await.unwrap_err();
        assert_eq!(missing["code"], "key_missing", "{verb}");
        let merge = |more: &Value| {
            let mut merged = verb.clone();
            merged["key"] = json!(with);
            more.as_object().into_iter().flatten().for_each(|(name, value)| merged[name] = value.clone());
            merged
        };
        host.ask(merge(&json!({}))).await.unwrap();
        let added = shop.number(ADDED).await;
        host.ask(merge(&json!({}))).await.unwrap();
        assert_eq!(shop.number(ADDED).await, added, "{verb}");
        assert_eq!(host.ask(merge(&other)).await.unwrap_err()["code"], "key_reused", "{verb}");
    }
}

#[tokio::test]
async fn late_retry_of_a_planned_offer_gives_its_one_result() {
    let shop = Shop::demo(&[]).await;
    let variant = shop.variant(100).await;
    let starts_at = now_ms() + 1_500;
    let new = json!({"variant": variant, "kind": "regular", "price": 4_900, "quantity": 3, "starts_at": starts_at});
    let with = key();
    let offer = id(&shop.host.post_keyed(&shop.path("offers"), &with, new.clone()).await.expect(201));
    let over = async || (shop.offer(&offer).await["status"] == "open").then_some(());
    until_some("the start of the sale", SOON, over).await;
    let again = shop.host.post_keyed(&shop.path("offers"), &with, new.clone()).await;
    assert_eq!(id(&again.body), offer, "{again:?}");
    // A new request for a time that is over is refused as before, and so is the key with another request.
    let late = shop.host.post_keyed(&shop.path("offers"), &key(), new.clone()).await;
    assert_eq!((late.status, &late.body["field"]), (422, &json!("starts_at")), "{late:?}");
    let mut other = new;
    other["quantity"] = json!(4);
    shop.host.post_keyed(&shop.path("offers"), &with, other).await.expect_problem(422, "key_reused");
}
