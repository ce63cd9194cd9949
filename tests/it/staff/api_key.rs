//! API keys of programs: what they may do, how they end, and what is known of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::role::{IN_FORCE_WITHIN, age_sessions, demo_with_owner, join};
use crate::support::cookie_page::CookiePage;
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, now_ms};
use crate::support::{SOON, until_some};

const SOME_ID: &str = "01890000-0000-7000-8000-000000000000";

/// A key with these scopes: its id, and the program that has it.
async fn new_key(shop: &Shop, maker: &CookiePage, name: &str, scopes: &[&str]) -> (String, Rest) {
    let made = maker.post("/v1/api-keys", json!({"name": name, "scopes": scopes})).await.expect(201);
    (id(&made["key"]), shop.server.rest().with_token(made["secret"].as_str().unwrap()))
}

fn all_scopes(list: &Value) -> Vec<&str> {
    list["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect()
}

async fn until_refused(program: &Rest) {
    let refused = async || (program.get("/v1/products").await.status == 401).then_some(());
    until_some("the end of the key", IN_FORCE_WITHIN, refused).await;
}

#[tokio::test]
async fn key_does_what_its_scopes_name_and_is_shown_once() {
    let (shop, owner, _) = demo_with_owner().await;
    let made = owner.post("/v1/api-keys", json!({"name": "Warehouse"})).await.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("lsk_live_") && secret.len() == 58, "{secret}");
    assert_eq!(made["key"]["scopes"], json!(["products:read", "shows:read", "offers:read", "orders:read"]));
    let reader = shop.server.rest().with_token(secret);
    let products = reader.get("/v1/products").await.expect(200);
    assert!(products["items"][0]["variants"][0]["stock"].is_number(), "a program sees the stock: {products}");
    reader.get("/v1/shop/orders").await.expect(200);
    let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 100, "stock": 1}]});
    reader.post("/v1/products", product.clone()).await.expect_problem(403, "scope_missing");
    reader.get("/v1/staff").await.expect_problem(403, "scope_missing");

    let (_, writer) = new_key(&shop, &owner, "Shop system", &["products:write"]).await;
    writer.post("/v1/products", product).await.expect(201);
    writer.get("/v1/products").await.expect_problem(403, "scope_missing");
    // The socket is for people.
    let closed = shop.join(secret).await.expect_err("a key on the socket");
    assert_eq!(closed.code, 4501);

    let listed = owner.get("/v1/api-keys").await.expect(200);
    assert!(!listed.to_string().contains(&secret[9..50]), "{listed}");
    for file in ["livesouk.db", "livesouk.db-wal"] {
        let bytes = std::fs::read(shop.server.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(40).any(|part| part == &secret.as_bytes()[9..49]), "the secret is in {file}");
    }
    let log = owner.get("/v1/audit-log").await.expect(200);
    let newest = &log["items"][0];
    assert_eq!((&newest["kind"], &newest["name"]), (&json!("create_api_key"), &json!("Shop system")));
}

#[tokio::test]
async fn no_key_reaches_a_route_without_a_scope() {
    let (shop, owner, _) = demo_with_owner().await;
    let listed = owner.get("/v1/api-keys").await.expect(200);
    let (_, program) = new_key(&shop, &owner, "Everything", &all_scopes(&listed)).await;
    let document = shop.server.rest().get("/v1/openapi.json").await.expect(200);
    let (mut open, mut closed) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let is_public = operation["security"].as_array().is_some_and(Vec::is_empty);
            if is_public || path.starts_with("/v1/session") {
                continue;
            }
            let path: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { SOME_ID } else { part }).collect();
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let ask = async || {
                let answer = program.send(method.clone(), &path.join("/"), &[], None).await;
                (answer.status != 429).then_some(answer)
            };
            let answer = until_some("an answer that is not limited", SOON, ask).await;
            let is_refused = answer.body["code"] == "scope_missing";
            assert_eq!(is_refused, operation["x-scope"].is_null(), "{method} {path:?}: {answer:?}");
            *if is_refused { &mut closed } else { &mut open } += 1;
        }
    }
    assert!(open > 50 && closed > 50, "{open} open, {closed} closed");
}

