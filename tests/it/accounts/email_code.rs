//! Signing in by a one-time code by e-mail.

use serde_json::{Value, json};

use crate::support::cookie_page::{CookiePage, code_of};
use crate::support::postgres::Database;
use crate::support::shop::Shop;

const ANN: &str = "ann@example.com";

async fn verify(page: &CookiePage, id: &str, code: &str, name: Value) -> crate::support::rest::RestResponse {
    page.post("/v1/session/email/verify", json!({"id": id, "code": code, "name": name})).await
}

/// A code that is not this one.
fn wrong(code: &str) -> &'static str {
    if code == "111111" { "222222" } else { "111111" }
}

#[tokio::test]
async fn code_signs_in_to_a_new_account_and_later_to_the_same() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    let id = page.ask_for_code("Ann@Example.com ").await;
    let code = code_of(&shop.server, &id).await;
    // A new account needs a name. The code remains valid.
    verify(&page, &id, &code, Value::Null).await.expect_problem(422, "name_needed");
    verify(&page, &id, &code, json!("Ann (HOST)")).await.expect_problem(422, "name_claims_role");
    let first = verify(&page, &id, &code, json!("Ann")).await.expect(201);
    assert_eq!((&first["kind"], &first["name"], &first["email"]), (&json!("account"), &json!("Ann"), &json!(ANN)));
    let who = page.get("/v1/session").await.expect(200);
    assert_eq!((&who["user"], &who["email_sign_in"]), (&first["user"], &json!(true)));
    page.post(&shop.path("messages"), json!({"text": "hello"})).await.expect(201);
    // It works once.
    verify(&page, &id, &code, Value::Null).await.expect_problem(400, "email_code_invalid");

    let phone = CookiePage::of(&shop.server);
    let id = phone.ask_for_code(ANN).await;
    let code = code_of(&shop.server, &id).await;
    let again = verify(&phone, &id, &format!(" {} {} ", &code[..3], &code[3..]), Value::Null).await.expect(201);
    assert_eq!((&again["user"], &again["name"]), (&first["user"], &json!("Ann")));
    assert_eq!(shop.number("select count(*) from accounts").await, 1);
}

#[tokio::test]
async fn code_has_five_tries_and_ten_minutes() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    let id = page.ask_for_code(ANN).await;
    let code = code_of(&shop.server, &id).await;
    for _ in 0..5 {
        verify(&page, &id, wrong(&code), json!("Ann")).await.expect_problem(400, "email_code_wrong");
    }
    verify(&page, &id, &code, json!("Ann")).await.expect_problem(400, "email_code_invalid");

    let id = page.ask_for_code(ANN).await;
    let code = code_of(&shop.server, &id).await;
    for _ in 0..4 {
        verify(&page, &id, wrong(&code), json!("Ann")).await.expect_problem(400, "email_code_wrong");
    }
    shop.number("update email_codes set expires_at = expires_at - 600000 returning 1").await;
    verify(&page, &id, &code, json!("Ann")).await.expect_problem(400, "email_code_invalid");
    shop.number("update email_codes set expires_at = expires_at + 580000 where tries = 4 returning 1").await;
    verify(&page, &id, &code, json!("Ann")).await.expect(201);
}

#[tokio::test]
async fn tries_are_counted_also_when_they_come_at_once() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    let id = page.ask_for_code(ANN).await;
    let code = code_of(&shop.server, &id).await;
    let page = std::sync::Arc::new(page);
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (page, id, code) = (page.clone(), id.clone(), wrong(&code));
        tries.spawn(async move { verify(&page, &id, code, json!("Ann")).await.body["code"].clone() });
    }
    let answers = tries.join_all().await;
    let tried = answers.iter().filter(|code| **code == "email_code_wrong").count();
    assert_eq!(tried, 5, "{answers:?}");
    verify(&page, &id, &code, json!("Ann")).await.expect_problem(400, "email_code_invalid");
}

