//! Runs the examples that are sites: viewer.html as an empty page of another site, and hand-over.mjs as the shop's own site.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::browser::{Browser, Window};
use crate::support::driver::Driver;
use crate::support::outside::SOON;
use crate::support::outside::ports::free_address;
use crate::support::outside::process::Process;
use crate::support::outside::shop::{KEY, Shop};
use crate::support::page::Page;

#[tokio::test]
async fn example_page_works_on_another_site() {
    let example = include_str!("../../examples/viewer.html");
    assert!(example.lines().count() <= 40, "{} lines", example.lines().count());
    let page = Page::prepare().await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let origin = page.url.trim_end_matches('/').to_owned();
    let shop = Shop::serve_with(&store, &store, &["--allow-origin", &origin]).await;
    let offer = shop.on_sale(5, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let filled = example
        .replace("http://127.0.0.1:8080", &shop.server.url)
        .replace("'STREAM'", &format!("'{}'", shop.stream))
        .replace("'TOKEN'", &format!("'{}'", shop.token("Ann", "viewer")));
    page.show(filled);

    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    browser.goto(&page.url).await;
    browser.until_text("#pin", "Lamp: 5 left").await;
    shop.rest("Bob", "viewer").post(&shop.path("messages"), json!({"text": "<b>hi</b>"})).await.expect(201);
    browser.until_text("#chat", "Bob: <b>hi</b>").await;
    browser.click("#buy").await;
    browser.until_text("#buy", "Reserved: you are number 1").await;
    browser.until_text("#pin", "Lamp: 4 left").await;
    browser.screenshot("client-example").await;
    let errors: Vec<String> = browser.errors().await.into_iter().filter(|line| !line.contains("favicon")).collect();
    assert_eq!(errors, Vec::<String>::new());
    browser.close().await;
}

#[tokio::test]
async fn example_site_hands_its_customer_over() {
    let site = format!("http://{}", free_address());
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let shop = Shop::serve_with(&store, &store, &["--allow-origin", &site]).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hand-over.mjs");
    let mut command = Command::new("node");
    command.arg(script).envs([("LIVESOUK_AUTH_KEY", KEY), ("LIVESOUK_URL", &shop.server.url)]);
    let mut node = Process::start(command.envs([("STREAM", &shop.stream), ("SITE", &site)]));
    node.line("started site", SOON, |line| line.starts_with("open").then_some(())).await;

    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    browser.goto(&site).await;
    browser.click("#go").await;
    browser.wait_until_live().await;
    // On a phone the button is an icon.
    let name = "document.querySelector('[data-test=signin]').getAttribute('aria-label').includes('Noura')";
    browser.until("the name of the customer", name, SOON).await;
    assert_eq!(browser.script("return location.hash", &[]).await, json!(""));
    browser.close().await;
}
