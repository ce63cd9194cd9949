//! The hand-over from a shop's own site: a one-time code signs in once, for a minute, on a page that the site linked to.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::rest::{Rest, RestResponse};
use crate::support::shop::{KEY, Shop, sign};

const SITE: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";

/// A shop on PostgreSQL whose own site is `SITE`.
async fn shop() -> (Shop, Database) {
    let database = Database::migrated().await;
    let shop = Shop::serve_with(&database.url(), &database.url(), &["--allow-origin", SITE]).await;
    (shop, database)
}

async fn ask_for_code(rest: &Rest, origin: &str) -> RestResponse {
    rest.post("/v1/sign-in-codes", json!({ "origin": origin })).await
}

/// A new code of this user for `SITE`.
async fn code_of(shop: &Shop, user: &str) -> String {
    let made = ask_for_code(&shop.rest(user, "viewer"), SITE).await.expect(201);
    made["code"].as_str().expect("a code").to_owned()
}

/// Uses a code as our own page does: `origin` is the site that linked to the page.
async fn redeem(rest: &Rest, code: &str, origin: impl Into<Value>) -> RestResponse {
    rest.post("/v1/sign-in-codes/redeem", json!({"code": code, "origin": origin.into()})).await
}

#[tokio::test]
async fn code_gives_the_token_of_its_user_once() {
    let (shop, _database) = shop().await;
    let token = shop.token("Ann", "viewer");
    let anonymous = shop.server.rest();
    let made = ask_for_code(&anonymous.with_token(&token), SITE).await.expect(201);
    let code = made["code"].as_str().unwrap();
    assert!(code.len() == 40 && made["expires_at"].as_i64().unwrap() > 0, "{made}");
    let answer = redeem(&anonymous, code, SITE).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let signed_in = answer.expect(201);
    assert_eq!((signed_in["token"].as_str(), signed_in["user"].as_str()), (Some(token.as_str()), Some("Ann")));
    redeem(&anonymous, code, SITE).await.expect_problem(400, "sign_in_code_invalid");
    assert_eq!(shop.number("select count(*) from sign_in_codes").await, 0);
}

#[tokio::test]
async fn code_is_valid_for_a_minute() {
    let (shop, _database) = shop().await;
    let anonymous = shop.server.rest();
    let code = code_of(&shop, "Ann").await;
    shop.number("update sign_in_codes set expires_at = expires_at - 60000 returning expires_at").await;
    redeem(&anonymous, &code, SITE).await.expect_problem(400, "sign_in_code_invalid");
    // Almost a minute later another one is still valid.
    let code = code_of(&shop, "Ann").await;
    shop.number("update sign_in_codes set expires_at = expires_at - 40000 returning expires_at").await;
    redeem(&anonymous, &code, SITE).await.expect(201);
}

#[tokio::test]
async fn code_is_bound_to_the_site_that_asked_for_it() {
    let (shop, _database) = shop().await;
    let anonymous = shop.server.rest();
    for origin in [json!(EVIL), json!("https://shop.example.evil.example"), json!(""), json!("null"), Value::Null] {
        let code = code_of(&shop, "Ann").await;
        redeem(&anonymous, &code, origin).await.expect_problem(400, "sign_in_code_invalid");
        // It is used up: a thief cannot try the next site.
        redeem(&anonymous, &code, SITE).await.expect_problem(400, "sign_in_code_invalid");
    }
    // A page of the site itself is named by its browser, whatever it says.
    let from = async |site: &str, body: Value| {
        anonymous.send(Method::POST, "/v1/sign-in-codes/redeem", &[("origin", site)], Some(body)).await
    };
    let code = code_of(&shop, "Ann").await;
    from(SITE, json!({"code": code, "origin": EVIL})).await.expect(201);
    let code = code_of(&shop, "Ann").await;
    from(EVIL, json!({"code": code, "origin": SITE})).await.expect_problem(403, "origin_not_allowed");
    let own = shop.server.url.clone();
    from(&own, json!({"code": code, "origin": SITE})).await.expect(201);
}

