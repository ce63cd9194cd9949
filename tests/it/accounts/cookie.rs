//! When the cookie of a session counts: a page of our own, one of another site, one of a sibling subdomain.

use reqwest::Method;
use serde_json::json;

use crate::support::cookie_page::CookiePage;
use crate::support::postgres::Database;
use crate::support::shop::Shop;

const BASE: &str = "https://live.shop.example";
const SIBLING: &str = "https://blog.shop.example";
const FOREIGN: &str = "https://evil.example";

/// A shop behind a proxy that ends TLS, which allows every origin.
async fn shop() -> (Shop, Database) {
    let database = Database::migrated().await;
    let more = ["--base-url", BASE, "--allow-origin", "*"];
    let shop = Shop::serve_with(&database.url(), &database.url(), &more).await;
    (shop, database)
}

#[tokio::test]
async fn cookie_counts_for_our_own_page_and_not_for_a_foreign_or_a_sibling_page() {
    let (shop, _database) = shop().await;
    let own = CookiePage::at(&shop.server.url, BASE);
    let user = own.sign_in_guest("Ann").await;
    assert!(own.cookie("__Host-livesouk").is_some() && user.starts_with("guest:"), "{user}");
    let message = json!({"text": "hello"});
    own.post(&shop.path("messages"), message.clone()).await.expect(201);
    own.get("/v1/orders").await.expect(200);
    assert_eq!(own.join(&shop.stream).await.unwrap().hello["you"]["id"], user.as_str());

    for origin in [FOREIGN, SIBLING, "https://shop.example", "http://live.shop.example", "null"] {
        // The browser sends the cookie to our server whatever page asks: a page of a sibling subdomain is "same-site".
        let page = own.with_origin(origin);
        page.post(&shop.path("messages"), message.clone()).await.expect_problem(401, "sign_in");
        page.delete("/v1/me").await.expect_problem(401, "sign_in");
        page.delete("/v1/sessions").await.expect_problem(401, "sign_in");
        page.get("/v1/orders").await.expect_problem(401, "sign_in");
        let joined = page.join(&shop.stream).await.unwrap();
        assert_eq!(joined.hello["you"]["role"], "anonymous", "{origin}");
        page.post("/v1/session/guest", json!({"name": "Eve"})).await.expect_problem(403, "origin_not_allowed");
        page.post("/v1/session/email", json!({"email": "eve@example.com"}))
            .await
            .expect_problem(403, "origin_not_allowed");
        // A preflight that asks for credentials gets none.
        let asks = [("origin", origin), ("access-control-request-method", "POST")];
        let answer = shop.server.rest().send(Method::OPTIONS, "/v1/me", &asks, None).await;
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
    }
    // They are all still there.
    own.get("/v1/orders").await.expect(200);
}

#[tokio::test]
async fn reading_with_a_cookie_needs_a_sign_that_our_own_page_reads() {
    let (shop, _database) = shop().await;
    let own = CookiePage::at(&shop.server.url, BASE);
    own.sign_in_guest("Ann").await;
    let cookie = own.cookie_header();
    for (more, status) in [
        (&[("sec-fetch-site", "same-origin")][..], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("sec-fetch-site", "same-site")], 401),
        (&[("sec-fetch-site", "cross-site")], 401),
        (&[("origin", SIBLING), ("sec-fetch-site", "same-site")], 401),
        (&[], 401),
    ] {
        let headers: Vec<_> = more.iter().copied().chain([("cookie", cookie.as_str())]).collect();
        let answer = shop.server.rest().send(Method::GET, "/v1/orders", &headers, None).await;
        assert_eq!(answer.status, status, "{more:?}");
    }
}

#[tokio::test]
async fn bearer_token_wins_over_a_cookie() {
    let (shop, _database) = shop().await;
    let own = CookiePage::at(&shop.server.url, BASE);
    own.sign_in_guest("Ann").await;
    let (cookie, token) = (own.cookie_header(), format!("Bearer {}", shop.token("Bob", "viewer")));
    let headers = [("cookie", cookie.as_str()), ("origin", BASE), ("authorization", token.as_str())];
    let who = shop.server.rest().send(Method::GET, "/v1/session", &headers, None).await.expect(200);
    assert_eq!((&who["user"], &who["kind"]), (&json!("Bob"), &json!("token")));
    // An invalid token is refused, also beside a good cookie.
    let headers = [("cookie", cookie.as_str()), ("origin", BASE), ("authorization", "Bearer a.b.c")];
    let answer = shop.server.rest().send(Method::GET, "/v1/session", &headers, None).await;
    answer.expect_problem(401, "token_invalid");
    // A code for another site replaces a token, never a session.
    own.post("/v1/sign-in-codes", json!({"origin": BASE})).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn plain_http_has_a_cookie_of_its_own_and_our_origin_is_the_host_of_the_request() {
    let shop = Shop::demo(&[]).await;
    let own = CookiePage::of(&shop.server);
    own.sign_in_guest("Ann").await;
    assert!(own.cookie("livesouk_dev").is_some());
    own.post(&shop.path("messages"), json!({"text": "hello"})).await.expect(201);
    let cookie = own.cookie_header();
    // Browsers send neither header on plain HTTP when a page of ours reads.
    let read = async |more: &[(&str, &str)]| {
        let headers: Vec<_> = more.iter().copied().chain([("cookie", cookie.as_str())]).collect();
        shop.server.rest().send(Method::GET, "/v1/orders", &headers, None).await.status
    };
    assert_eq!((read(&[]).await, read(&[("sec-fetch-site", "cross-site")]).await), (200, 401));
    // Another port of the same host is another origin, to which the browser sends the cookie too.
    let headers = [("cookie", cookie.as_str()), ("origin", "http://127.0.0.1:1")];
    let answer = shop.server.rest().send(Method::DELETE, "/v1/me", &headers, None).await;
    answer.expect_problem(403, "origin_not_allowed");
    // A program without a page gets no session, and none counts for its changes.
    let rest = shop.server.rest();
    rest.post("/v1/session/guest", json!({"name": "Eve"})).await.expect_problem(403, "origin_not_allowed");
    let headers = [("cookie", cookie.as_str())];
    rest.send(Method::DELETE, "/v1/me", &headers, None).await.expect_problem(401, "sign_in");
}

#[tokio::test]
async fn token_with_a_user_id_of_ours_is_refused() {
    let shop = Shop::demo(&[]).await;
    let user = CookiePage::of(&shop.server).sign_in_guest("Ann").await;
    for sub in [user.as_str(), "guest:ann", "acct:0190a0a0-0000-7000-8000-000000000001"] {
        shop.rest(sub, "viewer").get("/v1/orders").await.expect_problem(401, "token_invalid");
    }
}
