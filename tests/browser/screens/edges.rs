//! Viewer screens off the usual path: messages in review, orders that end without a payment, empty pages, and a server that
//! is down.

use serde_json::{Value, json};

use super::ScreenTest;
use crate::support::browser::SOON;
use crate::support::outside::rest::Rest;
use crate::support::outside::shop::id;
use crate::support::person::{named, order_is};

impl ScreenTest {
    async fn until(&self, what: &str, expression: &str) {
        self.each(async |device| drop(device.until(what, expression, SOON).await)).await;
    }

    async fn watch_signed_in(&self) {
        self.open_as_viewers(&format!("/watch?stream={}", self.server.stream())).await;
        self.each(async |device| device.wait_until_live().await).await;
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/streams/{}/{rest}", self.server.stream())
    }

    async fn chat(&self, rules: Value) {
        self.host().put(&self.path("chat"), rules).await.expect(200);
    }

    /// Another buyer reserves this many units.
    async fn reserve(&self, offer: &str, qty: i64) -> (Rest, String) {
        let buyer = self.new_viewer("Quick").await;
        let key = format!("screens-take-{offer}");
        let order = buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key, json!({"qty": qty})).await;
        (buyer, id(&order.expect(201)))
    }
}

#[tokio::test]
async fn chat_in_review_pinned_and_off() {
    let run = ScreenTest::start().await;
    run.watch_signed_in().await;
    let asked = run.new_viewer("Ann").await.post(&run.path("messages"), json!({"text": "Is it real cotton?"})).await;
    let asked = id(&asked.expect(201));
    run.host_post("messages", json!({"text": "All of it, from Izmir.", "reply_to": asked})).await;
    run.host().put(&run.path("pinned-message"), json!({"id": asked})).await.expect(200);
    run.each(async |device| device.find(&named("pinned-comment")).await).await;
    run.screen("chat-answered").await;

    // New messages do not scroll the list of a viewer who reads older ones.
    for n in 0..30 {
        run.host_post("messages", json!({"text": format!("Look at number {n}")})).await;
    }
    run.each(async |device| {
        device.sees("chat-list", "number 29").await;
        device.script("document.querySelector('[data-test=chat-list]').scrollTop = 40", &[]).await;
        let still = "document.querySelector('[data-test=chat-list]').scrollTop < 60";
        device.until("the list to keep its scroll position", still, SOON).await;
    })
    .await;
    for text in ["One", "Two", "Three"] {
        run.host_post("messages", json!({ "text": text })).await;
    }
    run.until(
        "the number of new messages",
        "/3|٣/.test(document.querySelector('[data-test=chat-pill]:not([hidden])')?.innerText)",
    )
    .await;
    run.screen("chat-new-below").await;
    run.each(async |device| device.press("chat-pill").await).await;

    run.chat(json!({"review_all": true})).await;
    run.each(async |device| device.say("See my shop").await).await;
    run.each(async |device| device.find(&named("chat-pending")).await).await;
    run.screen("chat-pending").await;
    run.chat(json!({"review_all": false, "off": true})).await;
    run.until("the chat field to be read-only", "document.querySelector('[data-test=chat-input]').readOnly").await;
    run.screen("chat-off").await;
    let queue = run.host().get(&run.path("review-queue")).await.expect(200);
    for message in queue["items"].as_array().expect("a list") {
        let ban = run.path(&format!("bans/{}", message["from"]["id"].as_str().expect("a user")));
        run.host().put(&ban, json!({"reason": "Advertising"})).await.expect(200);
    }
    run.until("the ban", "document.querySelector('[data-test=conn]').dataset.status === 'closed'").await;
    run.each(async |device| drop(device.sees("chat-list", "Advertising").await)).await;
    run.screen("banned").await;
    run.end().await;
}

