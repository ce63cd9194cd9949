//! What viewers see when things do not go straight: talk that is held back, orders that end otherwise, nothing to show,
//! and a server that is away.

use serde_json::{Value, json};

use super::Walk;
use crate::support::browser::SOON;
use crate::support::outside::rest::Rest;
use crate::support::outside::shop::id;
use crate::support::person::{named, order_is};

impl Walk {
    async fn until(&self, what: &str, expression: &str) {
        self.each(async |eye| drop(eye.until(what, expression, SOON).await)).await;
    }

    async fn watch_signed_in(&self) {
        self.open_as_viewers(&format!("/watch?stream={}", self.server.stream())).await;
        self.each(async |eye| eye.is_live().await).await;
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/streams/{}/{rest}", self.server.stream())
    }

    async fn chat(&self, rules: Value) {
        self.host().put(&self.path("chat"), rules).await.expect(200);
    }

    /// Somebody takes all that is left.
    async fn take(&self, offer: &str, qty: i64) -> (Rest, String) {
        let buyer = self.somebody("Quick").await;
        let key = format!("screens-take-{offer}");
        let order = buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key, json!({"qty": qty})).await;
        (buyer, id(&order.expect(201)))
    }
}

#[tokio::test]
async fn talk_that_is_held_back_pinned_and_closed() {
    let walk = Walk::begin().await;
    walk.watch_signed_in().await;
    let asked = walk.somebody("Ann").await.post(&walk.path("messages"), json!({"text": "Is it real cotton?"})).await;
    let asked = id(&asked.expect(201));
    walk.host_does("messages", json!({"text": "All of it, from Izmir.", "reply_to": asked})).await;
    walk.host().put(&walk.path("pinned-message"), json!({"id": asked})).await.expect(200);
    walk.each(async |eye| eye.find(&named("pinned-comment")).await).await;
    walk.screen("talk-answered").await;

    // Whoever reads upwards is not pulled down.
    for n in 0..30 {
        walk.host_does("messages", json!({"text": format!("Look at number {n}")})).await;
    }
    walk.each(async |eye| {
        eye.sees("chat-list", "number 29").await;
        eye.script("document.querySelector('[data-test=chat-list]').scrollTop = 40", &[]).await;
        let still = "document.querySelector('[data-test=chat-list]').scrollTop < 60";
        eye.until("the list to stand", still, SOON).await;
    })
    .await;
    for text in ["One", "Two", "Three"] {
        walk.host_does("messages", json!({ "text": text })).await;
    }
    walk.until("the pill", "/3|٣/.test(document.querySelector('[data-test=chat-pill]:not([hidden])')?.innerText)")
        .await;
    walk.screen("talk-new-below").await;
    walk.each(async |eye| eye.press("chat-pill").await).await;

    walk.chat(json!({"hold_all": true})).await;
    walk.each(async |eye| eye.say("See my shop").await).await;
    walk.each(async |eye| eye.find(&named("chat-held")).await).await;
    walk.screen("talk-held").await;
    walk.chat(json!({"hold_all": false, "off": true})).await;
    walk.until("a shut field", "document.querySelector('[data-test=chat-input]').readOnly").await;
    walk.screen("chat-off").await;
    let held = walk.host().get(&walk.path("held")).await.expect(200);
    for message in held["items"].as_array().expect("a list") {
        let ban = walk.path(&format!("bans/{}", message["from"]["id"].as_str().expect("a user")));
        walk.host().put(&ban, json!({"reason": "Advertising"})).await.expect(200);
    }
    walk.until("the ban", "document.querySelector('[data-test=conn]').dataset.status === 'closed'").await;
    walk.each(async |eye| drop(eye.sees("chat-list", "Advertising").await)).await;
    walk.screen("banned").await;
    walk.end().await;
}

