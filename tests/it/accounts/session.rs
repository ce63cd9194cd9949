//! Sessions: the same in every tab and on every node, for weeks, until one signs out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::nodes::fixture::Nodes;
use crate::support::cookie_page::{CookiePage, last_code};
use crate::support::shop::Shop;
use crate::support::{SOON, until_some};

/// What is promised, and half a second for this machine.
const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);

async fn kind(page: &CookiePage) -> Value {
    page.get("/v1/session").await.expect(200)["kind"].clone()
}

#[tokio::test]
async fn guest_has_a_name_chats_and_buys() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"price": 100})).await;
    let page = CookiePage::of(&shop.server);
    assert_eq!(kind(&page).await, "anonymous");
    for bad in ["Noura (HOST)", "\u{200b}"] {
        assert!(page.post("/v1/session/guest", json!({"name": bad})).await.status >= 400, "{bad}");
    }
    let user = page.sign_in_guest("Ann").await;
    let who = page.get("/v1/session").await.expect(200);
    assert_eq!((&who["kind"], &who["user"], &who["name"]), (&json!("guest"), &json!(user), &json!("Ann")));
    let mut live = page.join(&shop.stream).await.unwrap();
    live.ask(json!({"do": "say", "text": "hello"})).await.unwrap();
    let order = page.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
    let mine = page.get("/v1/orders").await.expect(200);
    assert_eq!(mine["items"][0]["id"], order["id"]);
    // Another guest of the same name is somebody else.
    let other = CookiePage::of(&shop.server);
    other.sign_in_guest("Ann").await;
    assert_eq!(other.get("/v1/orders").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn new_name_is_the_name_in_every_session_of_the_user() {
    let shop = Shop::demo(&[]).await;
    let (laptop, phone) = (CookiePage::of(&shop.server), CookiePage::of(&shop.server));
    laptop.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    phone.sign_in_by_email(&shop.server, "ann@example.com", "Somebody").await;
    laptop.patch("/v1/session", json!({"name": "Admin"})).await.expect_problem(422, "name_claims_role");
    let renamed = laptop.patch("/v1/session", json!({"name": "Anna"})).await.expect(200);
    assert_eq!(renamed["name"], "Anna");
    for page in [&laptop, &phone] {
        assert_eq!(page.get("/v1/session").await.expect(200)["name"], "Anna");
        assert_eq!(page.join(&shop.stream).await.unwrap().hello["you"]["name"], "Anna");
    }
    shop.rest("Bob", "viewer")
        .send(reqwest::Method::PATCH, "/v1/session", &[], Some(json!({"name": "B"})))
        .await
        .expect_problem(409, "no_session");
}

#[tokio::test]
async fn sign_out_ends_this_session_and_everywhere_ends_all_on_every_node() {
    let nodes = Nodes::open().await;
    let (one, two) = (&nodes.one.server, &nodes.two.server);
    let laptop = CookiePage::of(one);
    let user = laptop.sign_in_guest("Ann").await;
    let there = laptop.at_node(two);
    assert_eq!(there.get("/v1/session").await.expect(200)["user"], user.as_str());
    let mut here_live = laptop.join(&nodes.one.stream).await.unwrap();
    let mut there_live = there.join(&nodes.one.stream).await.unwrap();
    let bob = CookiePage::of(two);
    bob.sign_in_guest("Bob").await;
    let mut other_live = bob.join(&nodes.one.stream).await.unwrap();

    let copy = laptop.with_origin(&one.url);
    laptop.delete("/v1/session").await.expect(204);
    assert_eq!((laptop.cookie_header().as_str(), kind(&laptop).await), ("", json!("anonymous")));
    assert_eq!(kind(&copy).await, "anonymous", "a copy of the cookie is worth nothing");
    assert_eq!(here_live.closed(IN_FORCE_WITHIN).await.code, 4501);
    assert_eq!(there_live.closed(IN_FORCE_WITHIN).await.code, 4501);
    let signed_out = async || (kind(&there).await == "anonymous").then_some(());
    until_some("sign-out on the other node", IN_FORCE_WITHIN, signed_out).await;
    other_live.ask(json!({"do": "say", "text": "still here"})).await.unwrap();

    // Everywhere: Bob has two browsers.
    bob.delete("/v1/sessions").await.expect(204);
    assert_eq!(other_live.closed(IN_FORCE_WITHIN).await.code, 4501);
    assert_eq!(kind(&bob).await, "anonymous");
    // Signing in again at once works.
    bob.sign_in_guest("Bob").await;
    assert_eq!(kind(&bob).await, "guest");
}

#[tokio::test]
async fn account_sees_its_sessions_and_ends_one_or_all() {
    let shop = Shop::demo(&[]).await;
    let (laptop, phone, old) =
        (CookiePage::of(&shop.server), CookiePage::of(&shop.server), CookiePage::of(&shop.server));
    for page in [&old, &phone, &laptop] {
        page.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    }
    let list = laptop.get("/v1/sessions").await.expect(200);
    let sessions = list["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    let current: Vec<bool> = sessions.iter().map(|session| session["is_current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false, false]);
    let mut live = old.join(&shop.stream).await.unwrap();
    laptop.delete(&format!("/v1/sessions/{}", sessions[2]["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(live.closed(SOON).await.code, 4501);
    assert_eq!((kind(&old).await, kind(&phone).await), (json!("anonymous"), json!("account")));
    // Nobody ends the session of somebody else.
    let bob = CookiePage::of(&shop.server);
    bob.sign_in_guest("Bob").await;
    bob.delete(&format!("/v1/sessions/{}", sessions[0]["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(kind(&laptop).await, "account");
    laptop.delete("/v1/sessions").await.expect(204);
    for page in [&laptop, &phone] {
        assert_eq!(kind(page).await, "anonymous");
    }
    assert_eq!(kind(&bob).await, "guest");
}

#[tokio::test]
async fn session_that_is_used_lasts_longer_and_one_that_is_not_is_deleted() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    page.sign_in_guest("Ann").await;
    // Two hours ago it had a day left. It is used now, so it lasts for weeks again.
    let day = "update sign_in_sessions set last_used_at = last_used_at - 7200000,
        expires_at = last_used_at + 86400000 returning 1";
    shop.number(day).await;
    let used = async || {
        page.get("/v1/session").await.expect(200);
        let left = shop.number("select min(expires_at - last_used_at) from sign_in_sessions").await;
        (left == 30 * 86_400_000).then_some(())
    };
    until_some("longer session", SOON, used).await;
    // It was not used for a month.
    let other = CookiePage::of(&shop.server);
    other.sign_in_guest("Bob").await;
    shop.number("update sign_in_sessions set expires_at = created_at where name = 'Bob' returning 1").await;
    let ended = async || (kind(&other).await == "anonymous").then_some(());
    until_some("end of the session", SOON, ended).await;
    assert_eq!(other.cookie_header(), "", "the browser forgets the cookie too");
    assert_eq!(kind(&page).await, "guest");
}

#[tokio::test]
async fn erasure_of_an_account_ends_its_sessions_and_forgets_its_address() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    page.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    page.delete("/v1/me").await.expect(200);
    let ended = async || (kind(&page).await == "anonymous").then_some(());
    until_some("end of the session", SOON, ended).await;
    let left = "select (select count(*) from accounts) + (select count(*) from email_codes)
        + (select count(*) from sign_in_sessions)";
    assert_eq!(shop.number(left).await, 0);
}

#[tokio::test]
async fn orders_of_a_guest_join_the_account_after_the_proof_and_a_link_shows_one_order() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"price": 100, "per_buyer": 2})).await;
    let page = CookiePage::of(&shop.server);
    page.sign_in_guest("Ann").await;
    let buy = async |page: &CookiePage| page.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await;
    let order = buy(&page).await.expect(201);
    let order = order["id"].as_str().unwrap();
    let link = page.post(&format!("/v1/orders/{order}/link"), json!({})).await.expect(201);
    let mut live = page.join(&shop.stream).await.unwrap();

    // Somebody who proves the address elsewhere does not get what this guest bought.
    let other = CookiePage::of(&shop.server);
    other.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    assert_eq!(other.get("/v1/orders").await.expect(200)["items"], json!([]));
    assert_eq!(page.get("/v1/orders").await.expect(200)["items"].as_array().unwrap().len(), 1);

    // Nor does a wrong code move anything.
    let asked = page.post("/v1/session/email", json!({"email": "ann@example.com"})).await.expect(202);
    let code = last_code(&shop.server, "ann@example.com").await;
    let wrong = json!({"id": asked["id"], "code": if code == "111111" { "222222" } else { "111111" }});
    page.post("/v1/session/email/verify", wrong).await.expect_problem(400, "email_code_wrong");
    assert_eq!(kind(&page).await, "guest");
    assert_eq!(other.get("/v1/orders").await.expect(200)["items"], json!([]));

    page.sign_in_by_email(&shop.server, "ann@example.com", "Other").await;
    for page in [&page, &other] {
        assert_eq!(page.get("/v1/orders").await.expect(200)["items"][0]["id"], order);
    }
    assert_eq!(live.closed(SOON).await.code, 4501, "the guest has ended");
    buy(&other).await.expect(201);
    buy(&page).await.expect_problem(409, "buyer_limit");

    // Without a session, by the link.
    let anonymous = shop.server.rest();
    let secret = link["secret"].as_str().unwrap();
    let seen = anonymous.post("/v1/order-links", json!({ "secret": secret })).await.expect(200);
    assert_eq!((&seen["id"], &seen["address"]), (&json!(order), &Value::Null));
    anonymous.post("/v1/order-links", json!({"secret": "0".repeat(64)})).await.expect_problem(404, "not_yours");
    assert_eq!(shop.number("select count(*) from order_links").await, 1);
    for file in ["livesouk.db", "livesouk.db-wal"] {
        let stored = std::fs::read(shop.server.data().join(file)).unwrap_or_default();
        assert!(!stored.windows(64).any(|part| part == secret.as_bytes()), "{file} has the hash only");
    }
}

