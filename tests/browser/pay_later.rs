//! A host wants one offer paid at once, in a shop that takes cash on delivery and transfers; the checkout says what that means for an order.

use reqwest::Method;
use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, key};
use crate::support::person::{named, order_is};

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("pay-later-{name}")).await;
    let faults: Vec<String> = browser.faults(window, false).await;
    let faults: Vec<String> = faults.into_iter().filter(|line| !line.contains("> .text[dir=\"auto\"]")).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

/// The same at 200 % of a window of 1440 pixels.
async fn zoomed(browser: &Browser, window: Window, centre: &str, name: &str) {
    if window == Window::Desktop {
        browser.resize_to(720, 450, false).await;
        let show = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })";
        browser.script(show, &[json!(named(centre))]).await;
        draw(browser, window, &format!("{name}-zoomed")).await;
        browser.resize_to(1440, 900, false).await;
    }
}

async fn select(browser: &Browser, name: &str, value: &str) {
    let choose = "const node = document.querySelector(arguments[0]); node.value = arguments[1];
        node.dispatchEvent(new Event('change', { bubbles: true })); node.scrollIntoView({ block: 'center' })";
    browser.script(choose, &[json!(named(name)), json!(value)]).await;
}

/// The values that the host can choose from.
const CHOICES: &str =
    "return [...document.querySelectorAll('[data-test=offer-pay-later] option')].map((it) => it.value)";

async fn offer_form(driver: &Driver, shop: &Shop, window: Window, language: &str) -> Browser {
    let host = Browser::open(driver, window, language).await;
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/host?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
    host.wait_until_live().await;
    host.press("add-offer").await;
    host.click("[data-test^=\"variant-\"]").await;
    host.find(&named("offer-form")).await;
    host
}

#[tokio::test]
async fn evening_host_wants_one_offer_paid_at_once_and_the_checkout_says_so() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    // A shop without such payments has no such choice.
    let host = offer_form(&driver, &shop, Window::Desktop, "en").await;
    let is_shown = "return document.querySelector('[data-test=offer-pay-later]').checkVisibility()";
    assert_eq!(host.script(is_shown, &[]).await, json!(false));
    host.close().await;

    let both = json!({"cash_on_delivery": true, "bank_transfer": true, "bank_details": "IBAN SA03 8000"});
    let settings = json!({ "manual_payments": both });
    shop.rest("Root", "admin").send(Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
    for (window, language, name) in first_or_all([
        (Window::Desktop, "en", "desktop"),
        (Window::Mobile, "ar", "phone-ar"),
        (Window::Desktop, "id", "desktop-id"),
    ]) {
        let host = offer_form(&driver, &shop, window, language).await;
        assert_eq!(host.script(CHOICES, &[]).await, json!(["", "no"]));
        host.choose("offer-kind-flash").await;
        assert_eq!(host.script(CHOICES, &[]).await, json!(["", "yes", "no"]));
        select(&host, "offer-pay-later", "yes").await;
        draw(&host, window, &format!("form-flash-{name}")).await;
        // What a regular offer is without a word is no choice of its own there.
        host.choose("offer-kind-regular").await;
        let chosen = "return document.querySelector('[data-test=offer-pay-later]').value";
        assert_eq!(host.script(chosen, &[]).await, json!(""));
        select(&host, "offer-pay-later", "no").await;
        draw(&host, window, &format!("form-{name}")).await;
        zoomed(&host, window, "offer-pay-later", &format!("form-{name}")).await;
        host.fill(&named("offer-quantity"), "7").await;
        host.press("offer-start").await;
        host.until("the form to close", "!document.querySelector('[data-test=offer-form]')", SOON).await;
        let offers = shop.host.get(&shop.path("offers")).await.expect(200);
        let is_new = |offer: &&Value| offer["quantity"] == 7 && offer["pay_later"] == false && offer["left"] == 7;
        let new = offers["items"].as_array().unwrap().iter().find(is_new);
        let at_once =
            new.unwrap_or_else(|| panic!("the new offer is not in {offers}"))["id"].as_str().unwrap().to_owned();
        host.press(&format!("more-{at_once}")).await;
        host.settle().await;
        host.screenshot(&format!("pay-later-row-{name}")).await;
        host.close().await;

        // A bag of two: one can be paid later, and the other cannot.
        let usual = shop.on_sale(9, json!({})).await;
        shop.host.put(&shop.path("pin"), json!({ "offer": usual })).await.expect(200);
        let buyer = Browser::open(&driver, window, language).await;
        let who = format!("buyer-{name}");
        let token = shop.token(&who, "viewer");
        buyer.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
        buyer.wait_until_live().await;
        buyer.watch_pinned(&usual).await;
        buyer.reserve().await;
        buyer.find(&named("payment-cash_on_delivery")).await;
        assert_eq!(buyer.script("return document.querySelector('[data-test=paid-at-once]')", &[]).await, Value::Null);
        let rest = shop.rest(&who, "viewer");
        rest.post_keyed(&format!("/v1/offers/{at_once}/orders"), &key(), json!({"qty": 1})).await.expect(201);
        buyer.press("order-together").await;
        buyer.find(&named("paid-at-once")).await;
        let cash = "!document.querySelector('[data-test=payment-cash_on_delivery]')";
        buyer.until("the way to pay to go", cash, SOON).await;
        buyer
            .script("document.querySelector('[data-test=paid-at-once]').scrollIntoView({ block: 'center' })", &[])
            .await;
        draw(&buyer, window, &format!("bag-{name}")).await;
        zoomed(&buyer, window, "paid-at-once", &format!("bag-{name}")).await;
        buyer.fill_address().await;
        buyer.press("pay").await;
        buyer.until("the order to be paid", &order_is("paid"), SOON).await;
        buyer.assert_no_faults(name).await;
        buyer.close().await;
    }
}
