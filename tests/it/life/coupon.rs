//! Coupons from the desk to the invoice: made by the team, set on an order by its buyer, paid, and given back.

use reqwest::Method;
use serde_json::{Value, json};

use super::{hold, order_frame};
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, key};

async fn coupon(shop: &Shop, form: Value) -> Value {
    shop.host.post_keyed("/v1/shop/coupons", &key(), form).await.expect(201)
}

async fn held(shop: &Shop, buyer: &str, offer: &str, qty: i64) -> (Rest, String) {
    let mut live = shop.live(buyer, "viewer").await;
    let order = id(&hold(&mut live, offer, qty).await);
    (shop.rest(buyer, "viewer"), format!("/v1/orders/{order}"))
}

async fn set(rest: &Rest, order: &str, code: Value) -> crate::support::rest::RestResponse {
    rest.put(order, json!({ "coupon": code })).await
}

fn paying(quote: &Value) -> Value {
    json!({"token": "ok", "quote_version": quote["version"]})
}

#[tokio::test]
async fn coupon_is_made_once_changed_and_ended_by_those_who_run_the_shop() {
    let shop = Shop::demo(&[]).await;
    let form = json!({"code": "Summer 25", "percent_bp": 2_500, "quota": 5, "minimum": 1_000});
    let with = key();
    let made = shop.host.post_keyed("/v1/shop/coupons", &with, form.clone()).await.expect(201);
    assert_eq!(shop.host.post_keyed("/v1/shop/coupons", &with, form.clone()).await.expect(201)["id"], made["id"]);
    let other = json!({"code": "Other", "percent_bp": 1});
    shop.host.post_keyed("/v1/shop/coupons", &with, other).await.expect_problem(422, "key_reused");
    let taken = shop.host.post_keyed("/v1/shop/coupons", &key(), json!({"code": "SUMMER-25", "amount": 100})).await;
    assert_eq!(taken.expect_problem(422, "invalid_value")["field"], "code");
    for (form, field) in [
        (json!({"code": "x", "percent_bp": 1}), "code"),
        (json!({"code": "both", "percent_bp": 1, "amount": 1}), "amount"),
        (json!({"code": "much", "percent_bp": 10_001}), "percent_bp"),
    ] {
        let refused = shop.host.post_keyed("/v1/shop/coupons", &key(), form).await;
        assert_eq!(refused.expect_problem(400, "bad_request")["field"], field);
    }
    shop.host.send(Method::POST, "/v1/shop/coupons", &[], Some(form)).await.expect_problem(400, "key_missing");

    let path = format!("/v1/shop/coupons/{}", id(&made));
    let change = async |body: Value| shop.host.send(Method::PATCH, &path, &[], Some(body)).await;
    let changed = change(json!({"version": 1, "quota": null, "per_person": 3})).await.expect(200);
    assert_eq!((&changed["quota"], &changed["per_person"], &changed["version"]), (&json!(null), &json!(3), &json!(2)));
    let stale = change(json!({"version": 1, "ended": true})).await.expect_problem(409, "outdated");
    assert_eq!(stale["current"]["version"], 2);
    let ended = change(json!({"version": 2, "ended": true})).await.expect(200);
    assert!(ended["ended_at"].is_i64(), "{ended}");
    let listed = shop.host.get("/v1/shop/coupons").await.expect(200);
    assert_eq!((&listed["items"][0]["id"], &listed["next"]), (&made["id"], &json!(null)));
    assert_eq!(shop.host.get(&path).await.expect(200)["uses"], 0);
    shop.host.get(&format!("/v1/shop/coupons/{}", uuid::Uuid::now_v7())).await.expect_problem(404, "coupon_unknown");
    let log = shop.rest("Root", "admin").get("/v1/audit-log").await.expect(200);
    let entries: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|entry| (&entry["kind"], &entry["name"])).collect();
    let name = json!("Summer 25");
    let kinds = [json!("end_coupon"), json!("change_coupon"), json!("create_coupon")];
    assert_eq!(entries[..3], kinds.each_ref().map(|kind| (kind, &name)), "each once, with its code");
}

