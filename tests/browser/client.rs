//! Tests of the reference client, `web-demo/client.js`, in a real browser against a scripted server.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::Html;
use axum::routing::get;
use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>client</title><script type="module">
  import "/client.test.js";
  import "/client_link.test.js";
  import { run } from "/client_fixture.js";
  window.outcome = await run();
</script>"#;

#[tokio::test]
async fn client_keeps_event_order_versions_and_its_position() {
    let script = |text: String| ([(header::CONTENT_TYPE, "text/javascript")], text);
    // Serves the client, the chat list and the files that they import.
    let page = async move |Path(path): Path<String>| {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web-demo").join(path);
        std::fs::read_to_string(file).map(script).map_err(|_| StatusCode::NOT_FOUND)
    };
    let router = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/client_fixture.js", get(async move || script(include_str!("client_fixture.js").to_owned())))
        .route("/client.test.js", get(async move || script(include_str!("client.test.js").to_owned())))
        .route("/client_link.test.js", get(async move || script(include_str!("client_link.test.js").to_owned())))
        .route("/{*path}", get(page));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });

    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    browser.goto(&url).await;
    let outcome = browser.until("the result of the tests in the page", "window.outcome", SOON).await;
    assert_eq!(outcome["failed"], json!([]));
    assert!(outcome["proven"].as_u64() >= Some(35), "{outcome}");
    browser.close().await;
    serving.abort();
}
