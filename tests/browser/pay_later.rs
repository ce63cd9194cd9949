//! A host wants one offer paid at once, in a shop that takes cash on delivery and transfers; the checkout says what that means for an order.

use reqwest::Method;
use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, key};
use crate::support::outside::until_some;
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

/// The host changes the choice of an offer by its menu in the line-up.
async fn change(host: &Browser, offer: &str, value: &str) {
    host.press(&format!("more-{offer}")).await;
    host.press(&format!("pay_later-{offer}")).await;
    host.find(&named("pay-later-choice")).await;
    select(host, "pay-later-choice", value).await;
}

async fn save(host: &Browser) {
    host.press("pay-later-submit").await;
    host.until("the dialog to close", "!document.querySelector('[data-test=pay-later-choice]')", SOON).await;
}

#[tokio::test]
async fn evening_host_changes_an_offer_on_sale_and_open_checkouts_follow() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let both = json!({"cash_on_delivery": true, "bank_transfer": true, "bank_details": "IBAN SA03 8000"});
    let settings = json!({ "manual_payments": both });
    shop.rest("Root", "admin").send(Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
    for (window, language, name) in first_or_all([
        (Window::Mobile, "en", "phone"),
        (Window::Desktop, "ar", "desktop-ar"),
        (Window::Mobile, "id", "phone-id"),
        (Window::Desktop, "en", "desktop"),
    ]) {
        let offer = shop.on_sale(9, json!({})).await;
        shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
        let buyer = Browser::open(&driver, window, language).await;
        let token = shop.token(&format!("buyer-{name}"), "viewer");
        buyer.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
        buyer.wait_until_live().await;
        buyer.watch_pinned(&offer).await;
        buyer.reserve().await;
        let cash = named("payment-cash_on_delivery");
        buyer.find(&cash).await;
        buyer.fill(&named("address-name"), "Ann Example").await;

        let host = Browser::open(&driver, window, language).await;
        let token = shop.token("Noura", "host");
        host.goto(&format!("{}/host?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
        host.wait_until_live().await;
        host.find(&named(&format!("row-{offer}"))).await;
        change(&host, &offer, "no").await;
        draw(&host, window, &format!("change-{name}")).await;
        zoomed(&host, window, "pay-later-choice", &format!("change-{name}")).await;
        save(&host).await;
        // The dialog closes before the answer is there.
        until_some("the choice", SOON, async || (shop.offer(&offer).await["pay_later"] == false).then_some(())).await;
        host.press(&format!("more-{offer}")).await;
        host.settle().await;
        host.screenshot(&format!("pay-later-changed-row-{name}")).await;
        // The buyer has done nothing, and reads why; what was typed stays.
        buyer.find(&named("paid-at-once")).await;
        let gone = format!("!document.querySelector({})", json!(cash));
        buyer.until("the way to pay to go", &gone, SOON).await;
        let typed = "return document.querySelector('[data-test=address-name]').value";
        assert_eq!(buyer.script(typed, &[]).await, json!("Ann Example"));
        let show = "document.querySelector('[data-test=paid-at-once]').scrollIntoView({ block: 'center' })";
        buyer.script(show, &[]).await;
        draw(&buyer, window, &format!("followed-{name}")).await;

        host.script("document.querySelector(':popover-open')?.hidePopover()", &[]).await;
        change(&host, &offer, "").await;
        save(&host).await;
        buyer.find(&cash).await;
        buyer.fill_address().await;
        buyer.choose("payment-cash_on_delivery").await;
        buyer.press("pay").await;
        buyer.until("the order to be placed", &order_is("placed"), SOON).await;
        host.assert_no_faults(name).await;
        buyer.assert_no_faults(name).await;
        buyer.close().await;
        host.close().await;
    }
}

#[tokio::test]
async fn quick_item_is_paid_at_once_as_the_last_one_was() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let open = async |language: &str| {
        let host = Browser::open(&driver, Window::Mobile, language).await;
        let token = shop.token("Noura", "host");
        host.goto(&format!("{}/host?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
        host.wait_until_live().await;
        host.press("thumb-quick").await;
        host.find(&named("quick-price")).await;
        host
    };
    let state = "const box = document.querySelector('[data-test=quick-pay-later]'); return [box.checkVisibility(), box.checked]";
    let host = open("en").await;
    assert_eq!(host.script(state, &[]).await, json!([false, true]), "the shop takes no such payments");
    host.close().await;
    let settings = json!({ "manual_payments": {"cash_on_delivery": true} });
    shop.rest("Root", "admin").send(Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
    for (language, name) in first_or_all([("en", "en"), ("ar", "ar"), ("id", "id")]) {
        let host = open(language).await;
        assert_eq!(host.script(state, &[]).await, json!([true, true]));
        let sell = async |price: &str, at_once: bool| {
            host.fill(&named("quick-price"), price).await;
            draw(&host, Window::Mobile, &format!("quick-{name}-{at_once}")).await;
            host.press("quick-sell").await;
            host.until("the sheet to close", "!document.querySelector('[data-test=quick-price]')", SOON).await;
            let offers = shop.host.get(&shop.path("offers")).await.expect(200);
            let newest =
                offers["items"].as_array().unwrap().iter().max_by_key(|it| it["id"].as_str().unwrap().to_owned());
            let newest = newest.unwrap();
            assert_eq!(newest.get("pay_later"), at_once.then_some(&json!(false)), "{newest}");
        };
        sell("25", false).await;
        host.press("thumb-quick").await;
        host.find(&named("quick-price")).await;
        host.choose("quick-pay-later").await;
        sell("26", true).await;
        // The next one begins as the last one was, also after the page was opened again.
        host.script("location.reload()", &[]).await;
        host.wait_until_live().await;
        host.press("thumb-quick").await;
        host.find(&named("quick-price")).await;
        assert_eq!(host.script(state, &[]).await, json!([true, false]));
        host.assert_no_faults(name).await;
        host.close().await;
    }
}
