//! The OpenAPI and AsyncAPI documents are valid and match the server.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::rest::Rest;
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
    for (path, field, version) in [("/v1/openapi.json", "openapi", "3.1"), ("/v1/asyncapi.json", "asyncapi", "3.1")] {
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
        "show_coupon",
        "hide_coupon",
        "claim_coupon",
        "open",
        "pause",
        "close",
        "restock",
        "extend",
        "set_pay_later",
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
        ("{reservation}", id(&held)),
        ("{id}", id(&said)),
        ("{variant}", variant),
        ("{product}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{user}", "Ann".to_owned()),
        ("{file}", "chat.csv".to_owned()),
        ("{provider}", "test".to_owned()),
        ("{payment}", "test_nothing".to_owned()),
        ("{invite}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{code}", "an-unknown-code".to_owned()),
        ("{key}", "an-unknown-key".to_owned()),
        ("{orders_file}", "orders.csv".to_owned()),
        ("{documents_file}", "documents.csv".to_owned()),
        ("{catalogue_file}", "products.csv".to_owned()),
        ("{import}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{audit_file}", "audit-log.csv".to_owned()),
        ("{note}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{coupon}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{tag}", "gift".to_owned()),
        ("{session}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{product}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{view}", "to-send".to_owned()),
        ("{policy}", "terms".to_owned()),
        ("{mail}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{passkey}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{account}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{api_key}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{staff_invite}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{payment_method}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{follow}", "01890000-0000-7000-8000-000000000000".to_owned()),
        ("{revocation}", "01890000-0000-7000-8000-000000000000".to_owned()),
    ];
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let real = known.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
        assert!(!real.contains('{'), "{path}: a parameter that this test does not know");
        for method in methods.as_object().unwrap().keys().filter(|name| *name != "parameters") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            // As an anonymous user: nothing is changed, and a path or method that does not exist is a 404 or 405 anyway.
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

/// A value for each input field of the verbs.
fn sample_input(offer: &str, message: &str) -> Value {
    json!({
        "text": "x", "kind": "heart", "count": 1, "qty": 1, "token": "ok", "restock": false, "add": 1, "seconds": 60, "slow_s": 0,
        "offer": offer, "id": message, "pay_later": true, "coupon": "01890000-0000-7000-8000-000000000000",
    })
}

/// Is it the operation of a live verb? Two handlers have names that end like a verb.
fn is_verb(operation: &str) -> bool {
    !["products_restock", "payments_approve"].contains(&operation)
        && livesouk::verbs::VERBS
            .iter()
            .any(|verb| operation == verb.name || operation.ends_with(&format!("_{}", verb.name)))
}

#[tokio::test]
async fn every_operation_has_its_own_id_and_says_who_may_call_it() {
    let shop = Shop::demo(&[]).await;
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            let security = operation["security"].as_array().unwrap_or_else(|| panic!("{method} {path}"));
            // A way without a credential among the others: none is needed.
            let is_needed = !security.is_empty() && !security.contains(&json!({}));
            assert_eq!(is_needed, operation["x-least-role"].is_string(), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("default") && answers.contains_key("503"), "{method} {path}");
        }
    }
    for id in ["orders_buy", "orders_pay", "orders_refund", "streams_create", "chat_say"] {
        assert!(ids.iter().any(|known| known == id), "{id}");
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "two operations have one id");
}

/// Parts of a schema that take any text or number or list, or as many as a client likes.
fn unlimited(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(fields) = schema.as_object() {
        let is = |kind: &str| match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(|known| known == kind),
            one => one == kind,
        };
        let has = |limits: &[&str]| limits.iter().chain(&["enum", "const"]).any(|limit| fields.contains_key(*limit));
        if (is("string") && !has(&["maxLength", "format"]))
            || (is("integer") && !has(&["maximum"]))
            || (is("array") && !has(&["maxItems"]))
        {
            found.push(path.to_owned());
        }
        for (name, part) in fields.iter().filter(|(name, _)| !["example", "examples"].contains(&name.as_str())) {
            unlimited(part, &format!("{path}/{name}"), found);
        }
    }
    for (at, part) in schema.as_array().into_iter().flatten().enumerate() {
        unlimited(part, &format!("{path}/{at}"), found);
    }
}

#[tokio::test]
async fn every_answer_is_described_every_field_limited_and_every_body_has_an_example() {
    let shop = Shop::demo(&[]).await;
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut wrong = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                if answer["$ref"].is_null() && answer["description"].as_str().is_none_or(str::is_empty) {
                    wrong.push(format!("{method} {path}: {status} has no description"));
                }
            }
            let body = &operation["requestBody"]["content"]["application/json"];
            if body.is_object() && body["example"].is_null() && body["examples"].is_null() {
                wrong.push(format!("{method} {path} has no example"));
            }
        }
    }
    unlimited(&document["components"]["schemas"], "", &mut wrong);
    // The keys of a map of translations are checked as language tags.
    wrong.retain(|path| !path.ends_with("/propertyNames"));
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn documented_least_role_of_every_verb_is_the_one_that_is_enforced() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(2, json!({})).await;
    let message = id(&shop.host.post(&shop.path("messages"), json!({"text": "x"})).await.expect(201));
    let held = shop.host.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let input = sample_input(&offer, &message);
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let mut verbs = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(least) = operation["x-least-role"].as_str() else { continue };
            if !is_verb(operation["operationId"].as_str().unwrap()) {
                continue;
            }
            let below = match least {
                "viewer" => None,
                "moderator" => Some("viewer"),
                "producer" => Some("moderator"),
                "host" => Some("producer"),
                other => panic!("{path}: {other}"),
            };
            let real = path
                .replace("{stream}", &shop.stream)
                .replace("{offer}", &offer)
                .replace("{order}", &id(&held))
                .replace("{id}", &message)
                .replace("{user}", "somebody");
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let named = schema["$ref"].as_str().and_then(|target| document.pointer(&target[1..]));
            let schema = named.unwrap_or(schema);
            let fields = schema["properties"].as_object().cloned().unwrap_or_default();
            let has_sample = |name: &&String| !input[name.as_str()].is_null();
            let body: Value = fields.keys().filter(has_sample).map(|name| (name, input[name].clone())).collect();
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let send = async |rest: Rest| {
                let key = key();
                rest.send(method.clone(), &real, &[("Idempotency-Key", &key)], Some(body.clone())).await
            };
            let refused = send(below.map_or(shop.server.rest(), |role| shop.rest("below", role))).await;
            assert!(matches!(refused.status, 401 | 403), "{method} {path} below {least}: {refused:?}");
            let allowed = send(shop.rest("least", least)).await;
            assert!(!matches!(allowed.status, 400 | 401 | 403), "{method} {path} as {least}: {allowed:?}");
            verbs += 1;
        }
    }
    assert!(verbs >= 26, "only {verbs} verbs have a REST route");
}