#[tokio::test]
async fn offer_for_verified_buyers_is_not_for_guests_and_limits_hold_for_the_person() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({"price": 100, "per_buyer": 1, "buyers": "verified"})).await;
    assert_eq!(shop.offer(&offer).await["buyers"], "verified");
    let buy = async |page: &CookiePage| page.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await;
    let guest = CookiePage::of(&shop.server);
    guest.sign_in_guest("Ann").await;
    buy(&guest).await.expect_problem(403, "buyers_verified");
    guest.sign_in_by_email(&shop.server, "ann+1@example.com", "Ann").await;
    buy(&guest).await.expect(201);
    // Another account of the same mailbox is the same person; another mailbox is not.
    let alias = CookiePage::of(&shop.server);
    alias.sign_in_by_email(&shop.server, "ann+2@example.com", "Ann").await;
    buy(&alias).await.expect_problem(409, "buyer_limit");
    let bob = CookiePage::of(&shop.server);
    bob.sign_in_by_email(&shop.server, "bob@example.com", "Bob").await;
    buy(&bob).await.expect(201);
    // The user of a token has an account at the shop's own site.
    let token = shop.rest("Carl", "viewer");
    token.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
}

#[tokio::test]
async fn ban_holds_for_the_person_under_another_account_and_after_a_guest_signs_in() {
    let shop = Shop::demo(&[]).await;
    let say = async |page: &CookiePage| page.post(&shop.path("messages"), json!({"text": "hello"})).await;
    let ban = async |user: &str| shop.host.put(&shop.path(&format!("bans/{user}")), json!({})).await.expect(200);
    let guest = CookiePage::of(&shop.server);
    let user = guest.sign_in_guest("Ann").await;
    ban(&user).await;
    say(&guest).await.expect_problem(403, "banned");
    guest.sign_in_by_email(&shop.server, "ann+1@example.com", "Ann").await;
    let still = async || (say(&guest).await.body["code"] == "banned").then_some(());
    until_some("ban of the account", IN_FORCE_WITHIN, still).await;
    let alias = CookiePage::of(&shop.server);
    let second = alias.sign_in_by_email(&shop.server, "ann+2@example.com", "Ann").await;
    say(&alias).await.expect_problem(403, "banned");

    // The other way round: what is imposed on the second account binds the first.
    let bob = CookiePage::of(&shop.server);
    bob.sign_in_by_email(&shop.server, "bob@example.com", "Bob").await;
    let bobs = CookiePage::of(&shop.server);
    let alias_of_bob = bobs.sign_in_by_email(&shop.server, "bob+2@example.com", "Bob").await;
    say(&bob).await.expect(201);
    ban(&alias_of_bob).await;
    say(&bob).await.expect_problem(403, "banned");
    assert_ne!(second, user);
}
