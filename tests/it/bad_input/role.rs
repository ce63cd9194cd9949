//! Roles: nobody can act beyond their role, over REST or on the socket.

use reqwest::Method;
use serde_json::{Value, json};

use super::assert_unharmed;
use crate::support::shop::{Shop, id, sign};

/// The requests of the team over REST and on the socket, and whether a moderator may make them.
fn team_verbs(shop: &Shop, offer: &str, message: &str) -> Vec<(Method, String, Value, Option<Value>, bool)> {
    let of_offer = |verb: &str| format!("/v1/offers/{offer}/{verb}");
    let (put, post, delete) = (Method::PUT, Method::POST, Method::DELETE);
    vec![
        (put.clone(), shop.path("pin"), json!({"offer": offer}), Some(json!({"do": "pin", "offer": offer})), false),
        (delete.clone(), shop.path("pin"), json!({}), Some(json!({"do": "unpin"})), false),
        (post.clone(), of_offer("open"), json!({}), Some(json!({"do": "open", "offer": offer})), false),
        (post.clone(), of_offer("pause"), json!({}), Some(json!({"do": "pause", "offer": offer})), false),
        (post.clone(), of_offer("close"), json!({}), Some(json!({"do": "close", "offer": offer})), false),
        (
            post.clone(),
            of_offer("restock"),
            json!({"add": 1}),
            Some(json!({"do": "restock", "offer": offer, "add": 1, "key": "key-00001"})),
            false,
        ),
        (
            post.clone(),
            of_offer("extend"),
            json!({"seconds": 60}),
            Some(json!({"do": "extend", "offer": offer, "seconds": 60, "key": "key-00001"})),
            false,
        ),
        (
            put.clone(),
            of_offer("pay-later"),
            json!({"pay_later": true}),
            Some(json!({"do": "set_pay_later", "offer": offer, "pay_later": true})),
            false,
        ),
        (put.clone(), shop.path("lineup"), json!({"offers": [offer]}), None, false),
        (put.clone(), of_offer("schedule"), json!({"starts_at": null}), None, false),
        (
            post.clone(),
            shop.path("offers"),
            json!({"variant": offer, "kind": "regular", "price": 1, "quantity": 1}),
            None,
            false,
        ),
        (
            post.clone(),
            "/v1/products".to_owned(),
            json!({"title": "x", "variants": [{"name": "x", "price": 1, "stock": 1}]}),
            None,
            false,
        ),
        (post.clone(), format!("/v1/variants/{offer}/restock"), json!({"add": 1}), None, false),
        (post.clone(), "/v1/streams".to_owned(), json!({"title": "x"}), None, false),
        (post.clone(), shop.path("start"), json!({}), None, false),
        (post.clone(), shop.path("end"), json!({}), None, false),
        (Method::GET, shop.path("report"), Value::Null, None, false),
        (post.clone(), shop.path("rehearsal"), json!({}), None, false),
        (Method::GET, shop.path("rehearsal"), Value::Null, None, false),
        (delete.clone(), shop.path("rehearsal"), json!({}), None, false),
        (Method::GET, shop.path("invites"), Value::Null, None, false),
        (post.clone(), shop.path("invites"), json!({"role": "moderator"}), None, false),
        (delete.clone(), shop.path(&format!("invites/{offer}")), Value::Null, None, false),
        (
            delete.clone(),
            shop.path(&format!("messages/{message}")),
            json!({}),
            Some(json!({"do": "delete_message", "id": message})),
            true,
        ),
        (
            put.clone(),
            shop.path("mutes/Bob"),
            json!({"seconds": 10}),
            Some(json!({"do": "mute", "user": "Bob", "seconds": 10})),
            true,
        ),
        (delete.clone(), shop.path("mutes/Bob"), json!({}), Some(json!({"do": "unmute", "user": "Bob"})), true),
        (put.clone(), shop.path("bans/Bob"), json!({}), Some(json!({"do": "ban", "user": "Bob"})), true),
        (delete, shop.path("bans/Bob"), json!({}), Some(json!({"do": "unban", "user": "Bob"})), true),
        (put, shop.path("chat"), json!({"slow_s": 300}), Some(json!({"do": "slow_mode", "seconds": 300})), true),
        (post, shop.path("announcements"), json!({"text": "x"}), Some(json!({"do": "announce", "text": "x"})), true),
        (Method::GET, shop.path("mutes"), Value::Null, None, true),
        (Method::PUT, shop.path("chat"), json!({"off": true}), Some(json!({"do": "chat_rules", "off": true})), true),
        (Method::GET, shop.path("blocklist"), Value::Null, None, true),
        (Method::PUT, shop.path("blocklist"), json!({"words": [{"word": "x", "action": "refuse"}]}), None, true),
        (
            Method::POST,
            shop.path(&format!("review-queue/{message}/approve")),
            json!({}),
            Some(json!({"do": "approve", "id": message})),
            true,
        ),
        (
            Method::POST,
            shop.path(&format!("review-queue/{message}/reject")),
            json!({}),
            Some(json!({"do": "reject", "id": message})),
            true,
        ),
        (
            Method::PUT,
            shop.path("pinned-message"),
            json!({"id": message}),
            Some(json!({"do": "pin_message", "id": message})),
            true,
        ),
        (Method::DELETE, shop.path("pinned-message"), json!({}), Some(json!({"do": "unpin_message"})), true),
        (Method::GET, shop.path("audit-log"), Value::Null, None, true),
        (Method::GET, shop.path("export/chat.csv"), Value::Null, None, true),
        (Method::GET, shop.path("export/audit-log.jsonl"), Value::Null, None, true),
        (Method::DELETE, "/v1/users/Bob".to_owned(), Value::Null, None, false),
    ]
}

