//! Cash on delivery and bank transfer, from the settings of the shop to the money.

use reqwest::Method;
use serde_json::{Value, json};

use super::hold;
use crate::support::cookie_page::CookiePage;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

async fn allow(shop: &Shop, settings: Value) -> Value {
    let admin = shop.rest("Root", "admin");
    let settings = json!({"manual_payments": settings});
    admin.send(Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200)
}

fn both() -> Value {
    json!({"cash_on_delivery": true, "bank_transfer": true, "bank_details": "Souk Bank\nIBAN SA03 8000"})
}

#[tokio::test]
async fn order_is_placed_then_paid_and_everybody_is_told() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(3, json!({"per_buyer": 3})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let order = id(&hold(&mut live, &offer, 2).await);
    let path = format!("/v1/orders/{order}");
    assert_eq!(ann.get(&path).await.expect(200).get("manual_methods"), None, "a shop has none at first");
    let pay = format!("{path}/pay");
    let transfer = json!({"method": "bank_transfer"});
    ann.post_keyed(&pay, &key(), transfer.clone()).await.expect_problem(409, "method_off");

    let settings = allow(&shop, both()).await;
    assert_eq!(settings["manual_payments"]["open_orders_max"], 3);
    let detail = ann.get(&path).await.expect(200);
    let methods = json!([{"method": "cash_on_delivery", "days": 14}, {"method": "bank_transfer", "days": 7}]);
    assert_eq!(detail["manual_methods"], methods);
    let with = key();
    let placed = ann.post_keyed(&pay, &with, transfer.clone()).await.expect(200);
    assert_eq!((&placed["status"], &placed["paid_at"]), (&json!("placed"), &Value::Null));
    assert_eq!(placed["bank_details"], "Souk Bank\nIBAN SA03 8000");
    assert_eq!(placed["placement"]["method"], "bank_transfer");
    let frame = super::order_frame(&mut live, &placed, "placed").await;
    assert_eq!(frame["bank_details"], placed["bank_details"]);
    assert_eq!(ann.post_keyed(&pay, &with, transfer).await.expect(200)["status"], "placed");
    ann.post_keyed(&pay, &key(), json!({"token": "ok"})).await.expect_problem(409, "already_placed");
    ann.post_keyed(&format!("{path}/cancel"), &key(), json!({})).await.expect_problem(409, "already_placed");
    shop.assert_left(&offer, 1).await;

    // The desk finds it, and no report counts it as paid.
    let listed = shop.host.get("/v1/shop/orders?status=placed").await.expect(200);
    assert_eq!(listed["items"][0]["id"], order);
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    assert_eq!((&report["orders_paid"], &report["orders_held"]), (&json!(0), &json!(1)));
    let paid = format!("{path}/paid");
    shop.host.put(&paid, json!({"amount": 1_999})).await.expect_problem(422, "invalid_value");
    ann.put(&paid, json!({"amount": 2_000})).await.expect_problem(403, "forbidden");
    assert_eq!(shop.host.put(&paid, json!({"amount": 2_000})).await.expect(200)["status"], "paid");
    assert_eq!(shop.host.put(&paid, json!({"amount": 2_000})).await.expect(200)["status"], "paid");
    super::order_frame(&mut live, &placed, "paid").await;
    shop.host.put(&format!("{path}/cancelled"), json!({"restock": true})).await.expect_problem(409, "wrong_status");
    let steps: Vec<Value> = ann.get(&path).await.expect(200)["history"].as_array().unwrap().clone();
    let steps: Vec<&str> = steps.iter().map(|entry| entry["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["held", "placed", "paid"]);
    until_some("the entry in the audit log", SOON, async || {
        let log = shop.host.get(&shop.path("audit-log")).await.expect(200);
        let entries = log["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "mark_paid").count();
        (entries == 1).then_some(())
    })
    .await;

    let refund = format!("{path}/refund");
    let back = shop.host.post_keyed(&refund, &key(), json!({"restock": true})).await.expect(200);
    assert_eq!(back["status"], "refunded");
    shop.assert_left(&offer, 3).await;
    assert_eq!(shop.number("select count(*) from test_intents").await, 0);
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
}

#[tokio::test]
async fn shop_cancels_a_placed_order_and_its_units_are_on_sale_again() {
    let shop = Shop::demo(&[]).await;
    allow(&shop, both()).await;
    let offer = shop.on_sale(1, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let order = id(&hold(&mut live, &offer, 1).await);
    let cash = json!({"do": "pay", "order": order, "method": "cash_on_delivery", "key": key()});
    let placed = live.ask(cash).await.unwrap();
    assert_eq!((&placed["order"]["status"], &placed["order"]["bank_details"]), (&json!("placed"), &Value::Null));
    shop.assert_left(&offer, 0).await;
    let cancelled = format!("/v1/orders/{order}/cancelled");
    shop.rest("Ann", "viewer").put(&cancelled, json!({"restock": true})).await.expect_problem(403, "forbidden");
    for _ in 0..2 {
        let answer = shop.host.put(&cancelled, json!({"restock": true})).await.expect(200);
        assert_eq!((&answer["status"], &answer["reason"]), (&json!("cancelled"), &json!("shop_cancel")));
    }
    super::order_frame(&mut live, &placed["order"], "cancelled").await;
    shop.assert_left(&offer, 1).await;
    shop.host
        .put(&format!("/v1/orders/{order}/paid"), json!({"amount": 1_000}))
        .await
        .expect_problem(409, "wrong_status");
    assert_eq!(shop.number("select count(*) from payment_mismatches").await, 0);
}

#[tokio::test]
async fn buyer_who_cannot_be_found_again_pays_at_once() {
    let shop = Shop::demo(&[]).await;
    allow(&shop, both()).await;
    let offer = shop.on_sale(2, json!({})).await;
    let guest = CookiePage::of(&shop.server);
    guest.sign_in_guest("Gus").await;
    let bought = guest.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
    let pay = format!("/v1/orders/{}/pay", id(&bought));
    let refused = guest.post(&pay, json!({"method": "cash_on_delivery"})).await;
    refused.expect_problem(403, "method_needs_email");
    guest.post(&pay, json!({"token": "ok"})).await.expect(200);
}

#[tokio::test]
async fn host_decides_for_each_offer_whether_it_is_paid_later() {
    let shop = Shop::demo(&[]).await;
    assert_eq!(shop.server.rest().get("/v1/shop").await.expect(200).get("manual_methods"), None, "none is on at first");
    allow(&shop, both()).await;
    let methods = json!(["cash_on_delivery", "bank_transfer"]);
    assert_eq!(shop.server.rest().get("/v1/shop").await.expect(200)["manual_methods"], methods);

    let usual = shop.on_sale(3, json!({})).await;
    assert_eq!(shop.offer(&usual).await.get("pay_later"), None, "it is left out unless the host chose");
    let at_once = shop.on_sale(3, json!({"pay_later": false})).await;
    assert_eq!(shop.offer(&at_once).await["pay_later"], false);
    let flash = json!({"kind": "flash", "countdown_s": 10, "duration_s": 600, "pay_later": true});
    let flash = shop.draft(3, flash).await;
    assert_eq!(shop.offer(&flash).await["pay_later"], true);
    shop.draft(1, json!({"pay_later": null})).await;
    let wrong =
        json!({"variant": shop.variant(1).await, "kind": "regular", "price": 5, "quantity": 1, "pay_later": "yes"});
    shop.host.post(&shop.path("offers"), wrong).await.expect_problem(400, "bad_request");
    let quick = json!({"price": 500, "quantity": 1, "pay_later": false});
    let quick = shop.host.post_keyed(&shop.path("quick-items"), &key(), quick).await.expect(201);
    assert_eq!(quick["offer"]["pay_later"], false);

    let ann = shop.rest("Ann", "viewer");
    let mut live = shop.live("Ann", "viewer").await;
    let (first, second) = (id(&hold(&mut live, &usual, 1).await), id(&hold(&mut live, &at_once, 1).await));
    let methods_of =
        async |order: &str| ann.get(&format!("/v1/orders/{order}")).await.expect(200)["manual_methods"].clone();
    assert_eq!(methods_of(&first).await.as_array().map(Vec::len), Some(2));
    assert_eq!(ann.get(&format!("/v1/orders/{first}")).await.expect(200).get("paid_at_once"), None);
    assert_eq!(methods_of(&second).await, Value::Null);
    let cash = json!({"method": "cash_on_delivery"});
    ann.post_keyed(&format!("/v1/orders/{second}/pay"), &key(), cash.clone()).await.expect_problem(409, "method_off");
    // Together, neither of them can be paid later.
    let bag = ann.post("/v1/orders", json!({"reservations": [first, second]})).await.expect(200);
    assert_eq!((bag.get("manual_methods"), &bag["paid_at_once"]), (None, &json!([at_once])));
    ann.post_keyed(&format!("/v1/orders/{}/pay", id(&bag)), &key(), cash).await.expect_problem(409, "method_off");
    shop.assert_left(&at_once, 2).await;
}

#[tokio::test]
async fn team_changes_whether_an_offer_on_sale_is_paid_later() {
    let shop = Shop::demo(&[]).await;
    allow(&shop, both()).await;
    let offer = shop.on_sale(4, json!({"per_buyer": 4})).await;
    let path = format!("/v1/offers/{offer}/pay-later");
    let ann = shop.rest("Ann", "viewer");
    let (mut live, mut watcher) = (shop.live("Ann", "viewer").await, shop.live("Wadi", "viewer").await);
    let (first, second) = (id(&hold(&mut live, &offer, 1).await), id(&hold(&mut live, &offer, 1).await));
    let pay = async |order: &str| {
        let cash = json!({"method": "cash_on_delivery"});
        ann.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), cash).await
    };
    assert_eq!(pay(&first).await.expect(200)["status"], "placed");

    // Over REST and on the socket; whoever watches has the offer as it is now.
    let off = shop.host.put(&path, json!({"pay_later": false})).await.expect(200);
    assert_eq!((&off["id"], &off["pay_later"]), (&json!(offer), &json!(false)));
    let is_off = |frame: &Value| frame["state"]["offers"][&offer]["pay_later"] == false;
    watcher.until("the offer that is paid at once", SOON, is_off).await;
    let refused = pay(&second).await.expect_problem(409, "method_off");
    assert_eq!(refused["offers"], json!([offer]));
    let detail = ann.get(&format!("/v1/orders/{second}")).await.expect(200);
    assert_eq!((detail.get("manual_methods"), &detail["paid_at_once"]), (None, &json!([offer])));
    let kept = ann.get(&format!("/v1/orders/{first}")).await.expect(200);
    assert_eq!((&kept["status"], &kept["placement"]["method"]), (&json!("placed"), &json!("cash_on_delivery")));

    let mut host = shop.live("Noura", "host").await;
    let again = json!({"do": "set_pay_later", "offer": offer, "pay_later": false});
    assert_eq!(host.ask(again).await.unwrap()["offer"]["v"], off["v"], "the same again changes nothing");
    let on = host.ask(json!({"do": "set_pay_later", "offer": offer, "pay_later": true})).await.unwrap();
    assert_eq!(on["offer"]["pay_later"], true);
    assert_eq!(pay(&second).await.expect(200)["status"], "placed");
    let usual = shop.host.put(&path, json!({"pay_later": null})).await.expect(200);
    assert_eq!(usual.get("pay_later"), None, "as the shop says");

    // What is not said undoes nothing, and others may not.
    for bad in [json!({}), json!({"pay_later": "no"}), json!({"pay_later": 1})] {
        shop.host.put(&path, bad).await.expect_problem(400, "bad_request");
    }
    ann.put(&path, json!({"pay_later": true})).await.expect_problem(403, "forbidden");
    let log = shop.host.get(&shop.path("audit-log")).await.expect(200);
    let said = log["items"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "set_pay_later");
    let said: Vec<_> = said.map(|entry| (entry["subject"].as_str(), entry["detail"].as_str().unwrap())).collect();
    assert_eq!(said, ["default", "yes", "no"].map(|detail| (Some(offer.as_str()), detail)));
    shop.host.post(&format!("/v1/offers/{offer}/close"), json!({})).await.expect(200);
    shop.host.put(&path, json!({"pay_later": true})).await.expect_problem(409, "closed");
}

#[tokio::test]
async fn settings_of_manual_payments_are_checked() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    for (settings, field) in [
        (json!({"bank_transfer": true}), "manual_payments.bank_details"),
        (json!({"cash_days": 0}), "manual_payments.cash_days"),
        (json!({"open_orders_max": 101}), "manual_payments.open_orders_max"),
    ] {
        let form = json!({"manual_payments": settings});
        let refused = admin.send(Method::PATCH, "/v1/shop/settings", &[], Some(form)).await;
        assert_eq!(refused.expect_problem(400, "bad_request")["field"], field);
    }
    allow(&shop, both()).await;
    let kept = allow(&shop, json!({"cash_on_delivery": false})).await;
    assert_eq!(
        (&kept["manual_payments"]["bank_transfer"], &kept["manual_payments"]["cash_on_delivery"]),
        (&json!(true), &json!(false))
    );
}
