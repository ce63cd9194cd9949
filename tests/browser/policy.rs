//! The policies of the shop: written at the desk, read by buyers before they pay.

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::named;

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.faults(window, false).await, Vec::<String>::new(), "{name}");
}

async fn count(browser: &Browser, css: &str) -> u64 {
    let script = "return document.querySelectorAll(arguments[0]).length";
    browser.script(script, &[json!(css)]).await.as_u64().unwrap()
}

#[tokio::test]
async fn evening_policy_is_written_at_the_desk_and_read_before_the_payment() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"price": 14_900})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    let page = Browser::open(&driver, Window::Desktop, "en").await;
    page.goto(&shop.server.url).await;
    page.find("body[data-ready]").await;
    assert_eq!(count(&page, "[data-policy]").await, 0, "nothing is written, so nothing is linked");

    let token = shop.token("Root", "admin");
    page.goto(&format!("{}/admin?lang=en&section=settings#token={token}", shop.server.url)).await;
    page.press("policy-terms").await;
    page.fill(&named("policy-terms-en"), "We ship **within two days**.\n\n- by courier\n- or you collect it").await;
    page.fill(&named("policy-terms-ar"), "نشحن خلال **يومين**.").await;
    page.press("policy-terms-save").await;
    page.find(&named("policy-saved")).await;
    looks_good(&page, Window::Desktop, "policies-desktop").await;

    page.resize(Window::Mobile).await;
    page.goto(&format!("{}/?lang=en", shop.server.url)).await;
    page.find("footer [data-policy=terms]").await;
    page.press_at("footer [data-policy=terms]").await;
    page.sees("policy-text", "within two days").await;
    assert_eq!(count(&page, ".policy strong").await, 1);
    looks_good(&page, Window::Mobile, "policy-page-phone").await;
    page.goto(&format!("{}/policies/terms?lang=ar", shop.server.url)).await;
    page.sees("policy-text", "يومين").await;
    looks_good(&page, Window::Mobile, "policy-page-ar-phone").await;
    page.goto(&format!("{}/policies/privacy?lang=en", shop.server.url)).await;
    page.sees("policy-none", "not written").await;
    looks_good(&page, Window::Mobile, "policy-none-phone").await;

    page.forget_people().await;
    page.watch(&shop, &shop.server.url, "Ann", &offer).await;
    page.reserve().await;
    page.sees("policy-note", "Terms of sale").await;
    looks_good(&page, Window::Mobile, "policy-note-phone").await;
    page.close().await;
}

#[tokio::test]
async fn unsaved_policy_is_not_lost_without_a_question() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let page = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Root", "admin");
    page.goto(&format!("{}/admin?lang=en&section=settings#token={token}", shop.server.url)).await;
    page.press("policy-contact").await;
    page.fill(&named("policy-contact-en"), "Souk, Riyadh").await;
    let asks = "const leave = new Event('beforeunload', { cancelable: true }); return !dispatchEvent(leave)";
    assert_eq!(page.script(asks, &[]).await, json!(true), "the browser asks before it leaves");
    page.press("policy-contact-save").await;
    page.until("the saved text", "!!document.querySelector('[data-test=policy-saved]')", SOON).await;
    assert_eq!(page.script(asks, &[]).await, json!(false));
    page.close().await;
}
