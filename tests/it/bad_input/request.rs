//! Invalid HTTP requests: bodies, paths, methods, bytes.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::assert_unharmed;
use crate::support::shop::{Shop, key};

#[tokio::test]
async fn invalid_body_is_refused_as_a_bad_request() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let rest = shop.rest("Ann", "viewer");
    let path = format!("/v1/offers/{offer}/orders");
    let (deep, megabyte) = ("[".repeat(60_000), format!("{{\"qty\":1,\"more\":\"{}\"}}", "x".repeat(1 << 20)));
    let json = "application/json";
    for (kind, body, status) in [
        (json, "{\"qty\":1", 400),
        (json, "", 400),
        (json, "qty=1", 400),
        (json, "[]", 400),
        (json, "null", 400),
        (json, "{\"qty\":1}{\"qty\":1}", 400),
        (json, "{\"qty\":1,\"qty\":2}", 400),
        (json, &deep, 400),
        (json, &megabyte, 413),
        ("text/plain", "{\"qty\":1}", 415),
        ("application/x-www-form-urlencoded", "qty=1", 415),
    ] {
        let headers = [("idempotency-key", key()), ("content-type", kind.to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answer = rest.send_text(Method::POST, &path, &headers, body).await;
        let start: String = body.chars().take(20).collect();
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (status, &json!("bad_request")),
            "{kind} {start}: {answer:?}"
        );
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    // A refusal is received even while the client is still sending a large body. Five rounds, because it is a race.
    for _ in 0..5 {
        let anonymous = shop.server.rest();
        anonymous.send_text(Method::POST, &path, &[], &megabyte).await.expect_problem(400, "key_missing");
        let headers = [("idempotency-key", "a-key-of-ours"), ("content-type", json)];
        anonymous.send_text(Method::POST, "/v1/nothing", &headers, &megabyte).await.expect_problem(404, "not_found");
        anonymous
            .send_text(Method::PUT, "/v1/shop", &headers, &megabyte)
            .await
            .expect_problem(405, "method_not_allowed");
        rest.send_text(Method::POST, &path, &headers, &megabyte).await.expect_problem(413, "bad_request");
    }
    assert_unharmed(&shop, &offer, 5).await;
}

#[tokio::test]
async fn unknown_path_or_method_gets_a_problem_document() {
    let shop = Shop::demo(&[]).await;
    let rest = shop.server.rest();
    rest.get("/v1/nothing").await.expect_problem(404, "not_found");
    rest.get("/v2/shop").await.expect_problem(404, "not_found");
    rest.get("/assets/../Cargo.toml").await.expect_problem(404, "not_found");
    rest.get("/assets/%2e%2e/Cargo.toml").await.expect_problem(404, "not_found");
    rest.delete("/v1/shop").await.expect_problem(405, "method_not_allowed");
    for query in ["limit=0", "limit=101", "limit=-1", "limit=x", "after=x", "after="] {
        rest.get(&shop.path(&format!("messages?{query}"))).await.expect_problem(400, "bad_request");
    }
    rest.get("/v1/streams?status=gone").await.expect_problem(400, "bad_request");
    // A plain GET on a socket path is answered with 426.
    rest.get(&shop.path("live")).await.expect_problem(426, "bad_request");
}

/// Sends a request as bytes and returns what the server sends before it closes the connection.
async fn raw(shop: &Shop, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(shop.server.address()).await.unwrap();
    // The server may have answered and closed before it has read everything.
    let _ = socket.write_all(request).await;
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(crate::support::SOON, socket.read_to_end(&mut answer));
    let _ = reading.await.expect("the server did not close the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn bytes_that_are_not_http_end_only_their_own_connection() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let huge = format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(1 << 20));
    for request in [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..], b"hello\r\n\r\n", huge.as_bytes()] {
        let answer = raw(&shop, request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_unharmed(&shop, &offer, 5).await;
}
