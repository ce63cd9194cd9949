//! Invalid purchases: quantities, offers, idempotency keys.

use reqwest::Method;
use serde_json::{Value, json};

use super::assert_unharmed;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, key};

const UNITS: i64 = 5;

async fn buy(rest: &Rest, offer: &str, key: &str, qty: i64) -> crate::support::rest::RestResponse {
    rest.post_keyed(&format!("/v1/offers/{offer}/orders"), key, json!({"qty": qty})).await
}

#[tokio::test]
async fn invalid_quantity_is_a_bad_request() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(UNITS, json!({})).await;
    let (rest, mut live) = (shop.rest("Ann", "viewer"), shop.live("Ann", "viewer").await);
    let path = format!("/v1/offers/{offer}/orders");
    for qty in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(null),
        json!([1]),
        json!(true),
        json!(1_i64 << 31),
        json!(1_000_000_000_000_i64),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
    ] {
        let answer = rest.post_keyed(&path, &key(), json!({"qty": qty})).await;
        answer.expect_problem(400, "bad_request");
        let code = live.refused(json!({"do": "buy", "offer": offer, "qty": qty, "key": key()})).await;
        assert_eq!(code, "bad_request", "{qty}");
    }
    rest.post_keyed(&path, &key(), json!({})).await.expect_problem(400, "bad_request");
    assert_eq!(live.refused(json!({"do": "buy", "offer": offer, "key": key()})).await, "bad_request");
    // A quantity above the units left is a valid request; the refusal contains the units left.
    let many = rest.post_keyed(&path, &key(), json!({"qty": UNITS + 1})).await.expect_problem(409, "too_few_left");
    assert_eq!(many["left"], UNITS);
    assert_unharmed(&shop, &offer, UNITS).await;
}

#[tokio::test]
async fn unknown_offer_is_refused_as_no_such_offer() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(UNITS, json!({})).await;
    let draft = shop.draft(UNITS, json!({})).await;
    let (rest, mut live) = (shop.rest("Ann", "viewer"), shop.live("Ann", "viewer").await);
    let unknown = uuid::Uuid::now_v7().to_string();
    buy(&rest, &unknown, &key(), 1).await.expect_problem(404, "no_such_offer");
    let verb = |offer: &str| json!({"do": "buy", "offer": offer, "qty": 1, "key": key()});
    assert_eq!(live.refused(verb(&unknown)).await, "no_such_offer");
    for malformed in ["1", "nope", "%00", "0190a0a0-0000-7000-8000-00000000000g"] {
        let answer = buy(&rest, malformed, &key(), 1).await;
        assert!(matches!(answer.status, 400 | 404), "{malformed}: {answer:?}");
        assert_eq!(live.refused(verb(malformed)).await, "bad_request");
    }
    // Viewers cannot see a draft.
    rest.get(&format!("/v1/offers/{draft}")).await.expect_problem(404, "no_such_offer");
    let code = live.refused(verb(&draft)).await;
    assert!(code == "no_such_offer" || code == "not_open", "{code}");
    for (path, code) in [
        (format!("/v1/streams/{unknown}"), "no_such_stream"),
        (format!("/v1/orders/{unknown}"), "not_yours"),
        (format!("/v1/streams/{unknown}/messages"), "no_such_stream"),
        (format!("/v1/orders/by-key/{}", key()), "no_such_order"),
    ] {
        rest.get(&path).await.expect_problem(404, code);
    }
    assert_unharmed(&shop, &offer, UNITS).await;
}

#[tokio::test]
async fn purchase_needs_exactly_one_valid_key() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(UNITS, json!({})).await;
    let (rest, mut live) = (shop.rest("Ann", "viewer"), shop.live("Ann", "viewer").await);
    let path = format!("/v1/offers/{offer}/orders");
    let body = Some(json!({"qty": 1}));
    rest.send(Method::POST, &path, &[], body.clone()).await.expect_problem(400, "key_missing");
    let (long, quoted_short) = ("k".repeat(256), "\"1234567\"");
    for bad in ["1234567", &long, "with space", "مفتاح-مفتاح", "tab\tinside", quoted_short] {
        buy(&rest, &offer, bad, 1).await.expect_problem(400, "key_invalid");
        let code = live.refused(json!({"do": "buy", "offer": offer, "qty": 1, "key": bad})).await;
        assert_eq!(code, "key_invalid", "{bad}");
    }
    for bad in [json!(null), json!("")] {
        let code = live.refused(json!({"do": "buy", "offer": offer, "qty": 1, "key": bad})).await;
        assert_eq!(code, "key_missing", "{bad}");
    }
    assert_eq!(live.refused(json!({"do": "buy", "offer": offer, "qty": 1})).await, "key_missing");
    assert_eq!(live.refused(json!({"do": "buy", "offer": offer, "qty": 1, "key": 12_345_678})).await, "bad_request");
    let two = [("idempotency-key", "the-first-key"), ("idempotency-key", "the-second-key")];
    rest.send(Method::POST, &path, &two, body.clone()).await.expect_problem(400, "key_invalid");
    let same_twice = [("idempotency-key", "the-first-key"), ("idempotency-key", "the-first-key")];
    rest.send(Method::POST, &path, &same_twice, body).await.expect_problem(400, "key_invalid");
    assert_unharmed(&shop, &offer, UNITS).await;
}

