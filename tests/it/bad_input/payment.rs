//! Invalid payments: idempotency keys, tokens, orders, refunds, webhooks.

use livesouk::app::WebhookSecret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Shop, id, key, now_ms};
use crate::support::{SOON, until_some};

const SECRET: &str = "the-secret-that-the-tests-sign-webhooks-with";
const WEBHOOKS: &str = "/v1/webhooks/test";

async fn held(shop: &Shop, buyer: &str) -> String {
    let offer = shop.on_sale(1, json!({})).await;
    let path = format!("/v1/offers/{offer}/orders");
    id(&shop.rest(buyer, "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201))
}

async fn status(shop: &Shop, order: &str) -> Value {
    shop.rest("Ann", "viewer").get(&format!("/v1/orders/{order}")).await.expect(200)["status"].clone()
}

#[tokio::test]
async fn every_verb_on_an_order_needs_exactly_one_valid_key() {
    let shop = Shop::demo(&[]).await;
    let order = held(&shop, "Ann").await;
    let (ann, mut live) = (shop.rest("Ann", "viewer"), shop.live("Ann", "viewer").await);
    let mut host = shop.live("the-host", "host").await;
    for (verb, body) in
        [("pay", json!({"token": "ok"})), ("cancel", json!({})), ("refund", json!({"restock": true, "reason": "x"}))]
    {
        let path = format!("/v1/orders/{order}/{verb}");
        let (rest, live) = if verb == "refund" { (&shop.host, &mut host) } else { (&ann, &mut live) };
        rest.send(Method::POST, &path, &[], Some(body.clone())).await.expect_problem(400, "key_missing");
        rest.post_keyed(&path, "", body.clone()).await.expect_problem(400, "key_missing");
        let long = "k".repeat(256);
        for bad in ["1234567", &long, "with space", "مفتاح-مفتاح", "tab\tinside"] {
            rest.post_keyed(&path, bad, body.clone()).await.expect_problem(400, "key_invalid");
        }
        let two = [("idempotency-key", "the-first-key"), ("idempotency-key", "the-second-key")];
        rest.send(Method::POST, &path, &two, Some(body.clone())).await.expect_problem(400, "key_invalid");
        let mut asked = body;
        (asked["do"], asked["order"]) = (json!(verb), json!(order));
        assert_eq!(live.refused(asked.clone()).await, "key_missing", "{verb}");
        asked["key"] = json!("nul\0inside");
        assert_eq!(live.refused(asked).await, "key_invalid", "{verb}");
    }
    assert_eq!(status(&shop, &order).await, "held");
    assert_eq!(shop.number("select (select count(*) from payments) + (select count(*) from refunds)").await, 0);
}

#[tokio::test]
async fn invalid_payment_is_refused_and_charges_nothing() {
    let shop = Shop::demo(&[]).await;
    let order = held(&shop, "Ann").await;
    let (ann, mut live) = (shop.rest("Ann", "viewer"), shop.live("Ann", "viewer").await);
    let path = format!("/v1/orders/{order}/pay");
    for token in [
        json!(""),
        json!("free"),
        json!("OK"),
        json!("'; drop table payments; --"),
        json!(1),
        json!(null),
        json!(["ok"]),
    ] {
        ann.post_keyed(&path, &key(), json!({"token": token})).await.expect_problem(400, "bad_request");
        let code = live.refused(json!({"do": "pay", "order": order, "token": token, "key": key()})).await;
        assert_eq!(code, "bad_request", "{token}");
    }
    ann.post_keyed(&path, &key(), json!({})).await.expect_problem(400, "bad_request");
    let unknown = uuid::Uuid::now_v7();
    for verb in ["pay", "cancel"] {
        let path = format!("/v1/orders/{unknown}/{verb}");
        ann.post_keyed(&path, &key(), json!({"token": "ok"})).await.expect_problem(404, "not_yours");
        ann.post_keyed(&format!("/v1/orders/1/{verb}"), &key(), json!({"token": "ok"}))
            .await
            .expect_problem(400, "bad_request");
    }
    // A key belongs to one request on one order.
    let other = held(&shop, "Ann").await;
    ann.post_keyed(&path, "one-key-for-all", json!({"token": "ok"})).await.expect(200);
    let paid = ann.post_keyed(&path, "one-key-for-all", json!({"token": "ok"})).await;
    assert_eq!(paid.header("idempotency-replayed"), Some("true"));
    for (path, token) in [(&path, "slow"), (&format!("/v1/orders/{other}/pay"), "ok")] {
        ann.post_keyed(path, "one-key-for-all", json!({"token": token})).await.expect_problem(422, "key_reused");
    }
    let cancel = format!("/v1/orders/{order}/cancel");
    ann.post_keyed(&cancel, &key(), json!({})).await.expect_problem(409, "already_paid");
    assert_eq!(status(&shop, &other).await, "held");
    assert_eq!(shop.number("select count(*) from test_intents").await, 1);
    shop.assert_audited().await;
}

#[tokio::test]
async fn invalid_refund_is_refused_and_refunds_nothing() {
    let shop = Shop::demo(&[]).await;
    let (held, order) = (held(&shop, "Ann").await, held(&shop, "Ann").await);
    let ann = shop.rest("Ann", "viewer");
    ann.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    let path = format!("/v1/orders/{order}/refund");
    for body in [
        json!({}),
        json!({"restock": "yes"}),
        json!({"restock": 1}),
        json!({"restock": null}),
        json!({"restock": true, "reason": 7}),
        json!({"restock": true, "reason": "x".repeat(501)}),
        json!({"restock": true, "reason": "nul\u{0}"}),
    ] {
        shop.host.post_keyed(&path, &key(), body).await.expect_problem(400, "bad_request");
    }
    for (user, role) in [("Ann", "viewer"), ("Mo", "moderator"), ("Pia", "producer"), ("Al", "analyst")] {
        let rest = shop.rest(user, role);
        rest.post_keyed(&path, &key(), json!({"restock": true})).await.expect_problem(403, "forbidden");
        let mut live = shop.live(user, role).await;
        let code = live.refused(json!({"do": "refund", "order": order, "restock": true, "key": key()})).await;
        assert_eq!(code, "forbidden", "{role}");
    }
    shop.server.rest().post_keyed(&path, &key(), json!({"restock": true})).await.expect_problem(401, "sign_in");
    let unpaid = format!("/v1/orders/{held}/refund");
    shop.host.post_keyed(&unpaid, &key(), json!({"restock": true})).await.expect_problem(409, "not_paid");
    let unknown = format!("/v1/orders/{}/refund", uuid::Uuid::now_v7());
    shop.host.post_keyed(&unknown, &key(), json!({"restock": true})).await.expect_problem(404, "no_such_order");
    assert_eq!(shop.number("select count(*) from refunds").await, 0);
    // SQL in the reason is stored as text.
    let body = json!({"restock": true, "reason": "'); drop table refunds; --", "amount": 99_999_999});
    let done = shop.host.post_keyed(&path, "refund-key-1", body.clone()).await.expect(200);
    assert_eq!(done["status"], "refunded");
    let again = shop.host.post_keyed(&path, "refund-key-1", body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = shop.host.post_keyed(&path, "refund-key-1", json!({"restock": false})).await;
    other.expect_problem(422, "key_reused");
    shop.host.post_keyed(&path, &key(), json!({"restock": true})).await.expect_problem(409, "already_refunded");
    assert_eq!(shop.number("select sum(refunded) from test_intents").await, 1_000);
    shop.assert_audited().await;
}

fn event(id: &str, reference: &str) -> String {
    json!({"id": id, "type": "intent.captured", "data": {"object": {
        "id": reference, "status": "captured", "amount": 1, "currency": "USD", "livemode": true, "order": "nope",
    }}})
    .to_string()
}

#[tokio::test]
async fn webhook_without_a_valid_signature_is_refused() {
    let shop = Shop::demo(&["--webhook-secret", SECRET]).await;
    let (rest, secret) = (shop.server.rest(), WebhookSecret::new(SECRET));
    let body = event("evt_bad", "test_nothing");
    let good = secret.sign(now_ms(), body.as_bytes());
    let post = async |headers: &[(&str, &str)], body: &str| rest.send_text(Method::POST, WEBHOOKS, headers, body).await;
    post(&[], &body).await.expect_problem(400, "bad_signature");
    let (old, early) =
        (secret.sign(now_ms() - 301_000, body.as_bytes()), secret.sign(now_ms() + 302_000, body.as_bytes()));
    let forged = WebhookSecret::new("another-secret-that-is-not-ours-at-all").sign(now_ms(), body.as_bytes());
    for bad in [old.as_str(), &early, &forged, "", "t=0,v1=00", "nonsense", &good.replace("v1=", "v0="), "t=1,v1=مفتاح"]
    {
        post(&[("livesouk-signature", bad)], &body).await.expect_problem(400, "bad_signature");
    }
    let twice = [("livesouk-signature", good.as_str()), ("livesouk-signature", good.as_str())];
    post(&twice, &body).await.expect_problem(400, "bad_signature");
    // The signature covers the bytes: the same JSON in other bytes is refused.
    post(&[("livesouk-signature", &good)], &format!("{body} ")).await.expect_problem(400, "bad_signature");
    for nonsense in ["", "[]", "{", "null", r#"{"id":7,"type":"x"}"#, r#"{"type":"x"}"#, "\u{1}\u{2}"] {
        let signed = secret.sign(now_ms(), nonsense.as_bytes());
        post(&[("livesouk-signature", &signed)], nonsense).await.expect_problem(400, "bad_request");
    }
    let huge = format!(r#"{{"id":"evt_huge","type":"{}"}}"#, "x".repeat(1 << 20));
    let signed = secret.sign(now_ms(), huge.as_bytes());
    assert_eq!(post(&[("livesouk-signature", &signed)], &huge).await.status, 413);
    let elsewhere = rest.send_text(Method::POST, "/v1/webhooks/stripe", &[("livesouk-signature", &good)], &body).await;
    elsewhere.expect_problem(404, "not_found");
    rest.get(WEBHOOKS).await.expect_problem(405, "method_not_allowed");
    assert_eq!(shop.number("select count(*) from payment_events").await, 0);
    // The genuine webhook is stored once, however often it is sent and with any content type.
    for _ in 0..3 {
        post(&[("livesouk-signature", &good), ("content-type", "text/plain")], &body).await.expect(200);
    }
    assert_eq!(shop.number("select count(*) from payment_events").await, 1);
}

#[tokio::test]
async fn signed_webhook_with_a_wrong_amount_moves_no_money() {
    let shop = Shop::demo(&["--webhook-secret", SECRET]).await;
    let order = held(&shop, "Ann").await;
    let ann = shop.rest("Ann", "viewer");
    let path = format!("/v1/orders/{order}/pay");
    let reply =
        ann.post_keyed(&path, &key(), json!({"token": "needs_action"})).await.expect_problem(402, "needs_action");
    let action = reply["action_url"].as_str().unwrap().to_owned();
    let reference = action.split('/').nth(3).unwrap();
    let body = event("evt_liar", reference);
    let signature = WebhookSecret::new(SECRET).sign(now_ms(), body.as_bytes());
    let sent = shop.server.rest().send_text(Method::POST, WEBHOOKS, &[("livesouk-signature", &signature)], &body).await;
    sent.expect(200);
    let worked = "select count(*) from payment_events where event_id = 'evt_liar' and done_at is not null";
    until_some("processed webhook", SOON, async || (shop.number(worked).await == 1).then_some(())).await;
    assert_eq!(status(&shop, &order).await, "held");
    // The provider authorized another amount than the requested one.
    let wrong = ann.post_keyed(&path, &key(), json!({"token": "wrong_amount"})).await;
    wrong.expect_problem(402, "declined");
    assert_eq!(shop.number("select count(*) from test_intents where captured > 0").await, 0);
    let rest = shop.server.rest();
    rest.post("/v1/test-provider/test_nothing/approve", json!({"approve": true}))
        .await
        .expect_problem(409, "wrong_status");
    rest.post(&action, json!({})).await.expect_problem(400, "bad_request");
    rest.post(&action, json!({"approve": true})).await.expect(200);
    until_some("paid order", SOON, async || (status(&shop, &order).await == "paid").then_some(())).await;
    shop.assert_audited().await;
}
