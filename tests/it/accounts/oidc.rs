//! Signing in with an identity provider: bound to the browser, and linked to an account only by an address that counts.

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::staff::first_start::form;
use crate::support::cookie_page::CookiePage;
use crate::support::new_shop::NewShop;
use crate::support::oidc_provider::OidcProvider;
use crate::support::{SOON, until_some};

/// A shop with an owner, noura@example.com, and this identity provider.
async fn shop_of(folder: &std::path::Path, provider: &OidcProvider, trusts_email: bool) -> NewShop {
    let (issuer, trust) = (format!("--oidc-issuer={}", provider.issuer), format!("--oidc-trust-email={trusts_email}"));
    let options = [&*issuer, &*trust, "--oidc-client-id=shop", "--oidc-client-secret=secret", "--oidc-name=Souk ID"];
    let mut shop = NewShop::serve(folder, &options).await;
    let code = shop.code().await;
    shop.page().post("/v1/setup", form(&code)).await.expect(201);
    shop
}

/// Goes to the provider, signs in there, and gives what our page sends.
async fn answer(page: &CookiePage, provider: &OidcProvider, subject: &str) -> Value {
    let start = page.post("/v1/session/oidc", json!({})).await.expect(201);
    let given = provider.sign_in(start["url"].as_str().unwrap(), subject).await;
    given.into_iter().filter(|(name, _)| name != "iss").map(|(name, value)| (name, Value::from(value))).collect()
}

async fn finish(page: &CookiePage, answer: &Value) -> Value {
    page.post("/v1/session/oidc/finish", answer.clone()).await.expect(201)
}

#[tokio::test]
async fn verified_address_of_a_trusted_provider_signs_in_to_its_account_with_its_roles() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), OidcProvider::start().await);
    let shop = shop_of(folder.path(), &provider, true).await;
    let owner = json!({"email": "noura@example.com", "email_verified": true, "nickname": "Noura A."});
    provider.set_user("noura", &owner).await;
    let page = shop.page();
    assert_eq!(page.get("/v1/session").await.expect(200)["oidc"], "Souk ID");
    page.sign_in_guest("A guest").await;
    let me = finish(&page, &answer(&page, &provider, "noura").await).await;
    assert_eq!((&me["kind"], &me["role"], &me["email"]), (&json!("account"), &json!("owner"), &owner["email"]));
    page.get("/v1/staff").await.expect(200);

    // An address that nobody verified is nobody's: it leads to an account of its own, without a role.
    let unverified = json!({"email": "noura@example.com", "email_verified": false, "nickname": "Eve"});
    provider.set_user("eve", &unverified).await;
    let other = shop.page();
    let eve = finish(&other, &answer(&other, &provider, "eve").await).await;
    assert_eq!((&eve["kind"], &eve["role"], &eve["email"]), (&json!("account"), &json!("viewer"), &Value::Null));
    assert_ne!(eve["user"], me["user"]);
    // Nobody gets the name of the team.
    provider.set_user("mallory", &json!({"nickname": "Noura"})).await;
    let third = shop.page();
    let mallory = finish(&third, &answer(&third, &provider, "mallory").await).await;
    assert!(mallory["name"].as_str().unwrap().starts_with("Shopper "), "{mallory}");
}

#[tokio::test]
async fn provider_that_is_not_trusted_for_addresses_gives_each_identity_its_own_account() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), OidcProvider::start().await);
    let shop = shop_of(folder.path(), &provider, false).await;
    provider.set_user("noura", &json!({"email": "noura@example.com", "email_verified": true, "nickname": "N."})).await;
    let (first, second) = (shop.page(), shop.page());
    let me = finish(&first, &answer(&first, &provider, "noura").await).await;
    assert_eq!((&me["role"], &me["name"], &me["email"]), (&json!("viewer"), &json!("N."), &Value::Null));
    // The same identity is the same account, in every browser.
    let again = finish(&second, &answer(&second, &provider, "noura").await).await;
    assert_eq!(again["user"], me["user"]);
    // An account that was erased does not come back; what was imposed on the person stays.
    let people = async || {
        let mut db =
            SqliteConnection::connect(&format!("sqlite:{}", folder.path().join("shop.db").display())).await.unwrap();
        let read = "select person from accounts where person like 'oidc:%'";
        let person: Vec<String> = sqlx::query_scalar(read).fetch_all(&mut db).await.unwrap();
        db.close().await.unwrap();
        person
    };
    let before = people().await;
    first.delete("/v1/me").await.expect(200);
    let new = finish(&second, &answer(&second, &provider, "noura").await).await;
    assert_ne!(new["user"], me["user"]);
    assert_eq!((people().await, before.len()), (before.clone(), 1), "the same person");
}

#[tokio::test]
async fn sign_in_is_finished_once_by_the_browser_that_began_it_with_its_own_code() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), OidcProvider::start().await);
    let shop = shop_of(folder.path(), &provider, true).await;
    let finish_path = "/v1/session/oidc/finish";
    let (ann, eve) = (shop.page(), shop.page());
    let of_ann = answer(&ann, &provider, "ann").await;
    let of_eve = answer(&eve, &provider, "eve").await;
    // Eve has the address that Ann's browser was sent to, and gives Ann hers.
    eve.post(finish_path, of_ann.clone()).await.expect_problem(400, "oidc_invalid");
    ann.post(finish_path, of_eve.clone()).await.expect_problem(400, "oidc_invalid");
    let mut unknown = of_ann.clone();
    unknown["state"] = json!("0".repeat(64));
    ann.post(finish_path, unknown).await.expect_problem(400, "oidc_invalid");
    let mut of_another = of_ann.clone();
    of_another["iss"] = json!("https://login.evil.example");
    ann.post(finish_path, of_another).await.expect_problem(400, "oidc_invalid");
    // A foreign page cannot finish it for her either.
    let foreign = ann.with_origin("https://evil.example");
    foreign.post(finish_path, of_ann.clone()).await.expect_problem(403, "origin_not_allowed");
    finish(&ann, &of_ann).await;
    ann.post(finish_path, of_ann).await.expect_problem(400, "oidc_invalid");

    // A code that was given for the sign-in of another browser carries the nonce of that one.
    let bob = shop.page();
    let mut injected = answer(&bob, &provider, "bob").await;
    injected["code"] = of_eve["code"].clone();
    bob.post(finish_path, injected).await.expect_problem(502, "oidc_failed");
    assert_eq!(bob.get("/v1/session").await.expect(200)["kind"], "anonymous");
    let has_reason = async || shop.process.stderr().to_lowercase().contains("nonce").then_some(());
    until_some("the reason in the log", SOON, has_reason).await;
}

#[tokio::test]
async fn provider_that_is_away_is_a_refusal_in_words() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), OidcProvider::start().await);
    let shop = shop_of(folder.path(), &provider, true).await;
    drop(provider);
    let page = shop.page();
    page.post("/v1/session/oidc", json!({})).await.expect_problem(502, "oidc_failed");
    let words = "the sign-in with the identity provider failed";
    until_some("the reason in the log", SOON, async || shop.process.stderr().contains(words).then_some(())).await;
}