#[tokio::test]
async fn making_a_key_needs_a_fresh_session_of_an_admin() {
    let (shop, owner, _) = demo_with_owner().await;
    let form = || json!({"name": "Warehouse"});
    let (host, _) = join(&shop, &owner, "hana@example.com", "host").await;
    host.post("/v1/api-keys", form()).await.expect_problem(403, "forbidden");
    host.get("/v1/api-keys").await.expect_problem(403, "forbidden");
    shop.rest("Root", "admin").post("/v1/api-keys", form()).await.expect_problem(409, "no_session");
    for (wrong, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "A", "scopes": []}), "scopes"),
        (json!({"name": "A", "scopes": ["team:write"]}), "scopes"),
        (json!({"name": "A", "expires_at": 1}), "expires_at"),
    ] {
        let refused = owner.post("/v1/api-keys", wrong).await.expect_problem(400, "bad_request");
        assert_eq!(refused["field"], field);
    }
    let (key, _) = new_key(&shop, &owner, "Old", &["products:read"]).await;
    age_sessions(&shop).await;
    let asked = async || (owner.post("/v1/api-keys", form()).await.body["code"] == "sign_in_again").then_some(());
    until_some("refusal of an old sign-in", IN_FORCE_WITHIN, asked).await;
    owner.post(&format!("/v1/api-keys/{key}/rotate"), json!({})).await.expect_problem(403, "sign_in_again");
    // Whoever finds a leaked key ends it at once.
    owner.delete(&format!("/v1/api-keys/{key}")).await.expect(204);
}

#[tokio::test]
async fn two_keys_live_while_a_program_changes_over() {
    let (shop, owner, _) = demo_with_owner().await;
    let (first, old) = new_key(&shop, &owner, "Warehouse", &["products:read"]).await;
    let rotate = format!("/v1/api-keys/{first}/rotate");
    owner.post(&rotate, json!({"hours": 169})).await.expect_problem(400, "bad_request");
    let made = owner.post(&rotate, json!({})).await.expect(201);
    assert_eq!((&made["key"]["name"], &made["key"]["scopes"]), (&json!("Warehouse"), &json!(["products:read"])));
    let new = shop.server.rest().with_token(made["secret"].as_str().unwrap());
    old.get("/v1/products").await.expect(200);
    new.get("/v1/products").await.expect(200);
    // The old one ends in a day; a third one has no place beside them.
    owner.post(&rotate, json!({})).await.expect_problem(409, "wrong_status");
    let second = id(&made["key"]);
    let listed = owner.get("/v1/api-keys").await.expect(200);
    let ends = |key: &str| {
        let keys = listed["keys"].as_array().unwrap();
        keys.iter().find(|one| one["id"] == key).unwrap()["expires_at"].as_i64()
    };
    assert!(ends(&first).is_some() && ends(&second).is_none(), "{listed}");
    owner.delete(&format!("/v1/api-keys/{first}")).await.expect(204);
    until_refused(&old).await;
    owner.delete(&format!("/v1/api-keys/{first}")).await.expect_problem(404, "no_such_api_key");
    owner.post(&format!("/v1/api-keys/{second}/rotate"), json!({"hours": 0})).await.expect(201);
    until_refused(&new).await;
}

#[tokio::test]
async fn key_answers_with_the_reason_after_its_end() {
    let (shop, owner, _) = demo_with_owner().await;
    let ends_at = now_ms() + 3_600_000;
    let form = json!({"name": "Auditor", "scopes": ["products:read"], "expires_at": ends_at});
    let made = owner.post("/v1/api-keys", form).await.expect(201);
    assert_eq!((&made["key"]["expires_at"], &made["key"]["is_in_force"]), (&json!(ends_at), &json!(true)));
    let program = shop.server.rest().with_token(made["secret"].as_str().unwrap());
    program.get("/v1/products").await.expect(200);
    shop.change("update api_keys set expires_at = created_at").await;
    until_refused(&program).await;
    let refused = program.get("/v1/products").await.expect_problem(401, "token_invalid");
    assert_eq!(refused["detail"], "This API key has reached the end of its time. Ask the shop for a new one.");
    let listed = owner.get("/v1/api-keys").await.expect(200);
    assert_eq!(listed["keys"][0]["is_in_force"], false, "{listed}");
    let (other, stopped) = new_key(&shop, &owner, "Other", &["products:read"]).await;
    owner.delete(&format!("/v1/api-keys/{other}")).await.expect(204);
    let refused = stopped.get("/v1/products").await.expect_problem(401, "token_invalid");
    assert_eq!(refused["detail"], "This API key was ended by the shop.");
    let unknown = shop.server.rest().with_token(&format!("lsk_live_{}", "0".repeat(49)));
    let refused = unknown.get("/v1/products").await.expect_problem(401, "token_invalid");
    assert_eq!(refused["detail"], "The token is not valid.");
}

#[tokio::test]
async fn key_that_replaces_another_ends_when_that_one_was_meant_to_end() {
    let (_shop, owner, _) = demo_with_owner().await;
    let in_a_year = now_ms() + 365 * 86_400_000;
    let form = json!({"name": "Auditor", "scopes": ["products:read"], "expires_at": in_a_year});
    let first = id(&owner.post("/v1/api-keys", form).await.expect(201)["key"]);
    let made = owner.post(&format!("/v1/api-keys/{first}/rotate"), json!({})).await.expect(201);
    assert_eq!(made["key"]["expires_at"], in_a_year, "access for a year does not become access forever");
}

