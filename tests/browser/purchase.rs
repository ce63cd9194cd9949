//! The whole way of a buyer: where it goes, a card that is declined, a hold that runs out, a network that drops, the last
//! unit that somebody else took. Each with a picture.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::proxy::Proxy;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::person::{named, order_is};

/// An offer like this, pinned.
async fn pinned(shop: &Shop, quantity: i64, terms: Value) -> String {
    let offer = shop.on_sale(quantity, terms).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    offer
}

impl Browser {
    /// The show on a phone, as somebody, with the newest pin on the card.
    async fn watches(&self, shop: &Shop, base: &str, who: &str, offer: &str) {
        let token = shop.token(who, "viewer");
        self.goto(&format!("{base}/watch?stream={}&lang=en#token={token}", shop.stream)).await;
        self.is_live().await;
        self.until(
            "the card",
            &format!("document.querySelector('[data-test=card]').dataset.offer === '{offer}'"),
            SOON,
        )
        .await;
    }

    async fn holds(&self) {
        self.press("card-buy").await;
        self.until("the hold", &order_is("held"), SOON).await;
    }

    async fn step(&self, last: &str) {
        let shown =
            format!("document.querySelector('[data-test=order-history] li:last-child')?.dataset.step === '{last}'");
        self.until(last, &shown, SOON).await;
    }
}

#[tokio::test]
async fn an_order_has_an_address_a_second_card_a_history_and_a_page() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned(&shop, 5, json!({"per_buyer": 2})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watches(&shop, &shop.server.url, "Ann", &offer).await;
    ann.holds().await;
    ann.press("pay").await;
    ann.sees("error-address-name", "needed").await;
    assert_eq!(ann.script("return document.activeElement.dataset.test", &[]).await, json!("address-name"));
    ann.shot("purchase-address-missing").await;
    ann.fill_address().await;
    ann.fill(&named("address-phone"), "call me").await;
    ann.press("pay").await;
    ann.sees("error-address-phone", "5 to 20").await;
    ann.fill(&named("address-phone"), "+966 50 000 0000").await;
    ann.press("address-keep").await;
    ann.choose("payment-declined").await;
    ann.press("pay").await;
    ann.sees("pay-error", "declined").await;
    let typed = "return document.querySelector('[data-test=address-name]').value";
    assert_eq!(ann.script(typed, &[]).await, json!("Ann Example"), "what was typed stays");
    ann.shot("purchase-declined").await;
    ann.choose("payment-ok").await;
    ann.press("pay").await;
    ann.until("the order to be paid", &order_is("paid"), SOON).await;
    ann.step("paid").await;
    let steps = "return [...document.querySelectorAll('[data-test=order-history] li')].map((it) => it.dataset.step)";
    assert_eq!(ann.script(steps, &[]).await, json!(["held", "declined", "paid"]));
    ann.sees("order-address", "12 King Fahd Road").await;
    ann.shot("purchase-paid").await;

    // Kept with the order until it is erased there; kept on the device because the box was ticked.
    let order = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200)["items"][0].clone();
    let path = format!("/v1/orders/{}/address", id(&order));
    assert_eq!(shop.host.get(&path).await.expect(200)["name"], json!("Ann Example"));
    ann.press("address-erase").await;
    ann.until("no address", "!document.querySelector('[data-test=order-address]')", SOON).await;
    assert_eq!(shop.host.get(&path).await.expect(200), Value::Null);
    ann.press("order-done").await;
    ann.holds().await;
    assert_eq!(ann.script(typed, &[]).await, json!("Ann Example"), "remembered for the next purchase");
    ann.press("order-cancel").await;
    ann.until("the order to be given back", &order_is("cancelled"), SOON).await;
    ann.press("order-done").await;

    // The page of all orders says the same.
    ann.press("bag").await;
    ann.press("tab-mine").await;
    ann.shot("purchase-mine").await;
    ann.press("all-orders").await;
    // The show has a list of the same rows: not that one.
    let both = "location.pathname === '/orders' && document.querySelectorAll('.order-row').length === 2";
    ann.until("both orders", both, SOON).await;
    ann.shot("purchase-orders").await;
    ann.press(&format!("order-{}", id(&order))).await;
    ann.step("paid").await;
    ann.shot("purchase-order").await;
    ann.is_sound("Ann").await;
    ann.close().await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn a_hold_that_runs_out_under_the_open_sheet_is_told_and_can_be_taken_again() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned(&shop, 1, json!({"hold_s": 10})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watches(&shop, &shop.server.url, "Ann", &offer).await;
    ann.holds().await;
    ann.until("the hold to run out", &order_is("expired"), Duration::from_secs(30)).await;
    ann.step("expired").await;
    ann.press("order-again").await;
    ann.until("a second hold", &order_is("held"), SOON).await;
    ann.shot("purchase-again").await;
    ann.press("order-cancel").await;
    ann.until("the order to be given back", &order_is("cancelled"), SOON).await;
    let orders = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200);
    let statuses: Vec<&Value> = orders["items"].as_array().unwrap().iter().map(|order| &order["status"]).collect();
    assert_eq!(statuses, ["cancelled", "expired"]);
    ann.is_sound("Ann").await;
    ann.close().await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn a_purchase_whose_answer_never_came_is_found_instead_of_a_second_one() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned(&shop, 5, json!({"per_buyer": 2})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watches(&shop, &shop.server.url, "Ann", &offer).await;
    // As it is after ninety seconds without an answer: placed, and only the key is known.
    let path = format!("/v1/offers/{offer}/orders");
    shop.rest("Ann", "viewer").post_keyed(&path, "the-lost-key", json!({"qty": 1})).await.expect(201);
    ann.find(&format!("{}:not([hidden])", named("held-chip"))).await;
    let keep = "sessionStorage.setItem(`livesouk.buying.${arguments[0]}`, JSON.stringify(
        { key: 'the-lost-key', offer: arguments[1], qty: 1, stream: arguments[0] }))";
    ann.script(keep, &[json!(shop.stream), json!(offer)]).await;
    ann.press("card-buy").await;
    ann.until("the hold", &order_is("held"), SOON).await;
    let orders = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200);
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders:#}");
    // Whoever cannot see the sheet hears of it: what lies behind a modal one is not read.
    let heard = "document.querySelector('dialog[open] > .spoken').textContent";
    ann.until("words in the sheet", heard, SOON).await;
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn two_tabs_of_one_buyer_show_one_order() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned(&shop, 5, json!({"per_buyer": 1})).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    let laptop = Browser::open(&driver, Window::Desktop, "en").await;
    for browser in [&phone, &laptop] {
        browser.watches(&shop, &shop.server.url, "Ann", &offer).await;
    }
    phone.holds().await;
    // The other tab knows of the hold, and buying there leads to it instead of to a second one.
    laptop.find(&format!("{}:not([hidden])", named("held-chip"))).await;
    laptop.press("card-buy").await;
    laptop.until("the refusal", &order_is("buyer_limit"), SOON).await;
    laptop.press("order-mine").await;
    laptop.until("the hold", &order_is("held"), SOON).await;
    laptop.shot("purchase-two-tabs").await;
    laptop.fill_address().await;
    laptop.press("pay").await;
    for browser in [&laptop, &phone] {
        browser.until("the order to be paid", &order_is("paid"), SOON).await;
    }
    phone.shot("purchase-paid-elsewhere").await;
    let orders = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200);
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders:#}");
    for browser in [phone, laptop] {
        browser.is_sound("Ann").await;
        browser.close().await;
    }
}

