//! The colours of the pages: readers who prefer the dark get it.

use serde_json::json;

use crate::desk::paid_order;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::outside::until_some;
use crate::support::person::named;

/// How light the ground of the page is, from 0 to 255.
const LIGHTNESS: &str =
    "Math.max(...getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number))";

#[tokio::test]
async fn pages_are_dark_for_readers_who_prefer_it_and_readable_both_times() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let reader = Browser::open(&driver, Window::Desktop, "en").await;
    let host = shop.server.started["host_url"].as_str().unwrap().to_owned();
    for (page, address) in [("shop", format!("{}/?lang=en", shop.server.url)), ("host", host)] {
        for (scheme, is_dark) in [("light", false), ("dark", true)] {
            let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            reader.devtools("Emulation.setEmulatedMedia", media).await;
            reader.goto(&address).await;
            reader.until("the page", "document.body.dataset.ready !== undefined", SOON).await;
            let ground = format!("{LIGHTNESS} {} 100", if is_dark { '<' } else { '>' });
            reader.until(&format!("a {scheme} ground of {page}"), &ground, SOON).await;
            reader.screenshot(&format!("colours-{page}-{scheme}")).await;
            reader.assert_no_faults(&format!("{page}, {scheme}")).await;
        }
    }
    reader.close().await;
}

/// Every screen of the desk, with what it shows when it is ready.
const DESK: [(&str, &str); 13] = [
    ("section=orders", ".desk-row"),
    ("section=payments", "[data-test=desk] .filters"),
    ("section=customers", "[data-test=customer-list] li"),
    ("section=products", ".product-row"),
    ("section=products&product=new", "[data-test=product-form]"),
    ("section=products&bulk=grid", ".bulk-row input"),
    ("section=products&bulk=count", "[data-test=desk] input"),
    ("section=products&import=new", "[data-test=import-choose]"),
    ("section=coupons", "[data-test=desk] button"),
    ("section=mails", "[data-test=desk] .filters"),
    ("section=staff", "[data-test=staff-invite]"),
    ("section=audit", "[data-test=desk] li"),
    ("section=settings", "[data-test=retention-form]"),
];

#[tokio::test]
async fn evening_desk_can_be_read_in_the_dark() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({})).await;
    let order = paid_order(&shop, &offer, "Ann").await;
    let admin = shop.rest("Root", "admin");
    let settings = json!({"market": {"countries": ["AE", "KW", "SA"]}});
    admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
    // The page of the customers does not fill by itself.
    let has_customers = async || {
        let page = admin.get("/v1/shop/customers").await.expect(200);
        page["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(())
    };
    until_some("the customer", SOON, has_customers).await;
    let driver = Driver::start();
    let reader = Browser::open(&driver, Window::Desktop, "en").await;
    let media = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    reader.devtools("Emulation.setEmulatedMedia", media).await;
    let token = shop.token("Root", "admin");
    let looks_good = async |name: &str| {
        reader.screenshot(&format!("dark-{name}")).await;
        assert_eq!(reader.faults(Window::Desktop, false).await, Vec::<String>::new(), "{name}");
    };
    for (at, (section, ready)) in DESK.into_iter().enumerate() {
        let sign_in = if at == 0 { format!("#token={token}") } else { String::new() };
        reader.goto(&format!("{}/admin?lang=en&{section}{sign_in}", shop.server.url)).await;
        reader.find(ready).await;
        reader.until("a dark ground", &format!("{LIGHTNESS} < 100"), SOON).await;
        let name = section.replace("section=", "").replace(['&', '='], "-");
        looks_good(&name).await;
        if section == "section=orders" {
            reader.press(&format!("order-{order}")).await;
            reader.sees("order", "12 King Fahd Rd").await;
            looks_good("order").await;
        }
    }
    for (part, name) in [("market-form", "market"), ("manual-form", "manual"), ("api-keys", "api-keys")] {
        let scroll = "document.querySelector(arguments[0]).scrollIntoView({ block: 'start' })";
        reader.script(scroll, &[json!(named(part))]).await;
        looks_good(name).await;
    }
    reader.close().await;
}
