//! What an order costs: with tax and delivery, seen before it is charged, and frozen by the payment.

use serde_json::{Value, json};

use super::{hold, order_frame, pay};
use crate::support::shop::{Shop, id, key};

fn home() -> Value {
    json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA"})
}

async fn charge(shop: &Shop, settings: Value) {
    let admin = shop.rest("Root", "admin");
    admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
}

/// Goods, delivery, tax and total.
fn sums(quote: &Value) -> [i64; 4] {
    ["goods", "delivery", "tax", "total"]
        .map(|name| quote[name].as_i64().unwrap_or_else(|| panic!("{name} of {quote}")))
}

fn pay_seen(order: &str, quote: &Value) -> Value {
    json!({"do": "pay", "order": order, "token": "ok", "key": key(), "quote_version": quote["version"]})
}

#[tokio::test]
async fn buyer_pays_the_total_that_was_shown_and_nothing_else() {
    let shop = Shop::demo(&[]).await;
    charge(&shop, json!({"tax_bp": 1500, "tax_included": true, "delivery_fee": 2_000, "delivery_free_from": 9_000}))
        .await;
    let public = shop.server.rest().get("/v1/shop").await.expect(200);
    assert_eq!((&public["tax_bp"], &public["delivery_fee"]), (&json!(1_500), &json!(2_000)));
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let order = id(&hold(&mut live, &offer, 2).await);
    let path = format!("/v1/orders/{order}");
    let quote = ann.get(&path).await.expect(200)["quote"].clone();
    // 15/115 of 20.00 and of the fee of 20.00, each rounded.
    assert_eq!(sums(&quote), [2_000, 2_000, 261 + 261, 4_000]);
    assert_eq!((&quote["tax_included"], &quote["lines"][0]["qty"]), (&json!(true), &json!(2)));

    // A client that knows no quotes would charge more than it showed.
    let refused = ann.post_keyed(&format!("{path}/pay"), &key(), json!({"token": "ok"})).await;
    assert_eq!(refused.expect_problem(409, "quote_changed")["quote"], quote);
    // The price changes after it was shown.
    charge(&shop, json!({"delivery_fee": 2_500})).await;
    let stale = live.ask(pay_seen(&order, &quote)).await.unwrap_err();
    assert_eq!((&stale["code"], sums(&stale["quote"])), (&json!("quote_changed"), [2_000, 2_500, 261 + 326, 4_500]));
    assert_eq!(shop.number("select count(*) from payments").await, 0, "nothing was asked of the provider");
    let paid = live.ask(pay_seen(&order, &stale["quote"])).await.unwrap();
    assert_eq!((&paid["order"]["status"], &paid["order"]["quote"]), (&json!("paid"), &stale["quote"]));
    assert_eq!(order_frame(&mut live, &paid["order"], "paid").await["quote"], stale["quote"]);
    assert_eq!(shop.number("select captured from test_intents").await, 4_500);

    // What was paid stays, whatever the settings are.
    charge(&shop, json!({"delivery_fee": 0, "tax_bp": 0})).await;
    let before = stale["quote"].clone();
    assert_eq!(ann.get(&path).await.expect(200)["quote"], before);
    assert_eq!(ann.get("/v1/orders").await.expect(200)["items"][0]["quote"], before);
    let found = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    assert_eq!((&found["quote"], &found["amount"]), (&before, &json!(2_000)));
    let row = shop.host.get(&format!("/v1/shop/export/orders.jsonl?search={order}")).await.expect(200);
    let columns = ["amount", "line_tax_bp", "line_tax", "order_delivery", "order_tax", "order_total"];
    assert_eq!(columns.map(|name| row[name].as_i64().unwrap()), [2_000, 1_500, 261, 2_500, 587, 4_500]);
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    assert_eq!(report["amount_paid"], 2_000, "the goods");
    shop.host.post_keyed(&format!("{path}/refund"), &key(), json!({"restock": true})).await.expect(200);
    assert_eq!(shop.number("select refunded from test_intents").await, 4_500);
    shop.assert_audited().await;
}

#[tokio::test]
async fn added_tax_and_free_delivery_follow_the_rules() {
    let shop = Shop::demo(&[]).await;
    charge(&shop, json!({"tax_bp": 1100, "tax_included": false, "delivery_fee": 500, "delivery_free_from": 3_000}))
        .await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    for (qty, expected) in [(1, [1_000, 500, 165, 1_665]), (3, [3_000, 0, 330, 3_330])] {
        let order = id(&hold(&mut live, &offer, qty).await);
        let quote = ann.get(&format!("/v1/orders/{order}")).await.expect(200)["quote"].clone();
        assert_eq!(sums(&quote), expected);
        live.ask(pay_seen(&order, &quote)).await.unwrap();
    }
    assert_eq!(shop.number("select sum(captured) from test_intents").await, 1_665 + 3_330);
}

