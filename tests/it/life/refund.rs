//! Refunds of a part of an order: units, the delivery, or an amount, and never more than what was paid.

use serde_json::{Value, json};

use super::{hold, pay};
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

/// An order of Ann with 3 units for 30.00, delivery 5.00 and 15 % tax that is added: 40.25 in all. Gives its id and the offer.
async fn taxed_order(shop: &Shop) -> (String, String) {
    let charges = json!({"tax_bp": 1500, "tax_included": false, "delivery_fee": 500});
    let admin = shop.rest("Root", "admin");
    admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(charges)).await.expect(200);
    let offer = shop.on_sale(3, json!({"per_buyer": 3})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let order = id(&hold(&mut live, &offer, 3).await);
    let quote = shop.rest("Ann", "viewer").get(&format!("/v1/orders/{order}")).await.expect(200)["quote"].clone();
    assert_eq!(quote["total"], 3_000 + 500 + 450 + 75);
    let mut with = pay(&order, "ok", &key());
    with["quote_version"] = quote["version"].clone();
    live.ask(with).await.unwrap();
    (order, offer)
}

async fn refund(rest: &Rest, order: &str, body: Value) -> Value {
    rest.post_keyed(&format!("/v1/orders/{order}/refunds"), &key(), body).await.expect(200)
}

#[tokio::test]
async fn parts_of_an_order_are_refunded_until_nothing_is_left() {
    let shop = Shop::demo(&[]).await;
    let (order, offer) = taxed_order(&shop).await;
    let unit = |quantity: i64| json!([{"reservation": order, "quantity": quantity}]);
    let path = format!("/v1/orders/{order}/refunds");
    let with = key();
    let first = json!({"lines": unit(1), "restock": true, "reason": "broken"});
    let answer = shop.host.post_keyed(&path, &with, first.clone()).await.expect(200);
    assert_eq!((&answer["status"], &answer["lines"][0]["returned"]), (&json!("paid"), &json!(1)));
    shop.assert_left(&offer, 1).await;
    // 11.50 for a third of 34.50; the same key does nothing again, and with another part it is another request.
    assert_eq!(shop.host.post_keyed(&path, &with, first).await.expect(200)["lines"][0]["returned"], 1);
    let other = json!({"lines": unit(2), "restock": true, "reason": "broken"});
    shop.host.post_keyed(&path, &with, other).await.expect_problem(422, "key_reused");
    assert_eq!(shop.number("select refunded from test_intents").await, 1_150);
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    let figures = ["orders_paid", "units_paid", "amount_paid", "orders_refunded", "amount_refunded"];
    assert_eq!(figures.map(|name| report[name].as_i64().unwrap()), [1, 2, 2_000, 0, 1_000]);

    // The unit no longer counts for the limit of its buyer.
    let mut live = shop.live("Ann", "viewer").await;
    assert_eq!(hold(&mut live, &offer, 1).await["place"], 2);
    // More than what is left, a unit twice, or a line of somebody else.
    let refused = async |body: Value, status: u16, code: &str, field: &str| {
        let problem = shop.host.post_keyed(&path, &key(), body).await.expect_problem(status, code);
        assert_eq!(problem["field"], field, "{problem}");
    };
    refused(json!({"lines": unit(3), "restock": true}), 400, "bad_request", "lines[0].quantity").await;
    let unknown = json!([{"reservation": offer, "quantity": 1}]);
    refused(json!({"lines": unknown, "restock": true}), 400, "bad_request", "lines[0].reservation").await;
    refused(json!({"amount": 2_876, "restock": true}), 422, "invalid_value", "amount").await;
    refused(json!({"restock": true}), 400, "bad_request", "lines").await;
    shop.rest("Ann", "viewer")
        .post_keyed(&path, &key(), json!({"amount": 1, "restock": true}))
        .await
        .expect_problem(403, "forbidden");

    refund(&shop.host, &order, json!({"delivery": true, "restock": false})).await;
    refused(json!({"delivery": true, "restock": false}), 422, "invalid_value", "delivery").await;
    refund(&shop.host, &order, json!({"amount": 25, "restock": false})).await;
    assert_eq!(shop.number("select refunded from test_intents").await, 1_150 + 575 + 25);
    // 25 are gone already, so the units cannot bring their full price.
    refused(json!({"lines": unit(2), "restock": false}), 422, "invalid_value", "amount").await;
    let last = refund(&shop.host, &order, json!({"lines": unit(2), "amount": 2_275, "restock": false})).await;
    assert_eq!((&last["status"], &last["reason"]), (&json!("refunded"), &json!("refunded")));
    assert_eq!(shop.number("select captured - refunded from test_intents").await, 0);
    shop.host
        .post_keyed(&path, &key(), json!({"amount": 1, "restock": true}))
        .await
        .expect_problem(409, "already_refunded");

    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    let amounts: Vec<(i64, i64)> = detail["refunds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refund| (refund["amount"].as_i64().unwrap(), refund["delivery"].as_i64().unwrap()))
        .collect();
    assert_eq!(amounts, [(1_150, 0), (575, 575), (25, 0), (2_275, 0)]);
    // A report is kept for some seconds.
    until_some("report with every refund", SOON, async || {
        let report = shop.host.get(&shop.path("report")).await.expect(200);
        (figures.map(|name| report[name].as_i64().unwrap()) == [0, 0, 0, 1, 3_000]).then_some(())
    })
    .await;
    let file = shop.host.get("/v1/shop/export/orders.csv").await.expect(200);
    let file = file.as_str().unwrap().to_owned();
    let header = file.lines().next().unwrap();
    // From the end, where no cell has a comma in it.
    let column = |name: &str| header.rsplit(',').position(|cell| cell.trim_matches('"') == name).unwrap();
    let (refunded, returned) = (column("order_refunded"), column("returned"));
    let rows: Vec<_> = file
        .trim()
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.rsplit(',').map(|cell| cell.trim_matches('"')).collect();
            (cells[refunded], cells[returned])
        })
        .collect();
    assert!(rows.contains(&("4025", "3")), "{rows:?}");
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
    assert_eq!(shop.number("select count(*) from reservation_mismatches").await, 0);
    shop.assert_audited().await;
}

#[tokio::test]
async fn refund_of_the_whole_order_gives_back_the_rest() {
    let shop = Shop::demo(&[]).await;
    let (order, offer) = taxed_order(&shop).await;
    refund(&shop.host, &order, json!({"lines": [{"reservation": order, "quantity": 1}], "restock": false})).await;
    let whole = format!("/v1/orders/{order}/refund");
    let rest = shop.host.post_keyed(&whole, &key(), json!({"restock": true})).await.expect(200);
    assert_eq!((&rest["status"], &rest["lines"][0]["returned"]), (&json!("refunded"), &json!(3)));
    assert_eq!(shop.number("select captured - refunded from test_intents").await, 0);
    shop.assert_left(&offer, 2).await;
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
}
