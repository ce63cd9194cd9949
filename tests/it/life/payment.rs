//! Payments that need an action of the buyer, and refunds.

use serde_json::{Value, json};

use super::{hold, order_frame, pay};
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

#[tokio::test]
async fn payment_that_needs_an_action_continues_after_the_action() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(2, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let held = hold(&mut live, &offer, 1).await;
    let with = key();
    let refusal = live.ask(pay(&id(&held), "needs_action", &with)).await.unwrap_err();
    assert_eq!(refusal["code"], "needs_action");
    let action = refusal["action_url"].as_str().unwrap().to_owned();
    let again = live.ask(pay(&id(&held), "needs_action", &with)).await.unwrap_err();
    assert_eq!(again["action_url"], action, "a retry with the same key returns the same action");
    shop.server.rest().post(&action, json!({"approve": true})).await.expect(200);
    order_frame(&mut live, &held, "paid").await;
    let paid = live.ask(pay(&id(&held), "needs_action", &with)).await.unwrap();
    assert_eq!((&paid["order"]["status"], &paid["replayed"]), (&json!("paid"), &json!(true)));
    assert_eq!(shop.number("select count(*) from test_intents").await, 1);
    shop.assert_audited().await;
}

#[tokio::test]
async fn cancelled_order_voids_the_payment_that_waits_for_an_action() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let held = hold(&mut live, &offer, 1).await;
    let refusal = live.ask(pay(&id(&held), "needs_action", &key())).await.unwrap_err();
    live.ask(json!({"do": "cancel", "order": id(&held), "key": key()})).await.unwrap();
    let approve = shop.server.rest().post(refusal["action_url"].as_str().unwrap(), json!({"approve": true})).await;
    assert!(matches!(approve.status, 200 | 409), "{approve:?}");
    let gone = "select count(*) from test_intents where status = 'cancelled'";
    until_some("voided payment", SOON, async || (shop.number(gone).await == 1).then_some(())).await;
    assert_eq!(shop.number("select count(*) from test_intents where captured > 0").await, 0);
    shop.assert_left(&offer, 1).await;
}

#[tokio::test]
async fn refund_reaches_the_buyer_and_the_report() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(3, json!({"per_buyer": 3})).await;
    let (mut live, mut watcher) = (shop.live("Ann", "viewer").await, shop.watch().await);
    let mut host = shop.live("the-host", "host").await;
    let (kept, back, gone) =
        (hold(&mut live, &offer, 1).await, hold(&mut live, &offer, 1).await, hold(&mut live, &offer, 1).await);
    for order in [&kept, &back, &gone] {
        live.ask(pay(&id(order), "ok", &key())).await.unwrap();
    }
    watcher.until_state("none left", SOON, |state| state["offers"][&offer]["status"] == "sold_out").await;
    let verb = json!({"do": "refund", "order": id(&back), "restock": true, "reason": "broken", "key": key()});
    let reply = host.ask(verb).await.unwrap();
    assert_eq!((&reply["order"]["status"], &reply["replayed"]), (&json!("refunded"), &json!(false)));
    let seen = order_frame(&mut live, &back, "refunded").await;
    assert_eq!(seen["reason"], "refunded");
    watcher.until_state("one left", SOON, |state| state["offers"][&offer]["left"] == 1).await;
    let path = format!("/v1/orders/{}/refund", id(&gone));
    shop.host.post_keyed(&path, &key(), json!({"restock": false})).await.expect(200);
    watcher.until_state("two in all", SOON, |state| state["offers"][&offer]["quantity"] == 2).await;
    shop.assert_left(&offer, 1).await;
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    let figures = |names: [&str; 5]| names.map(|name| report[name].clone());
    assert_eq!(
        figures(["orders_paid", "units_paid", "amount_paid", "orders_refunded", "amount_refunded"]),
        [1, 1, 1_000, 2, 2_000].map(|figure: i64| json!(figure))
    );
    // The returned unit can be sold again, and it no longer counts for the limit of the buyer.
    assert_eq!(hold(&mut live, &offer, 1).await["place"], 4);
    let mine: Value = shop.rest("Ann", "viewer").get(&format!("/v1/orders/{}", id(&gone))).await.expect(200);
    assert_eq!(mine["status"], "refunded");
    assert_eq!(shop.number("select sum(captured - refunded) from test_intents").await, 1_000);
    shop.assert_audited().await;
}