#[tokio::test]
async fn team_requests_are_refused_without_the_role() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let message =
        id(&shop.rest("Bob", "viewer").post(&shop.path("messages"), json!({"text": "stays"})).await.expect(201));
    let (before, anonymous) = (shop.watch().await.hello, shop.server.rest());
    let elsewhere = sign_for_another_show(&shop).await;
    let mut lives = [
        ("anonymous", "sign_in", shop.watch().await),
        ("viewer", "forbidden", shop.live("Ann", "viewer").await),
        ("analyst", "forbidden", shop.live("Nan", "analyst").await),
        ("moderator", "forbidden", shop.live("Mo", "moderator").await),
        ("host of another show", "forbidden", shop.join(&elsewhere).await.unwrap()),
    ];
    let rests = [
        ("anonymous", 401, anonymous.clone()),
        ("viewer", 403, shop.rest("Ann", "viewer")),
        ("analyst", 403, shop.rest("Nan", "analyst")),
        ("moderator", 403, shop.rest("Mo", "moderator")),
        ("host of another show", 403, anonymous.with_token(&elsewhere)),
    ];
    for (method, path, body, verb, moderator_may) in team_verbs(&shop, &offer, &message) {
        for (who, status, rest) in &rests {
            if (*who == "moderator" && moderator_may) || (*who == "analyst" && path.ends_with("report")) {
                continue;
            }
            let body = (!body.is_null()).then(|| body.clone());
            let answer = rest.send(method.clone(), &path, &[("idempotency-key", "key-00001")], body).await;
            assert_eq!(answer.status, *status, "{who}: {method} {path}: {answer:?}");
            answer.expect_problem(*status, if *status == 401 { "sign_in" } else { "forbidden" });
        }
        for (who, code, live) in &mut lives {
            if let Some(verb) = verb.clone().filter(|_| *who != "moderator" || !moderator_may) {
                assert_eq!(live.refused(verb.clone()).await, *code, "{who}: {verb}");
            }
        }
    }
    // Only the team sees stock pools.
    let listed = anonymous.get("/v1/products").await.expect(200);
    assert!(listed["items"][0]["variants"][0].get("stock").is_none(), "an anonymous user sees the stock: {listed}");

    let after = shop.watch().await.hello;
    for key in ["pin", "chat"] {
        assert_eq!(before["state"][key], after["state"][key]);
    }
    let listed = anonymous.get(&shop.path("messages")).await.expect(200);
    assert_eq!(id(&listed["items"][0]), message);
    assert_unharmed(&shop, &offer, 5).await;
}

/// A valid host token for another show.
async fn sign_for_another_show(shop: &Shop) -> String {
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    let key = std::fs::read_to_string(shop.server.data().join("auth-key")).unwrap();
    let mut process = crate::support::process::Process::livesouk(
        &["token", "--auth-key", &key, "--user", "otto", "--name", "Otto", "--role", "host", "--stream", &other],
        std::path::Path::new("/"),
    );
    let token = process.line("token", crate::support::SOON, |line| Some(line.to_owned())).await;
    // The token is valid in its own show.
    let there = shop.server.rest().with_token(&token).post(&format!("/v1/streams/{other}/start"), json!({})).await;
    there.expect(200);
    token
}

#[tokio::test]
async fn host_of_another_show_is_a_viewer_here() {
    let shop = Shop::demo(&[]).await;
    let token = sign_for_another_show(&shop).await;
    let otto = shop.server.rest().with_token(&token);
    for n in 0..5 {
        otto.post(&shop.path("messages"), json!({"text": format!("hi {n}")})).await.expect(201);
    }
    otto.post(&shop.path("messages"), json!({"text": "hi 5"})).await.expect_problem(429, "chat_budget");
    let messages = shop.host.get(&shop.path("messages")).await.expect(200);
    assert_eq!(messages["items"][0]["from"]["role"], "viewer", "{messages}");
}

#[tokio::test]
async fn unknown_role_is_refused() {
    let shop = Shop::demo(&[]).await;
    let key = std::fs::read_to_string(shop.server.data().join("auth-key")).unwrap();
    for role in ["root", "anonymous", "Host", ""] {
        let token = sign(&key, "Ann", role, 60);
        shop.server.rest().with_token(&token).get("/v1/orders").await.expect_problem(401, "token_invalid");
        assert_eq!(shop.join(&token).await.unwrap_err().code, 4501, "{role}");
    }
    let made = shop.server.rest().post("/v1/dev/tokens", json!({"name": "x", "role": "root"})).await;
    made.expect_problem(400, "bad_request");
}