#[tokio::test]
async fn key_ends_when_its_maker_loses_power_or_is_erased() {
    let (shop, owner, _) = demo_with_owner().await;
    for (email, is_erased) in [("adam@example.com", false), ("alia@example.com", true)] {
        let (admin, account) = join(&shop, &owner, email, "admin").await;
        let (_, program) = new_key(&shop, &admin, email.split('@').next().unwrap(), &["products:read"]).await;
        program.get("/v1/products").await.expect(200);
        // A ban takes the power for as long as it lasts.
        let ban = shop.path(&format!("bans/acct:{account}"));
        owner.put(&ban, json!({})).await.expect(200);
        until_refused(&program).await;
        owner.delete(&ban).await.expect(204);
        let works = async || (program.get("/v1/products").await.status == 200).then_some(());
        until_some("the key after the ban", SOON, works).await;
        match is_erased {
            false => drop(owner.put(&format!("/v1/staff/{account}"), json!({"role": "host"})).await.expect(204)),
            true => drop(owner.delete(&format!("/v1/users/acct:{account}")).await.expect(200)),
        }
        until_refused(&program).await;
        // Power that comes back does not bring the key back.
        if !is_erased {
            owner.put(&format!("/v1/staff/{account}"), json!({"role": "admin"})).await.expect(204);
            program.get("/v1/products").await.expect_problem(401, "token_invalid");
        }
    }
}

#[tokio::test]
async fn use_of_a_key_is_known_to_the_minute() {
    let (shop, owner, _) = demo_with_owner().await;
    let (_, program) = new_key(&shop, &owner, "Warehouse", &["products:read"]).await;
    assert!(owner.get("/v1/api-keys").await.expect(200)["keys"][0]["last_used_at"].is_null());
    program.get("/v1/products").await.expect(200);
    let used = async || owner.get("/v1/api-keys").await.expect(200)["keys"][0]["last_used_at"].as_i64();
    let used_at = until_some("the use to be written", SOON, used).await;
    assert_eq!(used_at % 60_000, 0);
}

#[tokio::test]
async fn answers_to_a_program_say_how_much_it_may_still_send() {
    let (shop, owner, _) = demo_with_owner().await;
    let (_, program) = new_key(&shop, &owner, "Warehouse", &["products:read"]).await;
    let first = program.get("/v1/products").await;
    assert_eq!(first.header("ratelimit-policy"), Some("\"key\";q=50;w=5"));
    assert_eq!(first.header("ratelimit"), Some("\"key\";r=49;t=1"));
    let refused = async || {
        let answer = program.get("/v1/products").await;
        (answer.status == 429).then_some(answer)
    };
    let refused = until_some("the end of the bucket", SOON, refused).await;
    assert_eq!((refused.header("retry-after"), refused.body["code"].as_str()), (Some("1"), Some("too_many_requests")));
    assert!(refused.header("ratelimit").is_some_and(|state| state.starts_with("\"key\";r=0;t=")), "{refused:?}");
    // Another key has a bucket of its own, and people have none here.
    let (_, other) = new_key(&shop, &owner, "Other", &["products:read"]).await;
    other.get("/v1/products").await.expect(200);
    assert_eq!(owner.get("/v1/products").await.header("ratelimit"), None);
    let opened = shop.server.rest().post("/v1/setup/open", json!({"code": "unknown"})).await;
    assert_eq!(opened.header("ratelimit-policy"), Some("\"address\";q=60;w=6"));
}

#[tokio::test]
async fn whoever_guesses_keys_is_refused_before_the_database_is_asked() {
    let (shop, owner, _) = demo_with_owner().await;
    let (_, program) = new_key(&shop, &owner, "Warehouse", &["products:read"]).await;
    program.get("/v1/products").await.expect(200);
    let wrong = shop.server.rest().with_token("lsk_live_wrong");
    wrong.get("/v1/products").await.expect_problem(401, "token_invalid");
    let refused = async || (wrong.get("/v1/products").await.status == 429).then_some(());
    until_some("the guesses to be refused", SOON, refused).await;
    // A program at the same address that is known goes on.
    program.get("/v1/products").await.expect(200);
}

#[tokio::test]
async fn key_that_is_rotated_twice_gives_the_new_key_the_end_that_was_meant() {
    let (shop, owner, _) = demo_with_owner().await;
    let (first, _) = new_key(&shop, &owner, "Warehouse", &["products:read"]).await;
    let rotate = format!("/v1/api-keys/{first}/rotate");
    let second = owner.post(&rotate, json!({})).await.expect(201);
    owner.delete(&format!("/v1/api-keys/{}", id(&second["key"]))).await.expect(204);
    let third = owner.post(&rotate, json!({})).await.expect(201);
    assert_eq!(third["key"]["expires_at"], Value::Null, "the former key ends in a day, its replacement never");
}
