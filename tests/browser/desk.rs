//! The seller's desk: an evening from the first paid order to the parcels, on a desktop, on a phone and in Arabic.

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::person::named;

const ROWS: &str = "document.querySelectorAll('.desk-row').length";

/// A buyer with an address who paid.
pub async fn paid_order(shop: &Shop, offer: &str, buyer: &str) -> String {
    let buyer = shop.rest(buyer, "viewer");
    let order =
        id(&buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201));
    let home = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA"});
    buyer.put(&format!("/v1/orders/{order}/address"), home).await.expect(200);
    buyer.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    order
}

pub async fn open_desk(browser: &Browser, shop: &Shop, language: &str) {
    let token = shop.token("Noura", "host");
    browser.goto(&format!("{}/admin?lang={language}#token={token}", shop.server.url)).await;
    browser.until("the orders", &format!("{ROWS} > 0"), SOON).await;
}

#[tokio::test]
async fn evening_desk_on_a_desktop() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({})).await;
    let mut orders = Vec::new();
    for buyer in ["Ann", "Ben", "Cem"] {
        orders.push(paid_order(&shop, &offer, buyer).await);
    }
    shop.rest("Dan", "viewer")
        .post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1}))
        .await
        .expect(201);
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open_desk(&host, &shop, "en").await;
    host.until("all four orders", &format!("{ROWS} === 4"), SOON).await;
    host.screenshot("desk-list").await;
    assert_eq!(host.faults(Window::Desktop, true).await, Vec::<String>::new());

    host.press("view-to_pack").await;
    host.until("the paid orders", &format!("{ROWS} === 3"), SOON).await;
    for order in &orders[..2] {
        host.click(&named(&format!("select-{order}"))).await;
    }
    host.sees("bulk-count", "2 orders selected").await;
    host.screenshot("desk-selection").await;
    host.press("bulk-packed").await;
    host.sees("toast", "2 orders packed").await;
    for order in &orders[..2] {
        let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
        assert_eq!(detail["fulfilment_status"], "packed");
    }
    host.press("bulk-undo").await;
    host.until(
        "the steps to be undone",
        "document.querySelectorAll('.desk-row .status.unfulfilled').length === 3",
        SOON,
    )
    .await;

    let order = &orders[0];
    host.press(&format!("order-{order}")).await;
    host.sees("order", "12 King Fahd Rd").await;
    host.fill(&named("order-carrier"), "Aramex").await;
    host.fill(&named("order-tracking"), "A-1").await;
    host.press("do-sent").await;
    host.sees("order", "Undo").await;
    // A note that is typed stays over a repaint, and closing the sheet asks before it is lost.
    host.fill(&named("order-note"), "Call before you send it.").await;
    host.fill(&named("order-tag"), "gift").await;
    host.press("add-tag").await;
    host.until("the tag", "document.querySelector('.order-sheet .tag')?.textContent.includes('gift')", SOON).await;
    host.press("order-close").await;
    host.press("confirm-no").await;
    host.press("add-note").await;
    host.sees("order-notes", "Call before").await;
    host.screenshot("desk-order").await;
    assert_eq!(host.faults(Window::Desktop, false).await, Vec::<String>::new());
    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    assert_eq!(
        (&detail["fulfilment"]["carrier"], &detail["fulfilment"]["tracking"], &detail["tags"]),
        (&json!("Aramex"), &json!("A-1"), &json!(["gift"]))
    );

    host.script("window.print = () => { window.isPrinted = document.getElementById('slip').textContent; }", &[]).await;
    host.press("print-slip").await;
    let slip = host.script("return window.isPrinted", &[]).await;
    assert!(slip.as_str().is_some_and(|text| text.contains("12 King Fahd Rd")), "{slip}");
    host.press("order-refund").await;
    host.press("confirm-yes").await;
    host.until("the refund", "!document.querySelector('[data-test=order-refund]')", SOON).await;
    assert_eq!(shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200)["status"], json!("refunded"));
    host.press("order-close").await;

    host.press("view-all").await;
    host.until("all four orders", &format!("{ROWS} === 4"), SOON).await;
    host.fill(&named("desk-search"), "ben").await;
    host.until("one order", &format!("{ROWS} === 1"), SOON).await;
    host.fill(&named("desk-search"), "nobody of this name").await;
    host.sees("desk-empty", "No order matches").await;
    host.reload().await;
    host.sees("desk-empty", "No order matches").await;
    host.assert_no_faults("the host").await;
}

#[tokio::test]
async fn evening_desk_on_a_phone_and_in_arabic() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({})).await;
    let order = paid_order(&shop, &offer, "Noura").await;
    let driver = Driver::start();
    for (window, language, name) in first_or_all([
        (Window::Mobile, "ar", "phone-ar"),
        (Window::Mobile, "en", "phone"),
        (Window::Desktop, "ar", "desktop-ar"),
    ]) {
        let host = Browser::open(&driver, window, language).await;
        open_desk(&host, &shop, language).await;
        host.screenshot(&format!("desk-list-{name}")).await;
        assert_eq!(host.faults(window, true).await, Vec::<String>::new(), "{name}: the list");
        host.press(&format!("order-{order}")).await;
        host.sees("order", "12 King Fahd Rd").await;
        host.screenshot(&format!("desk-order-{name}")).await;
        assert_eq!(host.faults(window, false).await, Vec::<String>::new(), "{name}: the order");
        host.close().await;
    }
}

#[tokio::test]
async fn evening_desk_is_closed_to_viewers() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/admin?lang=en#token={token}", shop.server.url)).await;
    ann.until("the reason", "document.getElementById('problem').textContent.includes('Only hosts')", SOON).await;
    assert_eq!(ann.script("return document.querySelectorAll('.desk-row').length", &[]).await, Value::from(0));
}
