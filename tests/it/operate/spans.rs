//! Spans reach an OpenTelemetry collector. Only a build with the feature `otel` exports them:
//! `scripts/test --features otel --test it spans`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::json;

use crate::support::shop::{Shop, id, key};
use crate::support::until_some;

/// One export: its path, content type and bytes (protobuf, in which text is readable).
type Exports = Arc<Mutex<Vec<(String, String, Bytes)>>>;

/// A collector on a free port.
async fn collector() -> (String, Exports) {
    let exports = Exports::default();
    let taken = exports.clone();
    let take = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        taken.lock().unwrap().push((uri.path().to_owned(), kind, body));
        async { StatusCode::OK }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    (url, exports)
}

#[tokio::test]
async fn collector_receives_spans_of_requests_batches_and_provider_calls() {
    let (url, exports) = collector().await;
    let shop = Shop::demo(&["--otlp-endpoint", &url]).await;
    let offer = shop.on_sale(3, json!({})).await;
    let buyer = shop.rest("Ann", "viewer");
    let path = format!("/v1/offers/{offer}/orders");
    let order = id(&buyer.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201));
    buyer.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    let has = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
    // Spans are exported every five seconds.
    until_some("all kinds of spans", Duration::from_secs(20), async || {
        let all = exports.lock().unwrap().iter().flat_map(|(_, _, body)| body.to_vec()).collect::<Vec<_>>();
        let words = ["livesouk", "request", "batch", "provider", "offer.id", &offer, &path];
        words.iter().all(|word| has(&all, word)).then_some(())
    })
    .await;
    for (path, kind, body) in exports.lock().unwrap().iter() {
        assert_eq!((&**path, &**kind), ("/v1/traces", "application/x-protobuf"));
        // Spans contain no user names and no secrets.
        assert!(!has(body, "Ann") && !has(body, "Bearer"));
    }
}
