//! The key for the encoder: a host makes it, replaces it and takes it back on the page of shows, each time after a question.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::person::named;

const NONE: [String; 0] = [];
const KEY: &str = "return document.querySelector('[data-test=publish-key]').value";
const IS_SHOWN: &str = "document.querySelector('[data-test=publish-key]')?.checkVisibility() === true";

async fn looks_good(page: &Browser, window: Window, name: &str) {
    page.settle().await;
    page.screenshot(name).await;
    assert_eq!(page.faults(window, false).await, NONE, "{name}");
}

#[tokio::test]
async fn host_makes_replaces_and_revokes_the_key_for_the_encoder() {
    let shop = Shop::demo(&[]).await;
    let show = id(&shop.host.post("/v1/streams", json!({"title": "Lamps and rugs"})).await.expect(201));
    let publishes = async |key: &Value| {
        let form = json!({"action": "publish", "path": show, "token": key});
        shop.server.rest().post("/v1/media/mediamtx", form).await.status == 204
    };
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/host?lang=en#token={token}", shop.server.url)).await;
    host.press(&format!("more-{show}")).await;
    host.press(&format!("publish_key-{show}")).await;
    host.sees("publish-key-status", "No key is valid").await;
    assert!(!host.script(&format!("return {IS_SHOWN}"), &[]).await.as_bool().unwrap(), "there is none to show");
    looks_good(&host, Window::Mobile, "publish-key-none-mobile").await;

    host.press("publish-key-make").await;
    host.until("the key", IS_SHOWN, SOON).await;
    host.sees("publish-key-status", "It was not used yet").await;
    looks_good(&host, Window::Mobile, "publish-key-mobile").await;
    let first = host.script(KEY, &[]).await;
    assert!(publishes(&first).await, "{first}");

    host.press("publish-key-make").await;
    host.press("confirm-no").await;
    assert_eq!(host.script(KEY, &[]).await, first, "the reader said no");
    assert!(publishes(&first).await);
    host.press("publish-key-make").await;
    looks_good(&host, Window::Mobile, "publish-key-replace-mobile").await;
    host.press("confirm-yes").await;
    let is_new = format!("document.querySelector('[data-test=publish-key]').value !== {first}");
    host.until("another key", &is_new, SOON).await;
    let second = host.script(KEY, &[]).await;
    assert!(publishes(&second).await && !publishes(&first).await);

    // It is not shown again, and the page says that it was used.
    host.goto(&format!("{}/host?lang=ar", shop.server.url)).await;
    host.resize(Window::Desktop).await;
    host.press(&format!("more-{show}")).await;
    host.press(&format!("edit-{show}")).await;
    host.press("show-publish-key").await;
    host.sees("publish-key-status", "آخر استخدام").await;
    assert!(!host.script(&format!("return {IS_SHOWN}"), &[]).await.as_bool().unwrap(), "it is shown once");
    looks_good(&host, Window::Desktop, "publish-key-ar-desktop").await;
    host.press("publish-key-end").await;
    host.press("confirm-yes").await;
    host.find(&named("publish-key-ended")).await;
    host.sees("publish-key-status", "لا مفتاح").await;
    assert!(!publishes(&second).await);
    host.goto(&format!("{}/host?stream={show}&lang=en", shop.server.url)).await;
    host.press("chat-tab-audit").await;
    host.sees("audit-end_publish_keys", "revoked the key for the encoder").await;
    host.sees("audit-rotate_publish_key", "replaced the key for the encoder").await;
    host.sees("audit-create_publish_key", "made a key for the encoder").await;
    host.assert_no_faults("the host").await;
    host.close().await;
}
