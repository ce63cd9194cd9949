//! E-mails and parcels at the seller's desk: what was sent, what failed and why, one parcel for several orders, and pages for paper.

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::mail_server::{MailMode, MailServer};
use crate::support::outside::shop::{Shop, id, key};
use crate::support::person::named;

/// A paid order of one unit by this buyer.
async fn paid_order(shop: &Shop, offer: &str, buyer: &str) -> String {
    let rest = shop.rest(buyer, "viewer");
    let bought = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let order = id(&bought);
    let home = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA",
        "email": format!("{}@example.com", buyer.to_lowercase()), "language": "ar"});
    rest.put(&format!("/v1/orders/{order}/address"), home).await.expect(200);
    rest.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    order
}

async fn open(browser: &Browser, shop: &Shop, language: &str, section: &str) {
    let token = shop.token("Noura", "host");
    browser.goto(&format!("{}/admin?lang={language}&section={section}#token={token}", shop.server.url)).await;
}

async fn shop_with(server: &MailServer) -> Shop {
    let settings = server.settings();
    Shop::demo(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn evening_failed_mail_is_seen_and_sent_again() {
    let server = MailServer::start(MailMode::Refuse).await;
    let shop = shop_with(&server).await;
    let offer = shop.on_sale(20, json!({})).await;
    paid_order(&shop, &offer, "Ann").await;
    let driver = Driver::start();
    let failed = "document.querySelectorAll('.mail-row .status.failed').length === 1";
    for (window, language, name) in first_or_all([
        (Window::Mobile, "ar", "phone-ar"),
        (Window::Desktop, "en", "desktop"),
        (Window::Mobile, "en", "phone"),
    ]) {
        let host = Browser::open(&driver, window, language).await;
        crate::support::outside::until_some("failed mail", SOON, async || {
            open(&host, &shop, language, "mails").await;
            host.until("the mails", "document.querySelectorAll('.mail-row').length > 0", SOON).await;
            (host.script(&format!("return {failed}"), &[]).await == Value::Bool(true)).then_some(())
        })
        .await;
        host.sees("mail-list", "550").await;
        host.screenshot(&format!("desk-mails-{name}")).await;
        assert_eq!(host.faults(window, true).await, Vec::<String>::new(), "{name}");
        host.close().await;
    }
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "en", "mails").await;
    host.until("the failed mail", failed, SOON).await;
    server.set(MailMode::Accept);
    host.click("[data-test^=mail-again-]").await;
    host.sees("toast", "sent again").await;
    server.until_mails(1).await;
    host.press("mail-view-failed").await;
    host.sees("mail-empty", "no e-mails with this status").await;
    host.press("mail-view-sent").await;
    host.until("the sent mail", "document.querySelectorAll('.mail-row .status.sent').length === 1", SOON).await;
    host.assert_no_faults("the host").await;
}

#[tokio::test]
async fn evening_orders_of_a_buyer_are_sent_as_one_parcel() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server).await;
    let offer = shop.on_sale(20, json!({"per_buyer": 10})).await;
    let mut orders = Vec::new();
    for buyer in ["Ann", "Ann", "Ann", "Ben"] {
        orders.push(paid_order(&shop, &offer, buyer).await);
    }
    server.until_mails(4).await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "en", "orders").await;
    host.until("the orders", "document.querySelectorAll('.desk-row').length === 4", SOON).await;
    assert_eq!(host.faults(Window::Desktop, true).await, Vec::<String>::new(), "the list");
    host.press("desk-grouped").await;
    host.until("two groups", "document.querySelectorAll('.group').length === 2", SOON).await;
    host.screenshot("desk-grouped").await;
    assert_eq!(host.faults(Window::Desktop, false).await, Vec::<String>::new(), "the groups");

    // From the sheet of an order, with one of the others left out.
    host.press(&format!("order-{}", orders[0])).await;
    host.sees("parcel", "2 more orders").await;
    host.press(&format!("with-{}", orders[2])).await;
    host.fill(&named("order-carrier"), "Aramex").await;
    host.fill(&named("order-tracking"), "A-1").await;
    host.screenshot("desk-parcel").await;
    assert_eq!(host.faults(Window::Desktop, false).await, Vec::<String>::new(), "the parcel");
    host.press("send-parcel").await;
    host.until("the step", "!!document.querySelector('[data-test=undo-sent]')", SOON).await;
    let mails = server.until_mails(5).await;
    let text = mails[4]["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains(&orders[0]) && text.contains(&orders[1]) && !text.contains(&orders[2]), "{text}");
    for (order, is_sent) in [(&orders[0], true), (&orders[1], true), (&orders[2], false)] {
        let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
        assert_eq!(detail["fulfilment"]["tracking"] == "A-1", is_sent, "{detail:#}");
    }

    // The order confirmation and the pick lists on paper.
    host.script("window.print = () => { window.isPrinted = document.getElementById('slip').textContent; }", &[]).await;
    host.press("print-confirmation").await;
    let page = host.script("return window.isPrinted", &[]).await;
    let page = page.as_str().unwrap_or_default();
    assert!(page.contains("Order confirmation") && page.contains("12 King Fahd Rd") && page.contains("10"), "{page}");
    host.press("order-close").await;
    host.press("desk-pick-list").await;
    host.press("pick-item").await;
    let page = host.script("return window.isPrinted", &[]).await;
    assert!(page.as_str().is_some_and(|page| page.contains("2 orders") && page.contains("Lamp")), "{page}");
    host.press("desk-pick-list").await;
    host.press("pick-buyer").await;
    let page = host.script("return window.isPrinted", &[]).await;
    assert!(page.as_str().is_some_and(|page| page.contains("Ann") && page.contains("Ben")), "{page}");
    host.assert_no_faults("the host").await;
}

