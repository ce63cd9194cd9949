//! Customers at the seller's desk: found, noted about, blocked, and erased with words of what stays.

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::person::named;

async fn paid_order(shop: &Shop, offer: &str, buyer: &str) {
    let rest = shop.rest(buyer, "viewer");
    let bought = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    rest.post_keyed(&format!("/v1/orders/{}/pay", id(&bought)), &key(), json!({"token": "ok"})).await.expect(200);
}

async fn open(browser: &Browser, shop: &Shop, language: &str) {
    let token = shop.token("Noura", "admin");
    browser.goto(&format!("{}/admin?lang={language}&section=customers#token={token}", shop.server.url)).await;
}

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.faults(window, false).await, Vec::<String>::new(), "{name}");
}

#[tokio::test]
async fn evening_customer_is_found_blocked_and_erased() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({"price": 14_900, "per_buyer": 10})).await;
    for buyer in ["Ann", "Ann", "Ben", "Cem"] {
        paid_order(&shop, &offer, buyer).await;
    }
    let there = async || {
        let page = shop.host.get("/v1/shop/customers").await.expect(200);
        (page["items"].as_array().map(Vec::len) == Some(3)).then_some(())
    };
    crate::support::outside::until_some("the customers", SOON, there).await;
    let driver = Driver::start();
    let admin = Browser::open(&driver, Window::Desktop, "en").await;
    open(&admin, &shop, "en").await;
    admin.until("the customers", "document.querySelectorAll('[data-customer]').length === 3", SOON).await;
    looks_good(&admin, Window::Desktop, "customers-desktop").await;
    admin.fill(&named("customer-search"), "ANN").await;
    admin.until("the one found", "document.querySelectorAll('[data-customer]').length === 1", SOON).await;
    admin.press("customer-Ann").await;
    admin.sees("customer-sums", "2").await;
    admin.until("the orders", "document.querySelectorAll('[data-test=customer-orders] li').length === 2", SOON).await;
    admin.fill(&named("customer-note"), "Likes red lamps").await;
    admin.press("customer-note-add").await;
    admin.sees("customer-notes", "Likes red lamps").await;
    looks_good(&admin, Window::Desktop, "customer-desktop").await;
    admin.press("customer-block").await;
    admin.fill(&named("block-reason"), "Sends everything back").await;
    looks_good(&admin, Window::Desktop, "customer-block-desktop").await;
    admin.press("confirm-yes").await;
    admin.find(&named("customer-is-blocked")).await;
    let said = shop.rest("Ann", "viewer").post(&shop.path("messages"), json!({"text": "hello"})).await;
    said.expect_problem(403, "banned");

    admin.resize(Window::Mobile).await;
    open(&admin, &shop, "ar").await;
    admin.until("the customers", "document.querySelectorAll('[data-customer]').length === 3", SOON).await;
    looks_good(&admin, Window::Mobile, "customers-ar-mobile").await;
    admin.press("customer-Ann").await;
    admin.find(&named("customer-unblock")).await;
    looks_good(&admin, Window::Mobile, "customer-ar-mobile").await;
    admin.press("customer-unblock").await;
    admin.find(&named("customer-block")).await;
    admin.press("customer-erase").await;
    admin.press("confirm-yes").await;
    admin.find(&named("customer-kept")).await;
    looks_good(&admin, Window::Mobile, "customer-erased-ar-mobile").await;
    let detail = shop.host.get("/v1/shop/customers/Ann").await.expect(200);
    assert_eq!((&detail["customer"]["name"], &detail["notes"]), (&json!(""), &json!([])));
    admin.close().await;
}
