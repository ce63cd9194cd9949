//! Tests of the REST client of the tests against an echo server.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::json;

use testkit::rest::Rest;

#[tokio::test]
async fn request_has_token_key_and_body() {
    let echo = |headers: HeaderMap, body: String| async move {
        let of = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let received = json!({"bearer": of("authorization"), "key": of("idempotency-key"), "body": body});
        (StatusCode::CREATED, [("location", "/here")], received.to_string())
    };
    let app = Router::new().route("/echo", post(echo)).route("/plain", get(|| async { "not JSON" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest = Rest::new(&format!("http://{}/", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let answer = rest.with_token("t").post_keyed("/echo", "key-0001", json!({"qty": 1})).await;
    assert_eq!(answer.header("location"), Some("/here"));
    let expected = json!({"bearer": "Bearer t", "key": "key-0001", "body": "{\"qty\":1}"});
    assert_eq!(answer.expect(201), expected);
    assert_eq!(rest.get("/plain").await.expect(200), "not JSON");
    assert_eq!(rest.get("/nowhere").await.expect(404), json!(null));
}
