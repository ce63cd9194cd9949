//! The purchase from the card to the paid order: delivery address, declined payment, expired hold, lost network, and the last
//! unit that another buyer reserved. Each step has a screenshot.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::proxy::Proxy;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::outside::until_some;
use crate::support::person::{named, order_is};

/// Creates an offer with this quantity and these terms, opens it and pins it.
async fn pinned_offer(shop: &Shop, quantity: i64, terms: Value) -> String {
    let offer = shop.on_sale(quantity, terms).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    offer
}

#[tokio::test]
async fn order_has_an_address_a_second_payment_a_history_and_a_page() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, 5, json!({"per_buyer": 2})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.reserve().await;
    ann.sees("test-payments", "no money").await;
    ann.press("pay").await;
    ann.sees("error-address-name", "Required").await;
    assert_eq!(ann.script("return document.activeElement.dataset.test", &[]).await, json!("address-name"));
    ann.screenshot("purchase-address-missing").await;
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
    assert_eq!(ann.script(typed, &[]).await, json!("Ann Example"), "the typed address stays after a declined payment");
    ann.screenshot("purchase-declined").await;
    ann.choose("payment-ok").await;
    ann.press("pay").await;
    ann.until("the order to be paid", &order_is("paid"), SOON).await;
    ann.wait_for_last_step("paid").await;
    let steps = "return [...document.querySelectorAll('[data-test=order-history] li')].map((it) => it.dataset.step)";
    assert_eq!(ann.script(steps, &[]).await, json!(["held", "declined", "paid"]));
    ann.sees("order-address", "12 King Fahd Road").await;
    ann.screenshot("purchase-paid").await;

    // The shop needs the address until it has sent the order. It is saved for the next purchase because the box is ticked.
    let order = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200)["items"][0].clone();
    let path = format!("/v1/orders/{}/address", id(&order));
    assert_eq!(shop.host.get(&path).await.expect(200)["name"], json!("Ann Example"));
    ann.sees("address-needed", "until your order is sent").await;
    let sent = format!("/v1/orders/{}/sent", id(&order));
    shop.host.put(&sent, json!({})).await.expect(200);
    ann.press("order-done").await;
    ann.reserve().await;
    let filled_in = "document.querySelector('[data-test=address-name]').value === 'Ann Example'";
    ann.until("the saved address", filled_in, SOON).await;
    ann.press("order-cancel").await;
    ann.until("the order to be cancelled", &order_is("cancelled"), SOON).await;
    ann.press("order-done").await;

    // The page of all orders shows the same.
    ann.press("product-list-open").await;
    ann.press("tab-mine").await;
    ann.screenshot("purchase-mine").await;
    ann.press("all-orders").await;
    // The show page has a list with the same rows, so the path is checked too.
    let both = "location.pathname === '/orders' && document.querySelectorAll('.order-row').length === 2";
    ann.until("both orders", both, SOON).await;
    ann.screenshot("purchase-orders").await;
    ann.press(&format!("order-{}", id(&order))).await;
    ann.wait_for_last_step("sent").await;
    ann.screenshot("purchase-order").await;
    ann.press("address-erase").await;
    ann.until("no address", "!document.querySelector('[data-test=order-address]')", SOON).await;
    assert_eq!(shop.host.get(&path).await.expect(200), Value::Null);
    ann.assert_no_faults("Ann").await;
    ann.close().await;
    shop.assert_audited().await;
}

/// The payment provider takes one payment a second, and eight others have pressed Pay before.
#[tokio::test]
async fn payment_that_waits_for_its_turn_shows_its_place_and_is_paid() {
    let shop = Shop::demo(&["--payment-rate", "1"]).await;
    let offer = pinned_offer(&shop, 30, json!({"per_buyer": 1})).await;
    let driver = Driver::start();
    for (window, language, name, said) in first_or_all([
        (Window::Mobile, "ar", "phone-ar", "ترتيبك"),
        (Window::Mobile, "en", "phone", "in the queue"),
        (Window::Desktop, "en", "desk", "in the queue"),
    ]) {
        let ann = Browser::open(&driver, window, language).await;
        ann.watch(&shop, &shop.server.url, &format!("Ann-{name}"), &offer).await;
        if language == "ar" {
            ann.goto(&format!("{}/watch?stream={}&lang=ar", shop.server.url, shop.stream)).await;
        }
        ann.reserve().await;
        ann.fill_address().await;
        let mut others = JoinSet::new();
        for n in 0..8 {
            let rest = shop.rest(&format!("other-{name}-{n}"), "viewer");
            let path = format!("/v1/offers/{offer}/orders");
            let held = rest.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
            let pay = format!("/v1/orders/{}/pay", id(&held));
            // They do not ask again: the queue sends their payments all the same.
            others.spawn(async move { rest.post_keyed(&pay, &key(), json!({"token": "ok"})).await });
        }
        let waiting = "select count(*) from payments where status = 'creating' and called_at is null";
        until_some("queue", SOON, async || (shop.number(waiting).await >= 6).then_some(())).await;
        ann.press("pay").await;
        ann.sees("payment-place", said).await;
        ann.screenshot(&format!("purchase-queued-{name}")).await;
        ann.until("the order to be paid", &order_is("paid"), Duration::from_secs(30)).await;
        others.join_all().await;
        ann.assert_no_faults(name).await;
        ann.close().await;
    }
    shop.assert_audited().await;
}