#[tokio::test]
async fn code_works_only_in_the_browser_that_asked_for_it() {
    let shop = Shop::demo(&[]).await;
    let (page, other) = (CookiePage::of(&shop.server), CookiePage::of(&shop.server));
    let id = page.ask_for_code(ANN).await;
    let code = code_of(&shop.server, &id).await;
    verify(&other, &id, &code, json!("Eve")).await.expect_problem(400, "email_code_invalid");
    other.ask_for_code("eve@example.com").await;
    verify(&other, &id, &code, json!("Eve")).await.expect_problem(400, "email_code_invalid");
    // A stranger costs the owner no try.
    for _ in 0..6 {
        verify(&other, &id, wrong(&code), json!("Eve")).await.expect_problem(400, "email_code_invalid");
    }
    verify(&page, &id, &code, json!("Ann")).await.expect(201);
}

#[tokio::test]
async fn answer_is_the_same_whether_an_address_is_known() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    page.sign_in_by_email(&shop.server, ANN, "Ann").await;
    let mut shapes = Vec::new();
    for email in [ANN, "nobody@example.com"] {
        let answer = CookiePage::of(&shop.server).post("/v1/session/email", json!({"email": email})).await;
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        let fields: Vec<String> = answer.body.as_object().unwrap().keys().cloned().collect();
        shapes.push((answer.status, names, fields));
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0].0, 202);
}

#[tokio::test]
async fn mailbox_gets_three_codes_an_hour_under_all_its_names() {
    let shop = Shop::demo(&[]).await;
    for email in ["a.nn@gmail.com", "ann+x@gmail.com", "ANN@googlemail.com"] {
        CookiePage::of(&shop.server).ask_for_code(email).await;
    }
    let page = CookiePage::of(&shop.server);
    let refused = page.post("/v1/session/email", json!({"email": "ann@gmail.com"})).await;
    let refused = refused.expect_problem(429, "too_many_requests");
    assert!((3_000_000..=3_600_000).contains(&refused["retry_ms"].as_i64().unwrap()), "{refused}");
    page.ask_for_code(ANN).await;
    shop.number("update email_codes set created_at = created_at - 3600000 returning 1").await;
    page.ask_for_code("ann@gmail.com").await;
}

#[tokio::test]
async fn client_address_asks_for_a_few_codes_only() {
    let shop = Shop::demo(&[]).await;
    let page = CookiePage::of(&shop.server);
    let mut sent = 0;
    let refused = loop {
        let answer = page.post("/v1/session/email", json!({"email": format!("ann{sent}@example.com")})).await;
        match answer.status {
            202 => sent += 1,
            _ => break answer.expect_problem(429, "too_many_requests"),
        }
        assert!(sent <= 30);
    };
    assert!(sent >= 20 && refused["retry_ms"].as_i64().unwrap() <= 10_000, "{sent} {refused}");
}

#[tokio::test]
async fn shop_without_email_refuses_and_says_so() {
    let database = Database::migrated().await;
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let page = CookiePage::of(&shop.server);
    assert_eq!(page.get("/v1/session").await.expect(200)["email_sign_in"], false);
    page.post("/v1/session/email", json!({"email": ANN})).await.expect_problem(409, "email_off");
    assert!(!shop.server.process.stderr().contains(ANN), "no address in the log of a shop");
    for bad in ["ann", "ann@localhost", "", "ann@example.com\r\nbcc: eve@example.com"] {
        page.post("/v1/session/email", json!({"email": bad})).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn accounts_of_one_mailbox_are_one_person() {
    let shop = Shop::demo(&[]).await;
    let first = CookiePage::of(&shop.server).sign_in_by_email(&shop.server, "ann+1@example.com", "Ann").await;
    let second = CookiePage::of(&shop.server).sign_in_by_email(&shop.server, "ann+2@example.com", "Ann").await;
    assert_ne!(first, second);
    assert_eq!(shop.number("select count(distinct person) from accounts").await, 1);
}
