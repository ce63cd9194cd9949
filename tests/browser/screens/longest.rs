//! Screens filled with what is longest: every language, prices of nine digits, names of forty wide letters; at six widths, and in
//! text of twice the size. Nothing may be cut off or covered, and nothing may scroll sideways.

use serde_json::json;

use crate::forms::{first_or_all, is_long_form};
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::person::{named, order_is};

/// Width, height and whether it is a phone. 320 pixels are a small phone, and a desktop at 400 % zoom; 720 × 450 is a laptop at 200 %.
const WINDOWS: [(u32, u32, bool); 6] =
    [(320, 640, true), (390, 844, true), (720, 450, false), (768, 1024, false), (1024, 768, false), (1440, 900, false)];
const PRICE: i64 = 888_888_888;

/// Sells a product with the longest names at the longest price: as a running flash sale that is pinned, and as a regular offer.
async fn longest_sale(shop: &Shop) -> String {
    let wide = "W".repeat(40);
    let product = json!({"title": wide, "titles": {"ar": "ض".repeat(40), "id": wide},
        "variants": [{"name": "M".repeat(20), "price": PRICE, "stock": 200_000}]});
    let product = shop.host.post("/v1/products", product).await.expect(201);
    let variant = &product["variants"][0]["id"];
    let regular = json!({"variant": variant, "kind": "regular", "price": PRICE, "old_price": 999_999_999, "quantity": 99_999,
        "per_buyer": 9});
    let flash = json!({"variant": variant, "kind": "flash", "price": PRICE, "old_price": 999_999_999, "quantity": 30, "per_buyer": 20,
        "countdown_s": 10, "duration_s": 1_200, "hold_s": 3_599});
    let mut made = String::new();
    for form in [regular, flash] {
        made = id(&shop.host.post(&shop.path("offers"), form).await.expect(201));
        shop.host.post(&format!("/v1/offers/{made}/open"), json!({})).await.expect(200);
    }
    shop.host.put(&shop.path("pin"), json!({ "offer": made })).await.expect(200);
    let notice = json!({"text": "WÖ".repeat(100)});
    shop.host.post(&shop.path("announcements"), notice).await;
    let buyer = shop.rest(&wide, "viewer");
    buyer.post(&shop.path("messages"), json!({"text": "MWÖØ".repeat(50)})).await.expect(201);
    made
}

/// Measures what is shown at every width; in the short form at the smallest one, where least fits.
async fn measure(browser: &Browser, name: &str, faults: &mut Vec<String>) {
    let count = if is_long_form() { WINDOWS.len() } else { 1 };
    for (width, height, is_phone) in WINDOWS.into_iter().take(count) {
        browser.resize_to(width, height, is_phone).await;
        browser.settle().await;
        let found = browser.layout_faults(is_phone).await;
        faults.extend(found.into_iter().map(|fault| format!("{name} at {width} × {height}: {fault}")));
    }
    browser.resize(Window::Mobile).await;
}

async fn sale_is_live(browser: &Browser) {
    let live = "['live', 'low'].includes(document.querySelector('[data-test=card]')?.dataset.phase)";
    browser.until("the sale", live, 2 * SOON).await;
}

#[tokio::test]
async fn longest_texts_fit_every_width_in_every_language() {
    let shop = Shop::demo(&[]).await;
    longest_sale(&shop).await;
    let (base, stream) = (&shop.server.url, &shop.stream);
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    let mut faults = Vec::new();
    for language in first_or_all(["ar", "en", "id"]) {
        let viewer = shop.token(&format!("{}{language}", "W".repeat(38)), "viewer");
        browser.forget_people().await;
        browser.goto("about:blank").await;
        browser.goto(&format!("{base}/watch?stream={stream}&lang={language}#token={viewer}")).await;
        browser.wait_until_live().await;
        sale_is_live(&browser).await;
        measure(&browser, &format!("the show, {language}"), &mut faults).await;
        browser.screenshot(&format!("longest-show-{language}")).await;
        browser.press("product-list-open").await;
        browser.find(&named("product-list-search")).await;
        measure(&browser, &format!("the product list, {language}"), &mut faults).await;
        browser.press("product-list-close").await;
        browser.press_at(".card-face").await;
        browser.find(&named("product-buy")).await;
        measure(&browser, &format!("the product, {language}"), &mut faults).await;
        browser.press("product-buy").await;
        browser.until("the hold", &order_is("held"), SOON).await;
        measure(&browser, &format!("the checkout, {language}"), &mut faults).await;
        browser.screenshot(&format!("longest-checkout-{language}")).await;
        browser.goto(&format!("{base}/orders?lang={language}")).await;
        browser.find("[data-test^=order-]").await;
        measure(&browser, &format!("the orders, {language}"), &mut faults).await;
        browser.goto(&format!("{base}/?lang={language}")).await;
        browser.find(".product-card").await;
        measure(&browser, &format!("the shop, {language}"), &mut faults).await;
        browser.forget_people().await;
        browser
            .goto(&format!("{base}/host?stream={stream}&lang={language}#token={}", shop.token("the-host", "host")))
            .await;
        browser.wait_until_live().await;
        browser.find("[data-test=lineup] li").await;
        measure(&browser, &format!("the console, {language}"), &mut faults).await;
    }
    browser.close().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test]
async fn text_of_twice_the_size_hides_nothing() {
    let shop = Shop::demo(&[]).await;
    longest_sale(&shop).await;
    let driver = Driver::start();
    let browser = Browser::open_with_text_of(&driver, Window::Mobile, "en", 32).await;
    let mut faults = Vec::new();
    let pages = [
        ("the show", format!("/watch?stream={}&lang=en", shop.stream), "[data-test=card-buy]"),
        (
            "the console",
            format!("/host?stream={}&lang=en#token={}", shop.stream, shop.token("the-host", "host")),
            "[data-test=lineup] li",
        ),
        ("the shop", "/?lang=en".to_owned(), ".product-card"),
        ("the orders", "/orders?lang=en".to_owned(), "[data-test=orders-empty]"),
    ];
    for (name, address, part) in pages {
        for (width, height, is_phone) in [(390, 844, true), (1440, 900, false)] {
            browser.resize_to(width, height, is_phone).await;
            browser.goto("about:blank").await;
            browser.goto(&format!("{}{address}", shop.server.url)).await;
            browser.find(part).await;
            browser.settle().await;
            let size = browser.script("return parseFloat(getComputedStyle(document.body).fontSize)", &[]).await;
            assert!(size.as_f64() >= Some(32.0), "{name}: the text is {size} px, not what the reader has set");
            let found = browser.layout_faults(is_phone).await;
            faults.extend(found.into_iter().map(|fault| format!("{name} at {width} × {height}: {fault}")));
            browser.screenshot(&format!("large-text-{}-{width}", name.trim_start_matches("the "))).await;
        }
    }
    browser.close().await;
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