#[tokio::test]
async fn two_reservations_become_one_order_and_are_paid_together() {
    let shop = Shop::demo(&[]).await;
    let vase = shop.on_sale(5, json!({"per_buyer": 3})).await;
    let lamp = pinned_offer(&shop, 5, json!({"per_buyer": 3})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &lamp).await;
    ann.reserve().await;
    let rest = shop.rest("Ann", "viewer");
    rest.post_keyed(&format!("/v1/offers/{vase}/orders"), &key(), json!({"qty": 2})).await.expect(201);
    ann.sees("order-together", "1 more").await;
    ann.screenshot("purchase-together-offered").await;
    ann.press("order-together").await;
    let lines = "document.querySelectorAll('[data-test=order-lines] li').length === 2";
    ann.until("both lines", lines, SOON).await;
    ann.sees("pay", "30").await;
    ann.screenshot("purchase-together").await;
    ann.fill_address().await;
    ann.press("pay").await;
    ann.until("the order to be paid", &order_is("paid"), SOON).await;
    ann.wait_for_last_step("paid").await;
    ann.screenshot("purchase-together-paid").await;
    let orders = rest.get("/v1/orders").await.expect(200);
    let items = orders["items"].as_array().unwrap();
    assert_eq!((items.len(), items[0]["lines"].as_array().map(Vec::len)), (1, Some(2)), "{orders:#}");
    assert_eq!((&items[0]["status"], &items[0]["amount"]), (&json!("paid"), &json!(3_000)));
    ann.assert_no_faults("Ann").await;
    ann.close().await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn full_price_is_shown_before_the_tap_and_again_when_it_changes() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let charge = async |settings: Value| {
        admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
    };
    charge(json!({"tax_bp": 1500, "tax_included": true, "delivery_fee": 2_000})).await;
    let offer = pinned_offer(&shop, 5, json!({"per_buyer": 3})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.sees("card-note", "incl. VAT").await;
    ann.sees("card-note", "delivery").await;
    ann.sees("card-note", "20").await;
    ann.screenshot("purchase-price-card").await;
    ann.reserve().await;
    ann.sees("order-quote", "Includes VAT").await;
    ann.sees("order-total", "30").await;
    ann.fill_address().await;
    ann.screenshot("purchase-price-checkout").await;
    charge(json!({"delivery_fee": 2_500})).await;
    ann.press("pay").await;
    ann.sees("pay-error", "price has changed").await;
    ann.sees("order-total", "35").await;
    ann.screenshot("purchase-price-changed").await;
    ann.press("pay").await;
    ann.until("the order to be paid", &order_is("paid"), SOON).await;
    ann.sees("order-total", "35").await;
    ann.screenshot("purchase-price-paid").await;
    assert_eq!(shop.number("select captured from test_intents").await, 3_500);
    // The next order to the same place goes into the same parcel.
    ann.press("order-done").await;
    ann.reserve().await;
    ann.fill_address().await;
    ann.press("pay").await;
    ann.until("the second order to be paid", &order_is("paid"), SOON).await;
    ann.sees("order-quote", "in the parcel").await;
    assert_eq!(shop.number("select sum(captured) from test_intents").await, 3_500 + 1_000);
    ann.assert_no_faults("Ann").await;
    ann.close().await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn hold_that_expires_while_the_sheet_is_open_is_shown_and_can_be_renewed() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, 1, json!({"hold_s": 10})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.reserve().await;
    ann.until("the hold to expire", &order_is("expired"), Duration::from_secs(30)).await;
    ann.wait_for_last_step("expired").await;
    ann.press("order-again").await;
    ann.until("a second hold", &order_is("held"), SOON).await;
    ann.screenshot("purchase-again").await;
    ann.press("order-cancel").await;
    ann.until("the order to be cancelled", &order_is("cancelled"), SOON).await;
    let orders = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200);
    let statuses: Vec<&Value> = orders["items"].as_array().unwrap().iter().map(|order| &order["status"]).collect();
    assert_eq!(statuses, ["cancelled", "expired"]);
    ann.assert_no_faults("Ann").await;
    ann.close().await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn purchase_whose_reply_was_lost_is_found_and_not_repeated() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, 5, json!({"per_buyer": 2})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    // The state after ninety seconds without a reply: the order exists, and the page knows only its idempotency key.
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
    // A screen reader reads the result inside the sheet, because it does not read what is behind a modal dialog.
    let spoken = "document.querySelector('dialog[open] > .spoken').textContent";
    ann.until("a spoken text in the sheet", spoken, SOON).await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn two_devices_of_one_buyer_show_one_order() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, 5, json!({"per_buyer": 1})).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    let laptop = Browser::open(&driver, Window::Desktop, "en").await;
    for browser in [&phone, &laptop] {
        browser.watch(&shop, &shop.server.url, "Ann", &offer).await;
    }
    phone.reserve().await;
    // The other device shows the hold, and a purchase there leads to that order and not to a second one.
    laptop.find(&format!("{}:not([hidden])", named("held-chip"))).await;
    laptop.press("card-buy").await;
    laptop.until("the refusal", &order_is("buyer_limit"), SOON).await;
    laptop.press("order-mine").await;
    laptop.until("the hold", &order_is("held"), SOON).await;
    laptop.screenshot("purchase-two-tabs").await;
    laptop.fill_address().await;
    laptop.press("pay").await;
    for browser in [&laptop, &phone] {
        browser.until("the order to be paid", &order_is("paid"), SOON).await;
    }
    phone.screenshot("purchase-paid-elsewhere").await;
    let orders = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200);
    assert_eq!(orders["items"].as_array().map(Vec::len), Some(1), "{orders:#}");
    for browser in [phone, laptop] {
        browser.assert_no_faults("Ann").await;
        browser.close().await;
    }
}

