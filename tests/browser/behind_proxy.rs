//! The pages in Chromium through nginx and HAProxy, with a host of their own and below a path of another site.

use serde_json::json;
use testkit::web_proxy::WebProxy;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;

/// A shop with this public address, and a pinned offer.
async fn shop(base: &str) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let more: &[&str] = if base.is_empty() { &[] } else { &["--base-url", base] };
    let shop = Shop::serve_with(&store, &store, more).await;
    let offer = shop.on_sale(5, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    (shop, folder)
}

/// From the front page into the show: its live connection shows a message that is sent now.
async fn assert_show_is_live(browser: &Browser, shop: &Shop, base: &str) {
    browser.goto(&format!("{base}/")).await;
    browser.click(&format!("[data-test='show-{}']", shop.stream)).await;
    let address = json!(format!("{base}/watch"));
    browser.until("the watch page below the shop's path", &format!("location.href.startsWith({address})"), SOON).await;
    browser.until_text("body", "Lamp").await;
    shop.rest("Bob", "viewer").post(&shop.path("messages"), json!({"text": "hello below"})).await.expect(201);
    browser.until_text("body", "hello below").await;
    assert_eq!(browser.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn show_is_live_through_nginx_and_haproxy() {
    let driver = Driver::start();
    // nginx without the Host header, with the public address set; nginx below a path, which it strips or passes on.
    for (path, target) in [("", "http://shop"), ("/live", "http://shop/"), ("/live", "http://shop")] {
        let listen = WebProxy::address();
        let base = format!("http://{listen}{path}");
        let (shop, _folder) = shop(&base).await;
        let location = format!("location {path}/ {{ proxy_pass {target}; {} }}", WebProxy::WEBSOCKETS);
        let _nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
        let browser = Browser::open(&driver, Window::Desktop, "en").await;
        assert_show_is_live(&browser, &shop, &base).await;
        browser.close().await;
    }
    // HAProxy passes the Host header on, so nothing has to be set.
    let listen = WebProxy::address();
    let (shop, _folder) = shop("").await;
    let haproxy = WebProxy::haproxy(&listen, shop.server.address(), "").await;
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    assert_show_is_live(&browser, &shop, &haproxy.url).await;
    browser.close().await;
}

#[tokio::test]
async fn page_is_not_blank_behind_nginx_without_the_host_header() {
    let (shop, _folder) = shop("").await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let nginx = WebProxy::nginx(&WebProxy::address(), shop.server.address(), &location).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    browser.goto(&format!("{}/watch?stream={}", nginx.url, shop.stream)).await;
    // The page works as far as it may, and the log says how to fix the rest.
    browser.until_text("body", "Evening").await;
    let is_logged = async || shop.server.process.stderr().contains("--base-url").then_some(());
    testkit::until_some("warning", SOON, is_logged).await;
    browser.close().await;
}