#[tokio::test]
async fn only_a_signed_in_customer_of_an_allowed_site_gets_a_code() {
    let (shop, _database) = shop().await;
    let anonymous = shop.server.rest();
    ask_for_code(&anonymous, SITE).await.expect_problem(401, "sign_in");
    let forged = sign("another-key-that-the-server-does-not-know", "Ann", "viewer", 60);
    ask_for_code(&anonymous.with_token(&forged), SITE).await.expect_problem(401, "token_invalid");
    let expired = anonymous.with_token(&sign(KEY, "Ann", "viewer", -60));
    ask_for_code(&expired, SITE).await.expect_problem(401, "token_expired");
    let ann = shop.rest("Ann", "viewer");
    for origin in [EVIL, "https://shop.example.evil.example", "shop.example", "*", "null", ""] {
        ask_for_code(&ann, origin).await.expect_problem(403, "origin_not_allowed");
    }
    ann.post("/v1/sign-in-codes", json!({})).await.expect_problem(400, "bad_request");
    ask_for_code(&ann, "https://SHOP.example:443/").await.expect(201);
    ask_for_code(&ann, &shop.server.url).await.expect(201);
}

#[tokio::test]
async fn open_codes_of_a_user_and_attempts_of_an_address_are_limited() {
    let (shop, _database) = shop().await;
    let anonymous = shop.server.rest();
    let ann = shop.rest("Ann", "viewer");
    for _ in 0..10 {
        ask_for_code(&ann, SITE).await.expect(201);
    }
    let refused = ask_for_code(&ann, SITE).await.expect_problem(429, "too_many_requests");
    assert!((1..=60_000).contains(&refused["retry_ms"].as_i64().unwrap()), "{refused}");
    let bobs = code_of(&shop, "Bob").await;
    let (mut unknown, mut limited) = (0, 0);
    for _ in 0..200 {
        match redeem(&anonymous, "0123456789", SITE).await.body["code"].as_str() {
            Some("sign_in_code_invalid") => unknown += 1,
            Some("too_many_requests") => limited += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(unknown >= 60 && limited >= 1, "{unknown} were looked up, {limited} were refused before");
    // The bucket fills again, and a good code still counts.
    let used = async || {
        let answer = redeem(&anonymous, &bobs, SITE).await;
        (answer.status != 429).then_some(answer)
    };
    crate::support::until_some("free attempt", crate::support::SOON, used).await.expect(201);
}

#[tokio::test]
async fn code_of_one_node_works_on_another_and_only_once() {
    let (one, _database) = shop().await;
    let two = one.at_another_node(&["--allow-origin", SITE]).await;
    let nodes = [one.server.rest(), two.server.rest()];
    redeem(&nodes[1], &code_of(&one, "Ann").await, SITE).await.expect(201);
    for attempt in 0..10 {
        let code = code_of(&one, &format!("Ann-{attempt}")).await;
        let [first, second] = [redeem(&nodes[0], &code, SITE), redeem(&nodes[1], &code, SITE)];
        let mut statuses = <[u16; 2]>::from(tokio::join!(async { first.await.status }, async { second.await.status }));
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 400]);
    }
}

#[tokio::test]
async fn code_is_worth_no_more_than_its_token_and_goes_with_an_erasure() {
    let (shop, _database) = shop().await;
    let anonymous = shop.server.rest();
    let soon_over = anonymous.with_token(&sign(KEY, "Ann", "viewer", -58));
    let code = ask_for_code(&soon_over, SITE).await.expect(201)["code"].as_str().unwrap().to_owned();
    let over = async || (soon_over.get("/v1/orders").await.status == 401).then_some(());
    crate::support::until_some("end of the token", crate::support::SOON, over).await;
    redeem(&anonymous, &code, SITE).await.expect_problem(401, "token_expired");

    let code = code_of(&shop, "Bob").await;
    shop.rest("Bob", "viewer").delete("/v1/me").await.expect(200);
    redeem(&anonymous, &code, SITE).await.expect_problem(400, "sign_in_code_invalid");
}
