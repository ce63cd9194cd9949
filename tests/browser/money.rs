//! Prices as people type them, in a shop with a currency about which browsers disagree: what is stored must not depend on the browser.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::Html;
use axum::routing::{get, post};
use serde_json::{Value, json};
use testkit::browser::driver::Driver;
use testkit::browser::person::named;
use testkit::browser::{Browser, SOON, Window};
use testkit::process::Server;
use testkit::shop::{id, sign};
use tokio::sync::mpsc;

const KEY: &str = "an-auth-key-of-at-least-32-bytes!";

/// A shop in rupiah with one show, and a token of its host.
async fn rupiah_shop(folder: &std::path::Path) -> (Server, String, String) {
    let store = format!("sqlite:{}", folder.join("shop.db").display());
    let server = Server::serve(&store, KEY, &["--currency", "IDR"]).await;
    let token = sign(KEY, "sari", "host", 3_600);
    let stream = id(&server.rest().with_token(&token).post("/v1/streams", json!({"title": "Sore"})).await.expect(201));
    (server, token, stream)
}

#[tokio::test]
async fn prices_typed_in_indonesian_are_stored_as_they_are_meant_and_ambiguous_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (server, token, stream) = rupiah_shop(folder.path()).await;
    assert_eq!(server.rest().get("/v1/shop").await.expect(200)["decimals"], 2);
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "id").await;
    host.goto(&format!("{}/host?stream={stream}&lang=id#token={token}", server.url)).await;
    host.wait_until_live().await;
    host.press("add-offer").await;
    host.press("new-product").await;
    host.fill(&named("product-title"), "Sandal").await;
    host.fill(&named("variant-name-1"), "42").await;
    for (typed, seen) in [("150,000", "150.000,00"), ("1e3", "1.500,25"), ("-5", "di atas nol")] {
        host.fill(&named("variant-price-1"), typed).await;
        host.fill(&named("variant-stock-1"), "1.000").await;
        host.press("product-save").await;
        host.sees("error-variant-price-1", seen).await;
    }
    host.fill(&named("variant-price-1"), "150,000").await;
    host.press("product-save").await;
    host.sees("error-variant-price-1", "150,00").await;
    host.screenshot("price-two-readings").await;
    host.fill(&named("variant-price-1"), "150.000").await;
    host.press("product-save").await;
    host.until("the product in the list", "document.body.innerText.includes('150.000')", SOON).await;
    let products = server.rest().with_token(&token).get("/v1/products").await.expect(200);
    let variant = &products["items"][0]["variants"][0];
    assert_eq!((&variant["price"], &variant["stock"]), (&json!(15_000_000), &json!(1_000)));
    host.assert_no_faults("the host").await;
    host.close().await;
}

/// Reads every row of the table of typed numbers, and writes prices, in the page's language; the results go to the server.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>numbers</title><script type="module">
  import { parseNumber } from '/number_input.js';
  import { formatMoney, lang, setDecimals } from '/i18n.js';
  const rows = (await (await fetch('/numbers.tsv')).text()).split('\n').filter((line) => line && !line.startsWith('#'));
  const stored = [], shown = [];
  for (const [currency, digits] of [['IDR', 2], ['HUF', 2], ['IQD', 3], ['KWD', 3], ['JPY', 0], ['SAR', 2]]) {
    setDecimals(currency, digits);
    for (const row of rows.slice(1)) stored.push(JSON.stringify(parseNumber(row.split('\t')[0], lang, digits)));
    const text = formatMoney(123456789, currency).replace(/[^\d.,٫٬٠-٩]/g, '');
    shown.push(`${currency} ${text.replace(/^[.,]+|[.,]+$/g, '')}`);
  }
  await fetch('/result', { method: 'POST', body: JSON.stringify({ stored, shown }) });
</script>"#;

/// A server for [`PAGE`], and the results that pages send it.
async fn number_page() -> (String, mpsc::Receiver<Value>, tokio::task::JoinHandle<()>) {
    let (send, results) = mpsc::channel::<Value>(8);
    let send = Arc::new(send);
    let file = async move |Path(path): Path<String>| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let file =
            if path == "numbers.tsv" { root.join("tests/corpus").join(path) } else { root.join("web-demo").join(path) };
        std::fs::read_to_string(file)
            .map(|text| ([(header::CONTENT_TYPE, "text/javascript")], text))
            .map_err(|_| StatusCode::NOT_FOUND)
    };
    let result = async move |body: String| {
        let _ = send.send(serde_json::from_str(&body).unwrap_or_default()).await;
    };
    let router =
        Router::new().route("/", get(async || Html(PAGE))).route("/result", post(result)).route("/{*path}", get(file));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, results, serving)
}

/// Firefox without a window. It ends when the value is dropped.
struct Firefox(Child);

impl Firefox {
    fn open(program: &str, url: &str, profile: &std::path::Path) -> Firefox {
        let mut command = Command::new(program);
        command.args(["--headless", "--no-remote", "--profile"]).arg(profile).arg(url).env("HOME", profile);
        Firefox(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("Firefox starts"))
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn next(results: &mut mpsc::Receiver<Value>) -> Value {
    tokio::time::timeout(Duration::from_secs(60), results.recv()).await.expect("a result in time").expect("a result")
}

#[tokio::test]
async fn numbers_mean_the_same_in_every_browser() {
    let (url, mut results, serving) = number_page().await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    for language in ["en", "ar", "id"] {
        let page = format!("{url}?lang={language}");
        browser.goto(&page).await;
        let chromium = next(&mut results).await;
        let shown = chromium["shown"].as_array().unwrap();
        let decimals = |text: &Value| text.as_str().unwrap().rsplit(['.', ',']).next().map(str::len);
        let digits: Vec<_> = shown.iter().map(|text| decimals(text).unwrap_or(0)).collect();
        assert_eq!(digits, [2, 2, 3, 3, 3, 2], "{shown:?}; JPY ends with a group of three digits");
        // `scripts/test --all` names Firefox; the short run has Chromium only.
        let Ok(program) = std::env::var("LIVESOUK_TEST_FIREFOX") else { continue };
        let profile = tempfile::tempdir().unwrap();
        let _firefox = Firefox::open(&program, &page, profile.path());
        let firefox = next(&mut results).await;
        assert_eq!(firefox["stored"], chromium["stored"], "{language}");
        let of_firefox: Vec<_> =
            firefox["shown"].as_array().unwrap().iter().map(|text| decimals(text).unwrap_or(0)).collect();
        assert_eq!(of_firefox, digits, "{firefox}");
    }
    browser.close().await;
    serving.abort();
}
