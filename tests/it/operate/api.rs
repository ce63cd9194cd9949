//! The OpenAPI and AsyncAPI documents are valid and match the server.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Shop, id, key};

/// Every `$ref` below `value`.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                found.push(reference.clone());
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// References without a target.
fn dangling(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    references(document, &mut found);
    found.retain(|reference| {
        let resolved = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        resolved.is_none_or(Value::is_null)
    });
    found
}

#[test]
fn dangling_reference_is_found() {
    let document = json!({"a": {"$ref": "#/b/c"}, "b": {"c": 1, "d": [{"$ref": "#/b/x"}, {"$ref": "other.json"}]}});
    assert_eq!(dangling(&document), ["#/b/x", "other.json"]);
}

#[tokio::test]
async fn api_documents_have_their_version_and_every_reference_resolves() {
    let shop = Shop::demo(&[]).await;
    for (path, field, version) in [("/v1/openapi.json", "openapi", "3.1"), ("/v1/asyncapi.json", "asyncapi", "3.0")] {
        let document = shop.server.rest().get(path).await.expect(200);
        assert!(document[field].as_str().is_some_and(|is| is.starts_with(version)), "{path}: {}", document[field]);
        assert_eq!(dangling(&document), Vec::<String>::new(), "{path}");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{path} has only {} references", found.len());
    }
    let asyncapi = shop.server.rest().get("/v1/asyncapi.json").await.expect(200);
    for frame in ["hello", "tick", "snapshot", "reply", "order", "review", "audit", "moving", "verb"] {
        assert!(asyncapi["components"]["messages"][frame]["payload"].is_object(), "{frame}");
    }
    let all = asyncapi.to_string();
    for verb in [
        "say",
        "react",
        "buy",
        "pay",
        "cancel",
        "refund",
        "seen",
        "add_stock_alert",
        "remove_stock_alert",
        "pin",
        "unpin",
        "open",
        "pause",
        "close",
        "restock",
        "extend",
        "delete_message",
        "mute",
        "unmute",
        "ban",
        "unban",
        "approve",
        "reject",
        "pin_message",
        "unpin_message",
        "chat_rules",
        "slow_mode",
        "announce",
    ] {
        assert!(all.contains(&format!("\"{verb}\"")), "{verb}");
    }
}

#[tokio::test]
async fn every_documented_path_exists() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(2, json!({})).await;
    let held = shop.host.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let said = shop.host.post(&shop.path("messages"), json!({"text": "x"})).await.expect(201);
    let variant = shop.variant(1).await;
    let known = [
        ("{stream}", shop.stream.clone()),
        ("{offer}", offer),
        ("{order}", id(&held)),
        ("{id}", id(&said)),
        ("{variant}", variant),
        ("{user}", "Ann".to_owned()),
        ("{file}", "chat.csv".to_owned()),
        ("{provider}", "test".to_owned()),
        ("{payment}", "test_nothing".to_owned()),
        ("{invite}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{code}", "an-unknown-code".to_owned()),
        ("{key}", "an-unknown-key".to_owned()),
    ];
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let real = known.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
        assert!(!real.contains('{'), "{path}: a parameter that this test does not know");
        for method in methods.as_object().unwrap().keys().filter(|name| *name != "parameters") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // As a guest: nothing is changed, and a path or method that does not exist is a 404 or 405 all the same.
            let answer = shop.server.rest().send(method.clone(), &real, &[], None).await;
            let is_there = answer.status != 405 && answer.body["code"] != "not_found" && answer.status < 500;
            assert!(is_there, "{method} {path}: {answer:?}");
            assert!(methods[method.as_str().to_lowercase()]["responses"].is_object(), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked >= 35, "only {asked} operations are described");
    let negative = shop.server.rest().send(Method::GET, "/v1/undocumented", &[], None).await;
    negative.expect_problem(404, "not_found");
}