#[tokio::test]
async fn an_open_product_sheet_says_that_the_last_one_is_gone_and_rings_when_it_is_back() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned(&shop, 1, json!({})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watches(&shop, &shop.server.url, "Ann", &offer).await;
    ann.click(".card-face").await;
    ann.sees("product-buy", "Hold and pay").await;
    let path = format!("/v1/offers/{offer}/orders");
    let taken = shop.rest("Bob", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
    ann.sees("product-buy", "Tell me").await;
    ann.press("product-buy").await;
    ann.sees("product-left", "1 waiting").await;
    let pressed = "return document.querySelector('[data-test=product-buy]').getAttribute('aria-pressed')";
    assert_eq!(ann.script(pressed, &[]).await, json!("true"));
    ann.shot("purchase-waiting").await;
    let cancel = format!("/v1/orders/{}/cancel", id(&taken));
    shop.rest("Bob", "viewer").post_keyed(&cancel, &key(), json!({})).await.expect(200);
    ann.sees("toast-tell", "Back on sale").await;
    ann.shot("purchase-back").await;
    ann.press("product-buy").await;
    ann.until("the hold", &order_is("held"), SOON).await;
    // Who has one does not wait for one.
    let waits = async || shop.rest("Ann", "viewer").get(&shop.path("waits")).await.expect(200)["items"].clone();
    let deadline = tokio::time::Instant::now() + SOON;
    while waits().await != json!([]) {
        assert!(tokio::time::Instant::now() < deadline, "still waiting");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn a_network_that_drops_in_the_checkout_costs_a_moment_and_pays_once() {
    let shop = Shop::demo(&[]).await;
    let proxy = Proxy::start(shop.server.address()).await;
    let offer = pinned(&shop, 5, json!({})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watches(&shop, &proxy.url(), "Ann", &offer).await;
    ann.holds().await;
    ann.fill_address().await;
    // The money is taken and the answer never comes.
    ann.choose("payment-slow").await;
    ann.press("pay").await;
    let order = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200)["items"][0].clone();
    let begun = format!("select count(*) from payments where order_id = x'{}'", id(&order).replace('-', ""));
    let begun: &'static str = Box::leak(begun.into_boxed_str());
    let deadline = tokio::time::Instant::now() + SOON;
    while shop.number(begun).await == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no payment was begun");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.cut();
    ann.until("to be told", "document.querySelector('[data-test=conn]').dataset.status !== 'live'", SOON).await;
    ann.shot("purchase-cut").await;
    let deadline = tokio::time::Instant::now() + SOON;
    while shop.number("select count(*) from orders where status = 'paid'").await == 0 {
        assert!(tokio::time::Instant::now() < deadline, "it was not paid");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxy.restore();
    ann.until("the order to be paid", &order_is("paid"), Duration::from_secs(45)).await;
    ann.shot("purchase-after-cut").await;
    assert_eq!(shop.number(begun).await, 1, "one try, however often it was asked for");
    shop.assert_audited().await;
    ann.is_sound("Ann").await;
    ann.close().await;
}