#[tokio::test]
async fn coupon_is_typed_paid_and_refunded() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let charges = json!({"tax_bp": 1_500, "tax_included": false, "delivery_fee": 500});
    admin.send(Method::PATCH, "/v1/shop/settings", &[], Some(charges)).await.expect(200);
    let made = coupon(&shop, json!({"code": "SAVE-10", "percent_bp": 1_000, "quota": 1})).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let order = hold(&mut live, &offer, 2).await;
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/orders/{}", id(&order)));
    let before = ann.get(&path).await.expect(200)["quote"].clone();
    assert_eq!((&before["coupon"], &before["total"]), (&json!(null), &json!(2_875)));

    let quote = set(&ann, &path, json!("save ١٠")).await.expect(200)["quote"].clone();
    // 20.00 − 2.00, 15 % of that and of the delivery.
    let sums = ["goods", "discount", "delivery", "tax", "total"].map(|name| quote[name].as_i64().unwrap());
    assert_eq!(sums, [2_000, 200, 500, 270 + 75, 2_645]);
    assert_eq!((&quote["coupon"]["code"], &quote["coupon"]["problem"]), (&json!("SAVE-10"), &json!(null)));
    assert_eq!(shop.host.get("/v1/shop/coupons").await.expect(200)["items"][0]["uses"], 1);
    // The price that was shown before.
    let stale = ann.post_keyed(&format!("{path}/pay"), &key(), paying(&before)).await;
    assert_eq!(stale.expect_problem(409, "quote_changed")["quote"], quote);
    // Somebody else is too late, and keeps what they have.
    let (bob, his) = held(&shop, "Bob", &offer, 1).await;
    set(&bob, &his, json!("SAVE10")).await.expect_problem(409, "coupon_used_up");
    // It is taken away and set again.
    assert_eq!(set(&ann, &path, json!(null)).await.expect(200)["quote"], before);
    set(&ann, &path, json!("SAVE10")).await.expect(200);

    ann.post_keyed(&format!("{path}/pay"), &key(), paying(&quote)).await.expect(200);
    assert_eq!(order_frame(&mut live, &order, "paid").await["quote"], quote);
    assert_eq!(shop.number("select captured from test_intents").await, 2_645);
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
    let found = shop.host.get(&format!("/v1/shop/orders/{}", id(&order))).await.expect(200);
    assert_eq!(found["quote"], quote);
    let row = shop.host.get(&format!("/v1/shop/export/orders.jsonl?search={}", id(&order))).await.expect(200);
    assert_eq!(
        ["line_discount", "order_discount", "coupon", "order_total"].map(|name| row[name].clone()),
        [json!(200), json!(200), json!("SAVE-10"), json!(2_645)]
    );
    assert_eq!(shop.host.get(&shop.path("report")).await.expect(200)["amount_paid"], 1_800);
    // One of two units: half of 18.00 and its tax.
    let unit = json!({"lines": [{"reservation": id(&order), "quantity": 1}], "restock": true});
    ann.put(&path, json!({"coupon": "SAVE10"})).await.expect_problem(409, "already_paid");
    shop.host.post_keyed(&format!("{path}/refunds"), &key(), unit).await.expect(200);
    assert_eq!(shop.number("select refunded from test_intents").await, 1_035);
    shop.host.post_keyed(&format!("{path}/refund"), &key(), json!({"restock": true})).await.expect(200);
    assert_eq!(shop.number("select refunded from test_intents").await, 2_645);
    set(&bob, &his, json!("SAVE10")).await.expect_problem(409, "coupon_used_up");
    assert_eq!(shop.host.get(&format!("/v1/shop/coupons/{}", id(&made))).await.expect(200)["uses"], 1);
    shop.assert_audited().await;
}

