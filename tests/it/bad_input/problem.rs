//! Error answers: problem details that name the code's page and the field, in plain words, and readable from a browser page.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Shop, key};

/// Words of the parser and of Rust that say nothing to a client.
const FOREIGN_WORDS: [&str; 12] = [
    "i64",
    "u64",
    "usize",
    "struct ",
    "serde",
    " column 0",
    "deserialize",
    "expected ",
    "missing field",
    "enum",
    "Uuid",
    "body into",
];

fn assert_plain(text: &str) {
    for word in FOREIGN_WORDS {
        assert!(!text.contains(word), "`{word}` in: {text}");
    }
    assert!(text.ends_with('.'), "a whole sentence: {text}");
}

#[tokio::test]
async fn bad_input_names_its_field_in_plain_words() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let (host, viewer) = (&shop.host, shop.rest("Ann", "viewer"));
    let streams = "/v1/streams".to_owned();
    let buy = format!("/v1/offers/{offer}/orders");
    let offers = shop.path("offers");
    let product = "/v1/products".to_owned();
    let mut variant = json!({"name": "S", "price": 1, "stock": 1});
    variant["price"] = json!("1");
    for (path, body, field) in [
        (&streams, json!({}), Some("title")),
        (&streams, json!({"title": 5}), Some("title")),
        (&streams, json!({"title": ""}), Some("title")),
        (&streams, json!({"title": "x", "scheduled_at": 5}), Some("scheduled_at")),
        (&streams, json!({"title": "x", "scheduled_at": "soon"}), Some("scheduled_at")),
        (&streams, json!({"title": "x", "video": "ftp://x"}), Some("video")),
        (&streams, json!({"title": "x", "titles": []}), Some("titles")),
        (&streams, json!([]), None),
        (&buy, json!({}), Some("qty")),
        (&buy, json!({"qty": "1"}), Some("qty")),
        (&buy, json!({"qty": 1.5}), Some("qty")),
        (&offers, json!({"variant": "x"}), Some("variant")),
        (&product, json!({"title": "x"}), Some("variants")),
        (&product, json!({"title": "x", "variants": []}), Some("variants")),
        (&product, json!({"title": "x", "variants": [variant]}), Some("variants[0].price")),
        (&product, json!({"title": "x", "variants": [{"name": "", "price": 1, "stock": 1}]}), Some("variants[0].name")),
    ] {
        let rest = if *path == buy { &viewer } else { host };
        let key = key();
        let answer = rest.send(Method::POST, path, &[("idempotency-key", key.as_str())], Some(body.clone())).await;
        let problem = answer.expect_problem(400, "bad_request");
        assert_eq!(problem["field"].as_str(), field, "{path} {body}: {problem}");
        assert_eq!(problem["type"], "/docs/errors/bad_request");
        assert_plain(problem["detail"].as_str().unwrap());
    }
    for (path, field) in [
        ("/v1/streams?limit=x", "limit"),
        ("/v1/streams?limit=0", "limit"),
        ("/v1/streams?after=x", "after"),
        ("/v1/streams?status=gone", "status"),
        ("/v1/streams/nothing", "stream"),
        ("/v1/orders?stream=x", "stream"),
    ] {
        let problem = viewer.get(path).await.expect_problem(400, "bad_request");
        assert_eq!(problem["field"], field, "{path}: {problem}");
        assert_plain(problem["detail"].as_str().unwrap());
    }
}

#[tokio::test]
async fn refusal_has_the_same_facts_over_rest_and_on_the_socket() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(2, json!({})).await;
    let viewer = shop.rest("Ann", "viewer");
    let mut live = shop.live("Ann", "viewer").await;
    let rest = viewer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 3})).await;
    let rest: Value = rest.expect_problem(409, "too_few_left");
    let socket = live.ask(json!({"do": "buy", "offer": offer, "qty": 3, "key": key()})).await.unwrap_err();
    assert_eq!((&rest["left"], &socket["left"]), (&json!(2), &json!(2)));
    for (verb, field) in [
        (json!({"do": "buy", "offer": offer, "key": key()}), "qty"),
        (json!({"do": "buy", "offer": "x", "qty": 1, "key": key()}), "offer"),
        (json!({"do": "say"}), "text"),
        (json!({"do": "say", "text": " "}), "text"),
    ] {
        let error = live.ask(verb.clone()).await.unwrap_err();
        assert_eq!((&error["code"], &error["field"]), (&json!("bad_request"), &json!(field)), "{verb}: {error}");
        assert_plain(error["message"].as_str().unwrap());
    }
    shop.host.put(&shop.path("mutes/Ann"), json!({"seconds": 60})).await.expect(200);
    let muted = viewer.post(&shop.path("messages"), json!({"text": "hi"})).await.expect_problem(403, "muted");
    let error = live.ask(json!({"do": "say", "text": "hi"})).await.unwrap_err();
    assert_eq!(muted["until"], error["until"]);
    assert!(muted["now"].is_i64() && error["now"].is_i64() && error["retry_ms"].is_i64(), "{muted} {error}");
}

#[tokio::test]
async fn type_of_a_problem_is_a_page_that_explains_it() {
    let shop = Shop::demo(&[]).await;
    let rest = shop.server.rest();
    let problem = rest.get("/v1/orders").await.expect_problem(401, "sign_in");
    let page = rest.get(problem["type"].as_str().unwrap()).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").is_some());
    assert!(page.expect(200).as_str().unwrap().contains("Sign in first."));
    for code in livesouk::domain::ErrorCode::all() {
        let page = rest.get(&format!("/docs/errors/{}", code.code)).await.expect(200);
        assert!(page.as_str().unwrap().contains("What to do"), "{}", code.code);
    }
    assert!(rest.get("/docs/errors").await.expect(200).as_str().unwrap().contains("sold_out"));
    rest.get("/docs/errors/nothing").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn browser_page_can_read_every_refusal() {
    let shop = Shop::demo(&["--allow-origin", "https://shop.example"]).await;
    let rest = shop.server.rest();
    let long = "x".repeat(200 * 1024);
    for (method, path, headers, body, status) in [
        (Method::GET, "/v1/orders", &[][..], None, 401),
        (Method::GET, "/v1/streams/x", &[][..], None, 400),
        (Method::GET, "/v1/nothing", &[][..], None, 404),
        (Method::DELETE, "/v1/shop", &[][..], None, 405),
        (Method::POST, "/v1/streams", &[("authorization", "Bearer x")][..], None, 401),
        (Method::POST, "/v1/dev/tokens", &[][..], Some(json!({"name": long, "role": "viewer"})), 413),
        (Method::GET, "/v1/shop", &[("host", "rebound.example")][..], None, 403),
    ] {
        let headers = [headers, &[("origin", "https://shop.example")][..]].concat();
        let answer = rest.send(method, path, &headers, body).await;
        let readable = answer.header("access-control-allow-origin");
        assert_eq!((answer.status, readable), (status, Some("https://shop.example")), "{path}: {answer:?}");
    }
}