#[tokio::test]
async fn malformed_id_is_refused_before_the_missing_key() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(UNITS, json!({})).await;
    let rest = shop.rest("Ann", "viewer");
    for (path, body) in [
        ("/v1/offers/ID/orders", json!({"qty": 1})),
        ("/v1/orders/ID/pay", json!({"token": "ok"})),
        ("/v1/orders/ID/cancel", json!({})),
        ("/v1/orders/ID/refund", json!({"restock": true})),
        ("/v1/offers/ID/restock", json!({"add": 1})),
    ] {
        let malformed = path.replace("ID", "nope");
        rest.send(Method::POST, &malformed, &[], Some(body.clone())).await.expect_problem(400, "bad_request");
        let short_key = [("idempotency-key", "short")];
        rest.send(Method::POST, &malformed, &short_key, Some(body.clone())).await.expect_problem(400, "bad_request");
        if path != "/v1/offers/ID/restock" {
            let well_formed = path.replace("ID", &offer);
            rest.send(Method::POST, &well_formed, &[], Some(body)).await.expect_problem(400, "key_missing");
        }
    }
}

#[tokio::test]
async fn key_belongs_to_one_buyer_and_one_request() {
    let shop = Shop::demo(&[]).await;
    let (offer, other) = (shop.on_sale(UNITS, json!({})).await, shop.on_sale(UNITS, json!({})).await);
    let (ann, bob) = (shop.rest("Ann", "viewer"), shop.rest("Bob", "viewer"));
    let mut live = shop.live("Ann", "viewer").await;
    let long = "k".repeat(255);
    let first = buy(&ann, &offer, "shared-key", 1).await.expect(201);
    // Quotes around the key are stripped. REST and the socket share the keys.
    let again = buy(&ann, &offer, "\"shared-key\"", 1).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(id(&again.expect(200)), id(&first));
    let again = live.ask(json!({"do": "buy", "offer": offer, "qty": 1, "key": "shared-key"})).await.unwrap();
    assert_eq!((id(&again["order"]), &again["replayed"]), (id(&first), &json!(true)));
    let found = ann.get("/v1/orders/by-key/shared-key").await.expect(200);
    assert_eq!(id(&found), id(&first));
    bob.get("/v1/orders/by-key/shared-key").await.expect_problem(404, "no_such_order");

    buy(&ann, &offer, "shared-key", 2).await.expect_problem(422, "key_reused");
    buy(&ann, &other, "shared-key", 1).await.expect_problem(422, "key_reused");
    assert_eq!(live.refused(json!({"do": "buy", "offer": offer, "qty": 2, "key": "shared-key"})).await, "key_reused");
    // Keys of different buyers are independent.
    let others = buy(&bob, &offer, "shared-key", 1).await.expect(201);
    assert_ne!(id(&others), id(&first));
    buy(&bob, &other, &long, 1).await.expect(201);

    let order = id(&first);
    let pay = format!("/v1/orders/{order}/pay");
    // Keys of different verbs are independent.
    let paid = ann.post_keyed(&pay, "shared-key", json!({"token": "ok"})).await.expect(200);
    assert_eq!(paid["status"], "paid");
    let declined = ann.post_keyed(&pay, "shared-key", json!({"token": "declined"})).await;
    declined.expect_problem(422, "key_reused");
    shop.assert_left(&offer, UNITS - 2).await;
    shop.assert_left(&other, UNITS - 1).await;
}

#[tokio::test]
async fn order_of_another_buyer_is_not_found() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(UNITS, json!({})).await;
    let (ann, bob) = (shop.rest("Ann", "viewer"), shop.rest("Bob", "viewer"));
    let mut live = shop.live("Bob", "viewer").await;
    // The buyer is the signed-in user; fields of the body cannot change that.
    let body = json!({"qty": 1, "buyer": "Bob", "user": "Bob", "sub": "Bob", "buyer_id": "Bob"});
    let order = ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), body).await.expect(201);
    let order = id(&order);
    let mine = |list: Value| list["items"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    assert_eq!(mine(ann.get("/v1/orders").await.expect(200)), [order.as_str()]);
    assert!(mine(bob.get("/v1/orders").await.expect(200)).is_empty());
    let path = format!("/v1/orders/{order}");
    for (rest, status, code) in
        [(&bob, 404, "not_yours"), (&shop.host, 404, "not_yours"), (&shop.server.rest(), 401, "sign_in")]
    {
        rest.get(&path).await.expect_problem(status, code);
        rest.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await.expect_problem(status, code);
        rest.post_keyed(&format!("{path}/cancel"), &key(), json!({})).await.expect_problem(status, code);
    }
    for verb in [
        json!({"do": "pay", "order": order, "token": "ok", "key": key()}),
        json!({"do": "cancel", "order": order, "key": key()}),
    ] {
        assert_eq!(live.refused(verb).await, "not_yours");
    }
    assert_eq!(ann.get(&path).await.expect(200)["status"], "held");
    for (token, code) in [("", "bad_request"), ("free", "bad_request")] {
        ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": token})).await.expect_problem(400, code);
    }
    shop.assert_left(&offer, UNITS - 1).await;
}