#[tokio::test]
async fn evening_saved_view_is_there_on_another_device() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({})).await;
    paid_order(&shop, &offer, "Ann").await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "en", "orders").await;
    host.until("the order", "document.querySelectorAll('.desk-row').length === 1", SOON).await;
    // What moves because of a press is no layout shift, but on a busy machine the answer to it comes too late to be told apart.
    assert_eq!(host.faults(Window::Desktop, true).await, Vec::<String>::new(), "the list");
    host.press("view-delivered").await;
    host.sees("desk-empty", "No order matches").await;
    host.press("save-view").await;
    host.fill(&named("view-name"), "Done").await;
    host.press("view-save").await;
    host.sees("toast", "was saved").await;
    host.screenshot("desk-saved-view").await;
    assert_eq!(host.faults(Window::Desktop, false).await, Vec::<String>::new());

    let phone = Browser::open(&driver, Window::Mobile, "ar").await;
    open(&phone, &shop, "ar", "orders").await;
    phone.until("the view", "document.querySelector('[data-test=saved-views]').options.length === 2", SOON).await;
    assert_eq!(phone.faults(Window::Mobile, true).await, Vec::<String>::new(), "the list");
    let choose = "const views = document.querySelector('[data-test=saved-views]'); views.value = 'Done'; \
                  views.dispatchEvent(new Event('change'));";
    phone.script(choose, &[]).await;
    phone.until("no order", "document.querySelectorAll('.desk-row').length === 0", SOON).await;
    phone.screenshot("desk-saved-view-phone-ar").await;
    assert_eq!(phone.faults(Window::Mobile, false).await, Vec::<String>::new());
    phone.press("remove-view").await;
    phone.until("no view", "document.querySelector('[data-test=saved-views]').options.length === 1", SOON).await;
    let token = shop.token("Noura", "host");
    let left = shop.server.rest().with_token(&token).get("/v1/shop/saved-views").await.expect(200);
    assert_eq!(left["items"], json!([]));
}