#[tokio::test]
async fn coupon_that_does_not_fit_is_refused_with_the_reason() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let (ann, path) = held(&shop, "Ann", &offer, 1).await;
    let now = ann.get(&path).await.expect(200)["now"].as_i64().unwrap();
    let other = shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201);
    let shelf = json!({"title": "Rug", "variants": [{"name": "Red", "price": 100, "stock": 1}]});
    let rug = id(&shop.host.post("/v1/products", shelf).await.expect(201));
    coupon(&shop, json!({"code": "later", "amount": 100, "starts_at": now + 60_000})).await;
    coupon(&shop, json!({"code": "rugs only", "amount": 100, "products": [rug]})).await;
    coupon(&shop, json!({"code": "rich", "amount": 100, "minimum": 5_000})).await;
    coupon(&shop, json!({"code": "elsewhere", "amount": 100, "stream": id(&other)})).await;
    let over = coupon(&shop, json!({"code": "over", "amount": 100})).await;
    let end = json!({"version": 1, "ended": true});
    shop.host.send(Method::PATCH, &format!("/v1/shop/coupons/{}", id(&over)), &[], Some(end)).await.expect(200);
    for (code, status, refusal) in [
        ("nothing like it", 404, "coupon_unknown"),
        ("?", 404, "coupon_unknown"),
        ("later", 409, "coupon_not_started"),
        ("over", 409, "coupon_ended"),
        ("rugs only", 409, "coupon_products"),
        ("elsewhere", 409, "coupon_other_show"),
    ] {
        set(&ann, &path, json!(code)).await.expect_problem(status, refusal);
    }
    assert_eq!(set(&ann, &path, json!("rich")).await.expect_problem(409, "coupon_minimum")["minimum"], 5_000);
    ann.put(&path, json!({})).await.expect(200);
    shop.rest("Bob", "viewer").put(&path, json!({"coupon": "later"})).await.expect_problem(404, "not_yours");
    let mut tries = 0;
    while set(&ann, &path, json!(format!("guess {tries}"))).await.status == 404 {
        tries += 1;
        assert!(tries < 50, "nobody stops a program that guesses");
    }
}

#[tokio::test]
async fn refused_code_leaves_a_purchase_by_itself() {
    let shop = Shop::demo(&[]).await;
    coupon(&shop, json!({"code": "rich", "amount": 100, "minimum": 5_000})).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let first = id(&hold(&mut live, &offer, 1).await);
    ann.post("/v1/orders", json!({"reservations": [first]})).await.expect(200);
    let second = id(&hold(&mut live, &offer, 1).await);
    let path = format!("/v1/orders/{second}");
    set(&ann, &path, json!("nothing like it")).await.expect_problem(404, "coupon_unknown");
    set(&ann, &path, json!("rich")).await.expect_problem(409, "coupon_minimum");
    // A client that knows neither quotes nor the open order pays for this purchase and for nothing else.
    let paid = ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    assert_eq!((&paid["id"], &paid["amount"]), (&json!(second), &json!(1_000)));
    assert_eq!(shop.number("select captured from test_intents").await, 1_000);
    assert_eq!(ann.get(&format!("/v1/orders/{first}")).await.expect(200)["status"], "held");
}

/// Guests cost nothing, so a program takes a new one for every few codes.
#[tokio::test]
async fn codes_of_one_address_are_limited_whoever_guesses() {
    let shop = Shop::demo(&[]).await;
    coupon(&shop, json!({"code": "right", "amount": 100})).await;
    let offer = shop.on_sale(99, json!({"per_buyer": 9})).await;
    let (mut wrong, mut right) = (0, 0);
    'guests: for guest in 0..20 {
        let (rest, path) = held(&shop, &format!("Guest-{guest}"), &offer, 1).await;
        for guess in 0..9 {
            let code = if guess == 4 { "right".to_owned() } else { format!("guess {guess}") };
            match set(&rest, &path, json!(code)).await.status {
                200 => right += 1,
                404 => wrong += 1,
                429 => break 'guests,
                other => panic!("{other}"),
            }
        }
    }
    assert!((60..=90).contains(&wrong), "{wrong} wrong codes, then none");
    assert!(wrong / 9 <= right, "a code that is right does not count: {right}");
    // The shop goes on for everybody behind the address: only codes wait.
    let (rest, path) = held(&shop, "Bob", &offer, 1).await;
    rest.get(&path).await.expect(200);
    set(&rest, &path, json!(null)).await.expect(200);
}

