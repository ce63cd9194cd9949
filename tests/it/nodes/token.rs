//! A token that was revoked on one node is refused on every node within two seconds, also without Redis.

use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Nodes, say};
use crate::support::shop::{KEY, Shop, id, now_ms, sign_claims};
use crate::support::socket::Closed;
use crate::support::until_some;

/// What is promised, and half a second for this machine.
const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);

/// A token that was issued a minute ago.
fn token(user: &str, jti: &str) -> String {
    let now = now_ms() / 1_000;
    sign_claims(
        KEY,
        &json!({"sub": user, "name": user, "role": "viewer", "iat": now - 60, "exp": now + 600, "jti": jti}),
    )
}

async fn revoke(at: &Shop, what: Value) -> Value {
    at.rest("root", "admin").post("/v1/token-revocations", what).await.expect(201)
}

/// Waits until the token is refused, at most as long as is promised.
async fn until_refused(at: &Shop, token: &str) {
    let rest = at.server.rest().with_token(token);
    let refused = async || (rest.get("/v1/orders").await.body["code"] == "token_revoked").then_some(());
    until_some("refusal of the token", IN_FORCE_WITHIN, refused).await;
}

async fn assert_refused(at: &Shop, token: &str) {
    at.server.rest().with_token(token).get("/v1/orders").await.expect_problem(401, "token_revoked");
    assert_eq!(at.join(token).await.expect_err("revoked").code, 4501);
}

fn code(closed: &Closed) -> u16 {
    closed.code
}

#[tokio::test]
async fn sign_out_closes_every_socket_of_a_user_on_every_node_and_a_new_token_is_accepted() {
    let nodes = Nodes::open().await;
    let (ann, bob) = (token("Ann", "a"), token("Bob", "b"));
    let mut here = nodes.one.join(&ann).await.unwrap();
    let mut there = nodes.two.join(&ann).await.unwrap();
    let mut other = nodes.two.join(&bob).await.unwrap();
    let made = revoke(&nodes.one, json!({"user": "Ann", "reason": "a lost phone"})).await;
    assert_eq!((&made["user"], &made["jti"]), (&json!("Ann"), &Value::Null));
    assert_refused(&nodes.one, &ann).await;
    assert_eq!(code(&here.closed(IN_FORCE_WITHIN).await), 4501);
    assert_eq!(code(&there.closed(IN_FORCE_WITHIN).await), 4501);
    until_refused(&nodes.two, &ann).await;
    assert_refused(&nodes.two, &ann).await;
    other.ask(say("still here")).await.unwrap();

    // From the next second on, Ann can sign in again.
    let not_before = made["not_before"].as_i64().unwrap();
    assert!((now_ms() - 5_000..now_ms() + 1_001).contains(&not_before), "{made}");
    let claims = |iat: i64| json!({"sub": "Ann", "name": "Ann", "role": "viewer", "iat": iat, "exp": iat + 600});
    let (old, new) = (claims(not_before / 1_000 - 1), claims(not_before / 1_000));
    for node in nodes.both() {
        assert_refused(node, &sign_claims(KEY, &old)).await;
        node.server.rest().with_token(&sign_claims(KEY, &new)).get("/v1/orders").await.expect(200);
        let mut without_iat = new.clone();
        without_iat.as_object_mut().unwrap().remove("iat");
        assert_refused(node, &sign_claims(KEY, &without_iat)).await;
    }

    // The revocation is undone: what is still in time is accepted again.
    let root = nodes.two.rest("root", "admin");
    let path = format!("/v1/token-revocations/{}", id(&made));
    root.delete(&path).await.expect(204);
    root.delete(&path).await.expect_problem(404, "no_such_revocation");
    nodes.two.server.rest().with_token(&ann).get("/v1/orders").await.expect(200);
    let rest = nodes.one.server.rest().with_token(&ann);
    let accepted = async || (rest.get("/v1/orders").await.status == 200).then_some(());
    until_some("the token on the other node", IN_FORCE_WITHIN, accepted).await;
    let log = root.get("/v1/audit-log").await.expect(200);
    let kinds: Vec<&str> =
        log["items"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["restore_tokens", "revoke_tokens"]);
    let entry = &log["items"][1];
    assert_eq!(
        (&entry["user"], &entry["reason"], &entry["by"]["id"]),
        (&json!("Ann"), &json!("a lost phone"), &json!("root"))
    );
}

#[tokio::test]
async fn revocation_is_in_force_within_two_seconds_without_redis() {
    let mut nodes = Nodes::open().await;
    let (lost, kept) = (token("Ann", "lost"), token("Ann", "kept"));
    let mut with_lost = nodes.two.join(&lost).await.unwrap();
    let mut with_kept = nodes.two.join(&kept).await.unwrap();
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    revoke(&nodes.one, json!({"jti": "lost"})).await;
    assert_eq!(code(&with_lost.closed(IN_FORCE_WITHIN).await), 4501);
    until_refused(&nodes.two, &lost).await;
    // Another token of the same user stays valid: chat only says that it is delayed.
    nodes.two.server.rest().with_token(&kept).get("/v1/orders").await.expect(200);
    let answer = with_kept.ask(json!({"do": "react", "kind": "heart", "count": 1})).await;
    assert!(answer.is_ok() || answer.is_err_and(|error| error["code"] == "busy"));
}

#[tokio::test]
async fn only_an_admin_revokes_and_one_thing_at_a_time() {
    let shop = Shop::demo(&[]).await;
    for role in ["viewer", "moderator", "producer", "analyst", "host"] {
        let rest = shop.rest("Ann", role);
        rest.post("/v1/token-revocations", json!({"user": "Bob"})).await.expect_problem(403, "forbidden");
        rest.get("/v1/token-revocations").await.expect_problem(403, "forbidden");
        rest.get("/v1/audit-log").await.expect_problem(403, "forbidden");
        let unknown = "/v1/token-revocations/0190a0a0-0000-7000-8000-000000000000";
        rest.delete(unknown).await.expect_problem(403, "forbidden");
    }
    shop.server.rest().post("/v1/token-revocations", json!({"user": "Bob"})).await.expect_problem(401, "sign_in");
    let root = shop.rest("root", "admin");
    for bad in [
        json!({}),
        json!({"user": "Bob", "jti": "b"}),
        json!({"user": "a b"}),
        json!({"jti": ""}),
        json!({"jti": "x".repeat(257)}),
        json!({"user": "Bob", "reason": "x".repeat(201)}),
    ] {
        root.post("/v1/token-revocations", bad).await.expect_problem(400, "bad_request");
    }
    // Twice the same is one revocation.
    for _ in 0..2 {
        revoke(&shop, json!({"user": "Bob"})).await;
        revoke(&shop, json!({"jti": "one"})).await;
    }
    let page = root.get("/v1/token-revocations?limit=1").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let next = page["next"].as_str().unwrap();
    let rest = root.get(&format!("/v1/token-revocations?after={next}")).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));
    // An admin can sign out everywhere too.
    revoke(&shop, json!({"user": "root"})).await;
    root.get("/v1/orders").await.expect_problem(401, "token_revoked");
}