#[tokio::test]
async fn orders_that_end_otherwise() {
    let walk = Walk::begin().await;
    walk.watch_signed_in().await;
    let flash = walk.flash(0, json!({"hold_s": 10, "per_buyer": 20})).await;
    walk.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    walk.pin(&flash).await;
    let live = "document.querySelector('[data-test=card]').dataset.phase === 'live'";
    walk.each(async |eye| drop(eye.until("the sale", live, 2 * SOON).await)).await;
    walk.each(async |eye| eye.press("card-buy").await).await;
    walk.until("the hold", &order_is("held")).await;
    walk.each(async |eye| drop(eye.until("the hold to run out", &order_is("expired"), 2 * SOON).await)).await;
    walk.screen("order-expired").await;
    walk.each(async |eye| eye.press("order-again").await).await;
    walk.until("a second hold", &order_is("held")).await;
    walk.each(async |eye| eye.press("order-cancel").await).await;
    walk.until("the order to be given back", &order_is("cancelled")).await;
    walk.screen("order-cancelled").await;
    walk.each(async |eye| eye.press("order-done").await).await;

    // The sheet of the thing is open when the last one goes, and what is taken stays taken while the screen is measured.
    walk.host().post(&format!("/v1/offers/{flash}/close"), json!({})).await.expect(200);
    let flash = walk.flash(1, json!({"per_buyer": 20})).await;
    walk.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    walk.pin(&flash).await;
    let live = format!("document.querySelector('[data-test=card]').dataset.offer === '{flash}' && {live}");
    walk.each(async |eye| drop(eye.until("the next sale", &live, 2 * SOON).await)).await;
    walk.each(async |eye| eye.click(".card-face").await).await;
    walk.each(async |eye| eye.find(&named("product-buy")).await).await;
    let (_buyer, _order) = walk.take(&flash, 20).await;
    walk.until("the end of it", "document.querySelector('[data-test=product-buy]').dataset.act !== 'buy'").await;
    walk.screen("product-gone").await;
    walk.each(async |eye| eye.press("product-buy").await).await;
    walk.until("to wait", "document.querySelector('[data-test=product-buy]').getAttribute('aria-pressed') === 'true'")
        .await;
    walk.screen("product-waiting").await;
    walk.end().await;
}

#[tokio::test]
async fn one_thing_in_several_variants() {
    let walk = Walk::begin().await;
    let products = walk.host().get("/v1/products").await.expect(200);
    let many = |it: &&Value| it["variants"].as_array().is_some_and(|variants| variants.len() > 1);
    let product = products["items"].as_array().and_then(|items| items.iter().find(many)).expect("several variants");
    let mut offers = Vec::new();
    for variant in product["variants"].as_array().expect("variants") {
        let form = json!({"variant": variant["id"], "kind": "regular", "price": variant["price"], "quantity": 2, "per_buyer": 2});
        let made = walk.host_does("offers", form).await;
        let offer = made["id"].as_str().unwrap_or_else(|| panic!("no offer: {made}")).to_owned();
        walk.host().post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        offers.push(offer);
    }
    walk.pin(&offers[0]).await;
    let (_buyer, _order) = walk.take(&offers[1], 2).await;
    walk.watch_signed_in().await;
    walk.each(async |eye| eye.click(".card-face").await).await;
    walk.until("the chips", "document.querySelectorAll('[data-test=variants] .chip').length > 1").await;
    walk.until("the one that is gone", "document.querySelector('[data-test=variants] .gone')").await;
    walk.screen("product-variants").await;
    walk.end().await;
}

#[tokio::test]
async fn nothing_to_show_and_a_server_that_is_away() {
    let mut walk = Walk::begin().await;
    walk.open("/", "").await;
    walk.each(async |eye| eye.fill(&named("search"), "no such thing").await).await;
    walk.each(async |eye| eye.find(&named("shop-nothing")).await).await;
    walk.screen("shop-nothing").await;
    walk.open("/orders", "").await;
    walk.each(async |eye| eye.find(&named("orders-sign-in")).await).await;
    walk.first_screen("orders-signed-out").await;
    walk.open_as_viewers("/orders?").await;
    walk.each(async |eye| eye.find(&named("orders-empty")).await).await;
    walk.screen("orders-none").await;
    walk.open("/watch?stream=01a206b7-0981-7065-bc3f-77b21aba8237", "").await;
    walk.until("the problem", "document.querySelector('[data-test=problem]')?.innerText.trim()").await;
    walk.screen("no-such-show").await;

    walk.open(&format!("/watch?stream={}", walk.server.stream()), "").await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.find(&named("card-buy")).await).await;
    walk.server.stop().await;
    let lost = "document.querySelector('[data-test=conn]:not([hidden])')?.innerText.trim()
        && document.querySelector('[data-test=card-buy]').disabled";
    walk.until("to be told", lost).await;
    walk.screen("reconnecting").await;
    walk.end().await;
}
