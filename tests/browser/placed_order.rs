//! A buyer places orders that are paid later, by transfer and in cash, and the shop settles them at the desk.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::{named, order_is};

/// Looks at a page for everything that is wrong on it, and draws it.
async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("placed-order-{name}")).await;
    let faults: Vec<String> = browser.faults(window, false).await;
    let faults: Vec<String> = faults.into_iter().filter(|line| !line.contains("> .text[dir=\"auto\"]")).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

async fn buyer(driver: &Driver, shop: &Shop, window: Window, language: &str, name: &str, offer: &str) -> Browser {
    let buyer = Browser::open(driver, window, language).await;
    // The user of the shop's own site: it knows its buyers.
    let token = shop.token(name, "viewer");
    buyer.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
    buyer.wait_until_live().await;
    buyer.watch_pinned(offer).await;
    buyer.press("card-buy").await;
    buyer.until("the hold", &order_is("held"), SOON).await;
    buyer.find(&named("payment-bank_transfer")).await;
    buyer
}

#[tokio::test]
async fn evening_buyer_places_orders_and_the_shop_settles_them() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();

    // The owner turns both on; a transfer needs the account first.
    let desk = Browser::open(&driver, Window::Desktop, "en").await;
    let admin = shop.token("Root", "admin");
    desk.goto(&format!("{}/admin?section=settings&lang=en#token={admin}", shop.server.url)).await;
    desk.find(&named("manual-form")).await;
    desk.choose("manual-cash").await;
    desk.choose("manual-transfer").await;
    desk.press("manual-save").await;
    desk.sees("error-manual-bank-details", "Say where buyers pay to").await;
    desk.fill(&named("manual-bank-details"), "Souk Bank, Riyadh\nIBAN SA03 8000 0000 6080 1016 7519\nNoura Trading")
        .await;
    desk.fill(&named("manual-transfer-days"), "0").await;
    desk.press("manual-save").await;
    desk.sees("error-manual-transfer-days", "whole number").await;
    desk.fill(&named("manual-transfer-days"), "5").await;
    desk.press("manual-save").await;
    desk.find(&named("manual-saved")).await;
    draw(&desk, Window::Desktop, "settings").await;

    let offer = shop.on_sale(9, json!({"per_buyer": 3})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let mut orders = Vec::new();
    for (window, language, method, name) in [
        (Window::Mobile, "en", "bank_transfer", "phone"),
        (Window::Desktop, "en", "cash_on_delivery", "desktop"),
        (Window::Mobile, "ar", "bank_transfer", "phone-ar"),
    ] {
        let buyer = buyer(&driver, &shop, window, language, &format!("buyer-{name}"), &offer).await;
        buyer.fill_address().await;
        buyer.choose(&format!("payment-{method}")).await;
        draw(&buyer, window, &format!("choice-{name}")).await;
        buyer.press("pay").await;
        buyer.until("the order to be placed", &order_is("placed"), SOON).await;
        buyer.wait_for_last_step("placed").await;
        if method == "bank_transfer" {
            buyer.sees("bank-details", "IBAN SA03").await;
            buyer.sees("placed-reference", "#").await;
        }
        draw(&buyer, window, &format!("placed-{name}")).await;
        buyer.assert_no_faults(name).await;
        orders.push((name, buyer));
    }
    shop.until_left(&offer, 6).await;

    // The desk lists them; one is paid, one cancelled.
    let listed = shop.host.get("/v1/shop/orders?status=placed").await.expect(200);
    let of = |name: &str| {
        let mut all = listed["items"].as_array().unwrap().iter();
        let is_theirs = |order: &&Value| order["buyer"] == format!("buyer-{name}");
        all.find(is_theirs).unwrap()["id"].as_str().unwrap().to_owned()
    };
    desk.goto(&format!("{}/admin?section=orders&view=placed&lang=en", shop.server.url)).await;
    for (name, button, status) in
        [("phone", "order-mark-paid", "paid"), ("desktop", "order-cancel-placed", "cancelled")]
    {
        desk.press(&format!("order-{}", of(name))).await;
        desk.sees("placed-due", "due by").await;
        draw(&desk, Window::Desktop, &format!("desk-{status}-before")).await;
        desk.press(button).await;
        desk.find(&named("confirm-yes")).await;
        draw(&desk, Window::Desktop, &format!("desk-{status}-question")).await;
        desk.press("confirm-yes").await;
        desk.until("the step", &format!("document.querySelector('.history-list [data-step^={status}]')"), SOON).await;
        draw(&desk, Window::Desktop, &format!("desk-{status}")).await;
        desk.press("order-close").await;
        let buyer = &orders.iter().find(|(known, _)| *known == name).unwrap().1;
        buyer.until("the news", &order_is(status), SOON).await;
    }
    shop.until_left(&offer, 7).await;
    desk.assert_no_faults("the desk").await;
    for (_, buyer) in orders {
        buyer.close().await;
    }
    desk.close().await;
}