#[tokio::test]
async fn open_product_sheet_shows_sold_out_and_alerts_when_stock_returns() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, 1, json!({})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.click(".card-face").await;
    ann.sees("product-buy", "Reserve and pay").await;
    let path = format!("/v1/offers/{offer}/orders");
    let taken = shop.rest("Bob", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
    ann.sees("product-buy", "Notify me").await;
    ann.press("product-buy").await;
    ann.sees("product-left", "1 person waiting").await;
    let pressed = "return document.querySelector('[data-test=product-buy]').getAttribute('aria-pressed')";
    assert_eq!(ann.script(pressed, &[]).await, json!("true"));
    ann.screenshot("purchase-stock-alert").await;
    let cancel = format!("/v1/orders/{}/cancel", id(&taken));
    shop.rest("Bob", "viewer").post_keyed(&cancel, &key(), json!({})).await.expect(200);
    ann.sees("toast-alert", "Back in stock").await;
    ann.screenshot("purchase-back").await;
    ann.press("product-buy").await;
    ann.until("the hold", &order_is("held"), SOON).await;
    // A purchase removes the stock alert of its buyer.
    let stock_alerts =
        async || shop.rest("Ann", "viewer").get(&shop.path("stock-alerts")).await.expect(200)["items"].clone();
    let deadline = tokio::time::Instant::now() + SOON;
    while stock_alerts().await != json!([]) {
        assert!(tokio::time::Instant::now() < deadline, "the stock alert is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn network_loss_in_the_checkout_pays_exactly_once() {
    let shop = Shop::demo(&[]).await;
    let proxy = Proxy::start(shop.server.address()).await;
    let offer = pinned_offer(&shop, 5, json!({})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &proxy.url(), "Ann", &offer).await;
    ann.reserve().await;
    ann.fill_address().await;
    // The payment is captured, and its reply is lost.
    ann.choose("payment-slow").await;
    ann.press("pay").await;
    let order = shop.rest("Ann", "viewer").get("/v1/orders").await.expect(200)["items"][0].clone();
    let payments = format!("select count(*) from payments where order_id = x'{}'", id(&order).replace('-', ""));
    let payments: &'static str = Box::leak(payments.into_boxed_str());
    let deadline = tokio::time::Instant::now() + SOON;
    while shop.number(payments).await == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no payment was started");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.cut();
    ann.until(
        "the connection bar to report the loss",
        "document.querySelector('[data-test=conn]').dataset.status !== 'live'",
        SOON,
    )
    .await;
    ann.screenshot("purchase-cut").await;
    let deadline = tokio::time::Instant::now() + SOON;
    while shop.number("select count(*) from orders where status = 'paid'").await == 0 {
        assert!(tokio::time::Instant::now() < deadline, "the order was not paid");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxy.restore();
    ann.until("the order to be paid", &order_is("paid"), Duration::from_secs(45)).await;
    ann.screenshot("purchase-after-cut").await;
    assert_eq!(shop.number(payments).await, 1, "one payment, however often it was requested");
    shop.assert_audited().await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn back_to_the_show_closes_the_product_list_too() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let offer = shop.watch().await.hello["state"]["pin"]["offer"].as_str().unwrap().to_owned();
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.press("product-list-open").await;
    ann.press(&format!("buy-{offer}")).await;
    ann.until("the hold", &order_is("held"), SOON).await;
    ann.press("order-cancel").await;
    ann.until("the order to be cancelled", &order_is("cancelled"), SOON).await;
    ann.press("order-done").await;
    let free = "!document.querySelector('dialog[open]') && !document.querySelector('#product-list').classList.contains('open')";
    ann.until("nothing over the show", free, SOON).await;
    ann.close().await;
}