#[tokio::test]
async fn order_that_a_coupon_pays_is_paid_without_a_provider() {
    let shop = Shop::demo(&[]).await;
    coupon(&shop, json!({"code": "gift", "amount": 100_000})).await;
    let offer = shop.on_sale(1, json!({})).await;
    let (ann, path) = held(&shop, "Ann", &offer, 1).await;
    let quote = set(&ann, &path, json!("GIFT")).await.expect(200)["quote"].clone();
    assert_eq!((&quote["discount"], &quote["total"]), (&quote["goods"], &json!(0)));
    let paid = ann.post_keyed(&format!("{path}/pay"), &key(), paying(&quote)).await.expect(200);
    assert_eq!((&paid["status"], shop.number("select count(*) from test_intents").await), (&json!("paid"), 0));
}

#[tokio::test]
async fn ended_hold_gives_the_coupon_to_the_next_buyer() {
    let shop = Shop::demo(&[]).await;
    coupon(&shop, json!({"code": "only one", "percent_bp": 1_000, "quota": 1})).await;
    let offer = shop.on_sale(9, json!({"hold_s": 10})).await;
    let (ann, hers) = held(&shop, "Ann", &offer, 1).await;
    let (bob, his) = held(&shop, "Bob", &offer, 1).await;
    set(&ann, &hers, json!("only one")).await.expect(200);
    set(&bob, &his, json!("only one")).await.expect_problem(409, "coupon_used_up");
    shop.change("update reservations set hold_until = 1000 where buyer = 'Ann'").await;
    crate::support::until_some("the use", crate::support::SOON, async || {
        let coupons = shop.host.get("/v1/shop/coupons").await.expect(200);
        (coupons["items"][0]["uses"] == 0).then_some(())
    })
    .await;
    set(&bob, &his, json!("only one")).await.expect(200);
}

#[tokio::test]
async fn coupon_is_claimed_in_the_show_and_set_on_the_next_order_by_itself() {
    let shop = Shop::demo(&[]).await;
    let made = coupon(&shop, json!({"code": "LIVE 20", "percent_bp": 2_000, "quota": 1})).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let claim = json!({"do": "claim_coupon", "coupon": made["id"]});
    assert_eq!(live.ask(claim.clone()).await.unwrap_err()["code"], "coupon_unknown", "nobody shows it");
    shop.host.put(&shop.path("coupon"), json!({"coupon": made["id"]})).await.expect(200);
    let shown =
        live.until("the coupon", crate::support::SOON, |frame| frame["state"]["coupon"]["code"] == "LIVE 20").await;
    let fields = ["percent_bp", "amount", "ends_at"].map(|name| shown["state"]["coupon"][name].clone());
    assert_eq!(fields, [json!(2_000), json!(null), json!(null)]);
    // Somebody who comes late sees it too.
    let late = shop.live("Bob", "viewer").await;
    assert_eq!(late.hello["state"]["coupon"]["id"], made["id"]);
    live.ask(claim.clone()).await.unwrap();
    live.ask(claim.clone()).await.unwrap();
    assert_eq!(shop.host.get("/v1/shop/coupons").await.expect(200)["items"][0]["uses"], 0, "a claim reserves nothing");

    let order = hold(&mut live, &offer, 1).await;
    let (ann, path) = (shop.rest("Ann", "viewer"), format!("/v1/orders/{}", id(&order)));
    let quote = ann.get(&path).await.expect(200)["quote"].clone();
    assert_eq!((&quote["coupon"]["code"], &quote["discount"]), (&json!("LIVE 20"), &json!(200)));
    assert_eq!(ann.get(&path).await.expect(200)["quote"], quote);
    assert_eq!(shop.host.get("/v1/shop/coupons").await.expect(200)["items"][0]["uses"], 0, "a read reserves nothing");

    // Who takes it away wants none; claimed again, it comes back by itself.
    assert_eq!(set(&ann, &path, json!(null)).await.expect(200)["quote"]["coupon"], json!(null));
    assert_eq!(ann.get(&path).await.expect(200)["quote"]["coupon"], json!(null));
    live.ask(claim.clone()).await.unwrap();
    let again = ann.get(&path).await.expect(200)["quote"].clone();
    assert_eq!(again, quote);
    // Everything that is stored about her has the claim.
    let data = ann.get("/v1/me/data").await.expect(200);
    let rows = data.as_str().unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let claims: Vec<Value> = rows.filter(|row| row["kind"] == "coupon_claim").collect();
    assert_eq!((claims.len(), &claims[0]["data"]["code"]), (1, &json!("LIVE 20")), "{data}");

    ann.post_keyed(&format!("{path}/pay"), &key(), paying(&again)).await.expect(200);
    assert_eq!(shop.number("select captured from test_intents").await, 800);
    // The only use is taken: the coupon leaves the screens, and a late claim is refused.
    let bobs = shop.rest("Bob", "viewer");
    let refused = bobs.put(&shop.path("coupon-claim"), json!({"coupon": made["id"]})).await;
    refused.expect_problem(409, "coupon_used_up");
    live.until("its end", std::time::Duration::from_secs(20), |frame| {
        frame["state"]["coupon"].is_null() && frame["state"].get("coupon").is_some()
    })
    .await;
    shop.host.delete(&shop.path("coupon")).await.expect(200);
    let log = shop.host.get(&shop.path("audit-log")).await.expect(200)["items"].clone();
    let kinds: Vec<_> =
        log.as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds[..1], ["hide_coupon"], "{kinds:?}");
}

