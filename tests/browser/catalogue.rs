//! The catalogue in the desk: a product is made, corrected on a phone and in Arabic, changed by two people at once, and archived.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::person::named;

const NONE: Vec<String> = Vec::new();
/// Whether leaving the page would ask first.
const ASKS_FIRST: &str = "return !dispatchEvent(new Event('beforeunload', { cancelable: true }))";

async fn open(browser: &Browser, shop: &Shop, query: &str) {
    let token = shop.token("Noura", "host");
    browser.goto(&format!("{}/admin?{query}#token={token}", shop.server.url)).await;
}

async fn value(browser: &Browser, test: &str) -> Value {
    browser.script("return document.querySelector(arguments[0]).value", &[json!(named(test))]).await
}

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.faults(window, false).await, NONE, "{name}");
}

/// Fills the fields of a new shirt in two sizes and saves it. Gives the product.
async fn make_shirt(browser: &Browser, shop: &Shop) -> Value {
    browser.press("product-new").await;
    browser.fill(&named("product-title"), "Linen shirt").await;
    browser.press("product-save").await;
    browser.until("the mistakes", "document.querySelectorAll('[aria-invalid=true]').length > 1", SOON).await;
    looks_good(browser, Window::Desktop, "product-mistakes").await;
    browser.fill(&named("product-description"), "**Wash** at 30°").await;
    browser.press("option-add").await;
    browser.fill(&named("option-name-1"), "Size").await;
    browser.fill(&named("option-values-1"), "S, M").await;
    browser.fill(&named("product-category"), "Shirts").await;
    browser.until("two variants", "document.querySelectorAll('.variant-card').length === 2", SOON).await;
    for n in [2, 3] {
        browser.fill(&named(&format!("variant-price-{n}")), "149.50").await;
        browser.fill(&named(&format!("variant-stock-{n}")), "5").await;
    }
    assert_eq!(browser.script(ASKS_FIRST, &[]).await, json!(true), "what was typed is not lost by a slip");
    looks_good(browser, Window::Desktop, "product-new").await;
    browser.press("product-save").await;
    browser.find(&named("product-saved")).await;
    assert_eq!(browser.script(ASKS_FIRST, &[]).await, json!(false));
    let made = shop.host.get("/v1/products?search=linen").await.expect(200)["items"][0].clone();
    assert_eq!((&made["variants"][1]["name"], &made["variants"][1]["price"]), (&json!("M"), &json!(14_950)));
    made
}

#[tokio::test]
async fn evening_catalogue_on_a_desktop() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "section=products&lang=en").await;
    host.until("the products", "document.querySelectorAll('.product-row').length > 1", SOON).await;
    looks_good(&host, Window::Desktop, "products-list").await;
    let made = make_shirt(&host, &shop).await;
    let path = format!("/v1/products/{}", id(&made));

    // Somebody else saves first: the other field is taken over, the same field stays as it was typed.
    host.fill(&named("product-title"), "Linen shirt, long").await;
    let other = json!({"version": 1, "title": "Linen top", "delivery": "Two days"});
    shop.host.send(Method::PATCH, &path, &[], Some(other)).await.expect(200);
    host.press("product-save").await;
    host.sees("newer-title", "Linen top").await;
    assert_eq!(value(&host, "product-title").await, "Linen shirt, long");
    assert_eq!(value(&host, "product-delivery-text").await, "Two days");
    looks_good(&host, Window::Desktop, "product-conflict").await;
    host.press("product-save").await;
    host.until("the form of the newer version", "!document.querySelector('[data-test=newer-title]')", SOON).await;
    let now = shop.host.get(&path).await.expect(200);
    assert_eq!(
        (&now["title"], &now["delivery"], &now["version"]),
        (&json!("Linen shirt, long"), &json!("Two days"), &json!(3))
    );

    host.press("stock-1").await;
    host.script(
        "const it = document.querySelector(arguments[0]); it.value = 'damaged'; it.dispatchEvent(new Event('change'))",
        &[json!(named("stock-reason"))],
    )
    .await;
    host.fill(&named("stock-units"), "2").await;
    host.press("stock-save").await;
    host.sees("variant-pool-1", "3 in stock").await;
    host.press("history-1").await;
    host.sees("stock-log", "Damaged").await;
    looks_good(&host, Window::Desktop, "product-history").await;
    host.press("variant-history-close").await;

    host.press("product-archive").await;
    host.find(&named("product-archived")).await;
    host.press("product-undo").await;
    host.until("it to be active", "!document.querySelector('[data-test=product-archived]')", SOON).await;
    assert_eq!(shop.host.get(&path).await.expect(200)["status"], "active");
    host.close().await;
}

