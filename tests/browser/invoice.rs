//! Invoices and credit notes as the team, the buyer, and the holder of a link see them, on the screen and on paper.

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::outside::until_some;
use crate::support::person::named;

async fn change(shop: &Shop, settings: Value) {
    let admin = shop.rest("Root", "admin");
    admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
}

/// Two units of an item with a long name, paid by Ann; and the documents, once there are so many.
async fn paid_order(shop: &Shop, offer: &str) -> String {
    let ann = shop.rest("Ann", "viewer");
    let order = id(&ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 2})).await.expect(201));
    let home = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd", "Flat 7"], "city": "Riyadh", "postcode": "12271",
        "country": "SA"});
    ann.put(&format!("/v1/orders/{order}/address"), home).await.expect(200);
    let quote = ann.get(&format!("/v1/orders/{order}")).await.expect(200)["quote"]["version"].clone();
    let pay = json!({"token": "ok", "quote_version": quote});
    ann.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), pay).await.expect(200);
    order
}

async fn documents(shop: &Shop, order: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/orders/{order}/documents");
    until_some("the documents", SOON, async || {
        let found = shop.host.get(&path).await.expect(200)["items"].as_array().unwrap().clone();
        (found.len() == count).then_some(found)
    })
    .await
}

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("invoice-{name}")).await;
    assert_eq!(browser.faults(window, false).await, Vec::<String>::new(), "{name}");
}

/// The address of the link with this name.
async fn address_of(browser: &Browser, link: &str) -> String {
    browser.find(&named(link)).await;
    let href = browser.script("return document.querySelector(arguments[0]).href", &[json!(named(link))]).await;
    href.as_str().unwrap().to_owned()
}

async fn on_paper(browser: &Browser, name: &str) {
    browser.devtools("Emulation.setEmulatedMedia", json!({"media": "print"})).await;
    browser.screenshot(&format!("invoice-{name}-print")).await;
    let is_hidden = "getComputedStyle(document.querySelector('.invoice-tools')).display === 'none'";
    browser.until("the buttons to be gone on paper", is_hidden, SOON).await;
    browser.devtools("Emulation.setEmulatedMedia", json!({"media": ""})).await;
}

#[tokio::test]
async fn invoice_is_opened_from_the_desk_and_by_its_buyer() {
    let shop = Shop::demo(&[]).await;
    change(&shop, json!({"tax_bp": 1500, "tax_included": true, "delivery_fee": 2000, "country": "SA", "time_zone": "Asia/Riyadh", "language": "en"}))
        .await;
    let driver = Driver::start();

    // The seller is typed in the settings.
    let admin = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Root", "admin");
    admin.goto(&format!("{}/admin?section=settings&lang=en#token={token}", shop.server.url)).await;
    admin.fill(&named("shop-legal-name"), "Souk Trading LLC").await;
    admin.fill(&named("shop-legal-address"), "1 Olaya Street\nRiyadh 12211").await;
    admin.fill(&named("shop-vat-number"), "300000000000003").await;
    admin.press("settings-save").await;
    admin.find(&named("settings-saved")).await;
    draw(&admin, Window::Desktop, "settings").await;
    admin.close().await;

    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let order = paid_order(&shop, &offer).await;
    documents(&shop, &order, 1).await;
    let refund = json!({"lines": [{"reservation": order, "quantity": 1}], "restock": true});
    shop.host.post_keyed(&format!("/v1/orders/{order}/refunds"), &key(), refund).await.expect(200);
    documents(&shop, &order, 2).await;

    let host = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/admin?lang=en#token={token}", shop.server.url)).await;
    host.press(&format!("order-{order}")).await;
    host.find(&named("documents")).await;
    draw(&host, Window::Desktop, "desk").await;
    let (invoice, note) =
        (address_of(&host, "document-invoice").await, address_of(&host, "document-credit_note").await);
    host.goto(&invoice).await;
    host.sees("paper-vat", "300000000000003").await;
    host.sees("paper-buyer", "Ann Example").await;
    host.sees("paper-taxes", "15%").await;
    draw(&host, Window::Desktop, "desktop").await;
    on_paper(&host, "desktop").await;
    host.script("window.print = () => { window.isPrinted = true; }", &[]).await;
    host.press("invoice-print").await;
    host.until("the print dialog", "window.isPrinted === true", SOON).await;
    host.goto(&note).await;
    host.sees("paper-facts", "INV-").await;
    draw(&host, Window::Desktop, "credit-note").await;
    host.close().await;

    // The buyer, on a phone, in a language of their own: the invoice is in that of the shop, and changes nothing for the buyer.
    let ann = Browser::open(&driver, Window::Mobile, "id").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/orders?lang=id#token={token}", shop.server.url)).await;
    ann.press(&format!("order-{order}")).await;
    let invoice = address_of(&ann, "document-invoice").await;
    draw(&ann, Window::Mobile, "buyer").await;
    ann.goto(&invoice).await;
    ann.sees("paper-facts", "INV-").await;
    draw(&ann, Window::Mobile, "phone").await;
    ann.goto(&format!("{}/orders", shop.server.url)).await;
    ann.until("the buyer's own language", "document.documentElement.lang === 'id'", SOON).await;
    ann.goto(&format!("{}/invoice?order={}", shop.server.url, uuid::Uuid::now_v7())).await;
    ann.find(&named("invoice-error")).await;
    ann.close().await;

    // In Arabic, from right to left; and by the link of the order, without the buyer.
    change(&shop, json!({"language": "ar", "titles": {"ar": "سوق الرياض"}})).await;
    let order = paid_order(&shop, &offer).await;
    documents(&shop, &order, 1).await;
    let link = shop.rest("Ann", "viewer").post(&format!("/v1/orders/{order}/link"), json!({})).await.expect(201);
    let secret = link["secret"].as_str().unwrap();
    for (window, name) in first_or_all([(Window::Mobile, "phone-ar"), (Window::Desktop, "desktop-ar")]) {
        let later = Browser::open(&driver, window, "en").await;
        later.goto(&format!("{}/orders?lang=en#order={secret}", shop.server.url)).await;
        let invoice = address_of(&later, "document-invoice").await;
        later.goto(&invoice).await;
        later.sees("paper-facts", "INV-").await;
        later.until("right to left", "document.documentElement.dir === 'rtl'", SOON).await;
        assert_eq!(later.count(&named("paper-buyer")).await, 0, "a link may be read by others");
        draw(&later, window, name).await;
        on_paper(&later, name).await;
        later.close().await;
    }
}
