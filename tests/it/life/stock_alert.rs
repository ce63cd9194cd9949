//! Stock alerts: a viewer is notified when units of a sold-out offer are available again.

use serde_json::{Value, json};

use super::{buy, hold};
use crate::support::SOON;
use crate::support::shop::{Shop, id, key};

fn add_stock_alert(offer: &str) -> Value {
    json!({"do": "add_stock_alert", "offer": offer})
}

#[tokio::test]
async fn number_of_stock_alerts_is_in_the_state_until_the_sale_ends() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({})).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let mut watcher = shop.watch().await;
    assert_eq!(bob.refused(add_stock_alert(&offer)).await, "wrong_status", "a unit is available");
    let held = hold(&mut ann, &offer, 1).await;
    assert_eq!(watcher.refused(add_stock_alert(&offer)).await, "sign_in");
    for _ in 0..2 {
        assert_eq!(bob.ask(add_stock_alert(&offer)).await.unwrap()["offer"], json!(offer));
    }
    watcher.until_state("one stock alert", SOON, |state| state["stock_alerts"][&offer] == 1).await;
    let dan = shop.rest("Dan", "viewer");
    dan.put(&format!("/v1/offers/{offer}/stock-alert"), json!({})).await.expect(204);
    watcher.until_state("two stock alerts", SOON, |state| state["stock_alerts"][&offer] == 2).await;
    let listed = dan.get(&shop.path("stock-alerts")).await.expect(200);
    assert_eq!(listed["items"], json!([offer]));
    assert_eq!(
        shop.watch().await.hello["state"]["stock_alerts"],
        json!({ offer.clone(): 2 }),
        "a new viewer receives the number"
    );

    // A stock alert reserves nothing: the first buyer gets the returned unit.
    ann.ask(json!({"do": "cancel", "order": id(&held), "key": key()})).await.unwrap();
    watcher.until_state("one left", SOON, |state| state["offers"][&offer]["left"] == 1).await;
    let mut eve = shop.live("Eve", "viewer").await;
    eve.ask(buy(&offer, 1)).await.unwrap();
    bob.ask(json!({"do": "remove_stock_alert", "offer": offer})).await.unwrap();
    watcher.until_state("one stock alert", SOON, |state| state["stock_alerts"][&offer] == 1).await;
    shop.host.post(&format!("/v1/offers/{offer}/close"), json!({})).await.expect(200);
    watcher.until_state("no stock alerts", SOON, |state| state["stock_alerts"][&offer] == 0).await;
    assert_eq!(dan.get(&shop.path("stock-alerts")).await.expect(200)["items"], json!([]));
    assert_eq!(bob.refused(add_stock_alert(&offer)).await, "closed");
    shop.assert_audited().await;
}

#[tokio::test]
async fn stock_alert_needs_the_right_to_buy() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(1, json!({})).await;
    let draft = shop.draft(1, json!({})).await;
    hold(&mut shop.live("Ann", "viewer").await, &offer, 1).await;
    let path = |offer: &str| format!("/v1/offers/{offer}/stock-alert");
    let anonymous = shop.server.rest();
    anonymous.put(&path(&offer), json!({})).await.expect_problem(401, "sign_in");
    anonymous.delete(&path(&offer)).await.expect_problem(401, "sign_in");
    anonymous.get(&shop.path("stock-alerts")).await.expect_problem(401, "sign_in");
    let bob = shop.rest("Bob", "viewer");
    bob.put(&path(&draft), json!({})).await.expect_problem(404, "no_such_offer");
    bob.put(&path("nonsense"), json!({})).await.expect_problem(400, "bad_request");
    shop.host.put(&shop.path("bans/Bob"), json!({})).await.expect(200);
    bob.put(&path(&offer), json!({})).await.expect_problem(403, "banned");
}