#[tokio::test]
async fn later_order_joins_the_open_parcel_of_its_buyer_and_pays_no_delivery() {
    let shop = Shop::demo(&[]).await;
    charge(&shop, json!({"delivery_fee": 2_000})).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let address = async |order: &str, address: Value| ann.put(&format!("/v1/orders/{order}/address"), address).await;
    let quote = async |order: &str| ann.get(&format!("/v1/orders/{order}")).await.expect(200)["quote"].clone();
    let first = id(&hold(&mut live, &offer, 1).await);
    address(&first, home()).await.expect(200);
    live.ask(pay_seen(&first, &quote(&first).await)).await.unwrap();

    let second = id(&hold(&mut live, &offer, 1).await);
    let without = quote(&second).await;
    assert_eq!(sums(&without), [1_000, 2_000, 0, 3_000], "nobody knows where it goes");
    let mut elsewhere = home();
    elsewhere["city"] = json!("Jeddah");
    address(&second, elsewhere.clone()).await.expect(200);
    assert_eq!(quote(&second).await["version"], without["version"], "another place, and the same price");
    address(&second, home()).await.expect(200);
    let joined = quote(&second).await;
    assert_eq!((sums(&joined), &joined["joins"]), ([1_000, 0, 0, 1_000], &json!(first)));
    assert_eq!(live.refused(pay_seen(&second, &without)).await, "quote_changed");
    // While a payment is under way, the order stays in its parcel.
    let needs = json!({"do": "pay", "order": second, "token": "needs_action", "key": key(), "quote_version": joined["version"]});
    let needs = live.ask(needs).await.unwrap_err();
    address(&second, elsewhere.clone()).await.expect_problem(409, "wrong_status");
    shop.server.rest().post(needs["action_url"].as_str().unwrap(), json!({"approve": true})).await.expect(200);
    order_frame(&mut live, &json!({"id": second}), "paid").await;
    address(&second, elsewhere.clone()).await.expect_problem(409, "wrong_status");
    address(&first, elsewhere).await.expect_problem(409, "wrong_status");
    let mut phone = home();
    phone["phone"] = json!("+966 50 000 0000");
    address(&second, phone).await.expect(200);

    // The delivery of the first order is that of the second too: a refund of the whole order leaves it, until it is named.
    let refundable =
        async || shop.host.get(&format!("/v1/shop/orders/{first}")).await.expect(200)["refundable"].clone();
    assert_eq!(
        refundable().await,
        json!({"amount": 3_000, "delivery": 2_000, "whole": 1_000, "step": 1, "carried": 0})
    );
    let refund = format!("/v1/orders/{first}/refund");
    let back = shop.host.post_keyed(&refund, &key(), json!({"restock": false})).await.expect(200);
    assert_eq!(back["status"], "refunded");
    assert_eq!(refundable().await, json!({"amount": 2_000, "delivery": 2_000, "whole": 0, "step": 1, "carried": 0}));
    let again = shop.host.post_keyed(&refund, &key(), json!({"restock": false})).await;
    again.expect_problem(409, "already_refunded");
    let delivery = json!({"delivery": true, "restock": false});
    shop.host.post_keyed(&format!("{refund}s"), &key(), delivery).await.expect(200);
    assert_eq!(refundable().await, json!({"amount": 0, "delivery": 0, "whole": 0, "step": 1, "carried": 0}));
    assert_eq!(shop.number("select sum(refunded) from test_intents").await, 3_000);

    // Once the parcel is sent, another one costs its fee again. Other buyers never join it.
    shop.host.put(&format!("/v1/orders/{second}/sent"), json!({})).await.expect(200);
    let third = id(&hold(&mut live, &offer, 1).await);
    address(&third, home()).await.expect(200);
    assert_eq!(sums(&quote(&third).await), [1_000, 2_000, 0, 3_000]);
    live.ask(pay_seen(&third, &quote(&third).await)).await.unwrap();
    let mut bob = shop.live("Bob", "viewer").await;
    let (bobs, rest) = (id(&hold(&mut bob, &offer, 1).await), shop.rest("Bob", "viewer"));
    rest.put(&format!("/v1/orders/{bobs}/address"), home()).await.expect(200);
    assert_eq!(sums(&rest.get(&format!("/v1/orders/{bobs}")).await.expect(200)["quote"]), [1_000, 2_000, 0, 3_000]);
    assert_eq!(shop.number("select sum(captured) from test_intents").await, 3_000 + 1_000 + 3_000);
}

#[tokio::test]
async fn client_without_quotes_pays_the_sum_of_its_lines() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let order = id(&hold(&mut live, &offer, 2).await);
    let with = key();
    let paid = live.ask(pay(&order, "ok", &with)).await.unwrap();
    assert_eq!(sums(&paid["order"]["quote"]), [2_000, 0, 0, 2_000]);
    let mut again = pay_seen(&order, &paid["order"]["quote"]);
    again["key"] = json!(with);
    assert_eq!(live.refused(again).await, "key_reused", "it is another request");
}