#[tokio::test]
async fn only_the_coupon_on_the_screens_is_claimed_and_not_without_end() {
    let shop = Shop::demo(&[]).await;
    let shown = coupon(&shop, json!({"code": "SHOWN", "percent_bp": 1_000})).await;
    let other = coupon(&shop, json!({"code": "OTHER", "percent_bp": 9_000})).await;
    shop.host.put(&shop.path("coupon"), json!({"coupon": shown["id"]})).await.expect(200);
    let ann = shop.rest("Ann", "viewer");
    let claim =
        async |rest: &Rest, coupon: &Value| rest.put(&shop.path("coupon-claim"), json!({"coupon": coupon["id"]})).await;
    claim(&ann, &other).await.expect_problem(404, "coupon_unknown");
    let elsewhere = shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201);
    let path = format!("/v1/streams/{}/coupon-claim", id(&elsewhere));
    ann.put(&path, json!({"coupon": shown["id"]})).await.expect_problem(404, "coupon_unknown");
    claim(&ann, &shown).await.expect(204);
    assert_eq!(shop.number("select count(*) from coupon_claims").await, 1);
    // A program that claims without end waits; others do not.
    let mut tries = 0;
    while claim(&ann, &shown).await.status == 204 {
        tries += 1;
        assert!(tries < 50, "nobody stops it");
    }
    claim(&ann, &shown).await.expect_problem(429, "too_many_requests");
    claim(&shop.rest("Bob", "viewer"), &shown).await.expect(204);
}

#[tokio::test]
async fn claim_does_not_put_purchases_together() {
    let shop = Shop::demo(&[]).await;
    let made = coupon(&shop, json!({"code": "LIVE 20", "percent_bp": 2_000})).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let first = id(&hold(&mut live, &offer, 1).await);
    ann.post("/v1/orders", json!({"reservations": [first]})).await.expect(200);
    let second = id(&hold(&mut live, &offer, 1).await);
    shop.host.put(&shop.path("coupon"), json!({"coupon": made["id"]})).await.expect(200);
    live.ask(json!({"do": "claim_coupon", "coupon": made["id"]})).await.unwrap();
    let alone = ann.get(&format!("/v1/orders/{second}")).await.expect(200);
    assert_eq!((&alone["id"], &alone["quote"]["coupon"], &alone["qty"]), (&json!(second), &json!(null), &json!(1)));
    let opened = ann.get(&format!("/v1/orders/{first}")).await.expect(200);
    assert_eq!((&opened["quote"]["coupon"]["code"], &opened["qty"]), (&json!("LIVE 20"), &json!(1)));
}
