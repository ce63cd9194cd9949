//! The colours of the pages: readers who prefer the dark get it.

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;

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