#[tokio::test]
async fn orders_that_expire_or_are_cancelled() {
    let run = ScreenTest::start().await;
    run.watch_signed_in().await;
    let flash = run.flash(0, json!({"hold_s": 10, "per_buyer": 20})).await;
    run.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    run.pin(&flash).await;
    let live = "document.querySelector('[data-test=card]').dataset.phase === 'live'";
    run.each(async |device| drop(device.until("the sale", live, 2 * SOON).await)).await;
    run.each(async |device| device.press("card-buy").await).await;
    run.until("the hold", &order_is("held")).await;
    run.each(async |device| drop(device.until("the hold to expire", &order_is("expired"), 2 * SOON).await)).await;
    run.screen("order-expired").await;
    run.each(async |device| device.press("order-again").await).await;
    run.until("a second hold", &order_is("held")).await;
    run.each(async |device| device.press("order-cancel").await).await;
    run.until("the order to be cancelled", &order_is("cancelled")).await;
    run.screen("order-cancelled").await;
    run.each(async |device| device.press("order-done").await).await;

    // The product sheet is open when the last unit is reserved. The hold lasts longer than the measurement of the screen.
    run.host().post(&format!("/v1/offers/{flash}/close"), json!({})).await.expect(200);
    let flash = run.flash(1, json!({"per_buyer": 20})).await;
    run.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    run.pin(&flash).await;
    let live = format!("document.querySelector('[data-test=card]').dataset.offer === '{flash}' && {live}");
    run.each(async |device| drop(device.until("the next sale", &live, 2 * SOON).await)).await;
    run.each(async |device| device.click(".card-face").await).await;
    run.each(async |device| device.find(&named("product-buy")).await).await;
    let (_buyer, _order) = run.reserve(&flash, 20).await;
    run.until("the buy button to change", "document.querySelector('[data-test=product-buy]').dataset.act !== 'buy'")
        .await;
    run.screen("product-sold-out").await;
    run.each(async |device| device.press("product-buy").await).await;
    run.until(
        "the stock alert to be set",
        "document.querySelector('[data-test=product-buy]').getAttribute('aria-pressed') === 'true'",
    )
    .await;
    run.screen("product-stock-alert").await;
    run.end().await;
}

#[tokio::test]
async fn one_product_in_several_variants() {
    let run = ScreenTest::start().await;
    let products = run.host().get("/v1/products").await.expect(200);
    let many = |it: &&Value| it["variants"].as_array().is_some_and(|variants| variants.len() > 1);
    let product = products["items"]
        .as_array()
        .and_then(|items| items.iter().find(many))
        .expect("a product with several variants");
    let mut offers = Vec::new();
    for variant in product["variants"].as_array().expect("variants") {
        let form = json!({"variant": variant["id"], "kind": "regular", "price": variant["price"], "quantity": 2, "per_buyer": 2});
        let made = run.host_post("offers", form).await;
        let offer = made["id"].as_str().unwrap_or_else(|| panic!("no offer: {made}")).to_owned();
        run.host().post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        offers.push(offer);
    }
    run.pin(&offers[0]).await;
    let (_buyer, _order) = run.reserve(&offers[1], 2).await;
    run.watch_signed_in().await;
    run.each(async |device| device.click(".card-face").await).await;
    run.until("the variants", "document.querySelectorAll('[data-test=variants] .chip').length > 1").await;
    run.until("the sold-out variant", "document.querySelector('[data-test=variants] .gone')").await;
    run.screen("product-variants").await;
    run.end().await;
}

#[tokio::test]
async fn empty_pages_and_a_server_that_is_down() {
    let mut run = ScreenTest::start().await;
    run.open("/", "").await;
    run.each(async |device| device.fill(&named("search"), "no such thing").await).await;
    run.each(async |device| device.find(&named("shop-nothing")).await).await;
    run.screen("shop-nothing").await;
    run.open("/orders", "").await;
    run.each(async |device| device.find(&named("orders-sign-in")).await).await;
    run.first_screen("orders-signed-out").await;
    run.open_as_viewers("/orders?").await;
    run.each(async |device| device.find(&named("orders-empty")).await).await;
    run.screen("orders-none").await;
    run.open("/watch?stream=01a206b7-0981-7065-bc3f-77b21aba8237", "").await;
    run.until("the error page", "document.querySelector('[data-test=problem]')?.innerText.trim()").await;
    run.screen("no-such-show").await;

    run.open(&format!("/watch?stream={}", run.server.stream()), "").await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.find(&named("card-buy")).await).await;
    run.server.stop().await;
    let lost = "document.querySelector('[data-test=conn]:not([hidden])')?.innerText.trim()
        && document.querySelector('[data-test=card-buy]').disabled";
    run.until("the page to report the lost connection", lost).await;
    run.screen("reconnecting").await;
    run.end().await;
}