#[tokio::test]
async fn evening_catalogue_on_a_phone_in_arabic() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(3, json!({})).await;
    let product = shop.offer(&offer).await["product"].as_str().unwrap().to_owned();
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "ar").await;
    open(&phone, &shop, "section=products&lang=ar").await;
    phone.fill(&named("product-search"), "lamp").await;
    phone.until("the lamp", &format!("document.querySelector('[data-product=\"{product}\"]')"), SOON).await;
    looks_good(&phone, Window::Mobile, "products-list-ar-phone").await;
    phone.press_at(&format!("[data-product=\"{product}\"]")).await;
    phone.fill(&named("product-title"), "Desk lamp").await;
    phone.fill(&named("product-description"), "Made of **brass**").await;
    looks_good(&phone, Window::Mobile, "product-ar-phone").await;
    phone.press("product-save").await;
    phone.find(&named("product-saved")).await;
    assert_eq!(shop.offer(&offer).await["title"], "Desk lamp");
    // The buyer reads the description in the sheet of the offer.
    phone.goto(&format!("{}/watch?stream={}&lang=ar&offer={offer}", shop.server.url, shop.stream)).await;
    phone
        .until(
            "the description",
            "document.querySelector('[data-test=product-about] strong')?.innerText === 'brass'",
            SOON,
        )
        .await;
    phone.screenshot("product-about-ar-phone").await;
    phone.close().await;
}

/// Opens the menu of a show in the list, and presses one of its actions.
async fn of_show(browser: &Browser, show: &str, action: &str) {
    browser.press(&format!("more-{show}")).await;
    browser.press(&format!("{action}-{show}")).await;
}

#[tokio::test]
async fn evening_catalogue_of_shows_on_a_phone() {
    let shop = Shop::demo(&[]).await;
    let form = json!({"title": "Bags of the week", "scheduled_at": 1_900_000_000_000_i64});
    let show = id(&shop.host.post("/v1/streams", form).await.expect(201));
    let driver = Driver::start();
    let viewer = Browser::open(&driver, Window::Desktop, "en").await;
    viewer.goto(&format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream)).await;
    viewer.until("the placeholder", "document.querySelector('.player-title')?.innerText", SOON).await;
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Noura", "host");
    phone.goto(&format!("{}/host?lang=en#token={token}", shop.server.url)).await;

    // On air: the viewer's page has the new video without a reload.
    of_show(&phone, &shop.stream, "edit").await;
    phone.fill(&named("show-title-field"), "Late evening").await;
    phone.fill(&named("show-video"), "/assets/demo/none.m3u8").await;
    looks_good(&phone, Window::Mobile, "show-edit-phone").await;
    phone.press("show-save").await;
    phone.find(&named("show-saved")).await;
    viewer.until("the new title", "document.querySelector('.player-title').textContent === 'Late evening'", SOON).await;
    viewer.until("the new video", "document.querySelector('video')", SOON).await;
    viewer.close().await;

    // Somebody else saves first: their time is taken over, and the title stays as it was typed.
    of_show(&phone, &show, "edit").await;
    phone.fill(&named("show-title-field"), "Bags of the month").await;
    let other = json!({"version": 1, "tags": ["bags"]});
    shop.host.send(Method::PATCH, &format!("/v1/streams/{show}"), &[], Some(other)).await.expect(200);
    phone.press("show-save").await;
    phone.find(&named("show-alert")).await;
    phone.until("the tags", "document.querySelector('[data-test=show-tags]').value === 'bags'", SOON).await;
    phone.press("show-save").await;
    phone.sees(&format!("show-{show}"), "Bags of the month").await;

    of_show(&phone, &show, "copy").await;
    looks_good(&phone, Window::Mobile, "show-copy-phone").await;
    phone.press("copy-save").await;
    phone.until("the console of the copy", "!document.querySelector('#console').hidden", SOON).await;
    let shows = shop.host.get("/v1/streams?status=scheduled").await.expect(200);
    let copies = shows["items"].as_array().unwrap().iter().filter(|one| one["title"] == "Bags of the month").count();
    assert_eq!(copies, 2);

    phone.goto(&format!("{}/host?lang=en", shop.server.url)).await;
    of_show(&phone, &show, "cancel").await;
    looks_good(&phone, Window::Mobile, "show-cancel-phone").await;
    phone.press("confirm-yes").await;
    phone.sees(&format!("show-{show}"), "Cancelled").await;
    looks_good(&phone, Window::Mobile, "show-list-phone").await;
    // The link is not dead.
    phone.goto(&format!("{}/watch?stream={show}&lang=ar", shop.server.url)).await;
    phone.sees("show-end", "أُلغي البث").await;
    looks_good(&phone, Window::Mobile, "show-cancelled-ar-phone").await;
    phone.close().await;
}
