//! The first start: a link on the standard output makes the owner, once.

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::new_shop::NewShop;
use crate::support::process::Process;
use crate::support::rest::Rest;
use crate::support::shop::KEY;

/// What the page of the set-up sends.
pub fn form(code: &str) -> Value {
    json!({
        "code": code,
        "owner": {"name": "Noura", "email": "noura@example.com", "lang": "ar"},
        "shop": {
            "title": "Bayt", "titles": {"ar": "بيت"}, "country": "SA", "currency": "SAR", "language": "ar",
            "languages": ["ar", "en"], "time_zone": "Asia/Riyadh", "tax_bp": 1500, "tax_included": true,
        },
    })
}

#[tokio::test]
async fn first_start_prints_a_link_that_sets_the_shop_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = NewShop::serve(folder.path(), &[]).await;
    let code = shop.code().await;
    assert!(!shop.process.stderr().contains(&code), "the link is in no log");
    let page = shop.page();
    let open = async |code: &str| page.post("/v1/setup/open", json!({ "code": code })).await;
    open("unknown").await.expect_problem(404, "setup_link_invalid");
    let state = open(&code).await.expect(200);
    assert_eq!(
        (&state["has_owner"], &state["has_products"], &state["can_send_email"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert!(state["settings"]["countries"].as_array().unwrap().len() > 80);

    // Input that is refused costs nothing: the link remains valid.
    for (part, field, bad) in [
        ("owner", "name", json!("")),
        ("owner", "email", json!("noura")),
        ("shop", "title", json!(" ")),
        ("shop", "country", json!("XX")),
        ("shop", "currency", json!("EURO")),
        ("shop", "time_zone", json!("Riyadh")),
        ("shop", "tax_bp", json!(9_000)),
    ] {
        let mut typed = form(&code);
        typed[part][field] = bad;
        let refused = page.post("/v1/setup", typed).await.expect_problem(400, "bad_request");
        assert_eq!(refused["field"], field, "{refused}");
    }
    let mut elsewhere = form(&code);
    elsewhere["shop"]["market"] = json!({"countries": ["SA", "XX"]});
    let refused = page.post("/v1/setup", elsewhere).await.expect_problem(422, "invalid_value");
    assert_eq!(refused["field"], "market.countries");
    let mut without_owner = form(&code);
    without_owner["owner"] = Value::Null;
    page.post("/v1/setup", without_owner).await.expect_problem(400, "bad_request");
    let foreign = page.with_origin("https://evil.example");
    foreign.post("/v1/setup", form(&code)).await.expect_problem(403, "origin_not_allowed");

    let mut typed = form(&code);
    typed["shop"]["market"] = json!({"countries": ["SA"]});
    let me = page.post("/v1/setup", typed).await.expect(201);
    assert_eq!(
        (&me["role"], &me["name"], &me["email"]),
        (&json!("owner"), &json!("Noura"), &json!("noura@example.com"))
    );
    shop.page().post("/v1/setup", form(&code)).await.expect_problem(404, "setup_link_invalid");
    open(&code).await.expect_problem(404, "setup_link_invalid");

    let found = page.get("/v1/shop").await.expect(200);
    assert_eq!((&found["title"], &found["currency"], &found["decimals"]), (&json!("Bayt"), &json!("SAR"), &json!(2)));
    assert_eq!(
        (&found["country"], &found["language"], &found["languages"]),
        (&json!("SA"), &json!("ar"), &json!(["ar", "en"]))
    );
    assert_eq!(found["market"], json!({"countries": ["SA"]}));
    // An amount of a coupon would be worth another sum in another currency; a percentage is not.
    let change = async |currency: &str| page.patch("/v1/shop/settings", json!({ "currency": currency })).await;
    page.post("/v1/shop/coupons", json!({"code": "tenth", "percent_bp": 1_000})).await.expect(201);
    let ten = page.post("/v1/shop/coupons", json!({"code": "ten", "amount": 1_000})).await.expect(201);
    assert_eq!(change("USD").await.expect_problem(422, "invalid_value")["field"], "currency");
    let ten = format!("/v1/shop/coupons/{}", ten["id"].as_str().unwrap());
    page.patch(&ten, json!({"version": 1, "ended": true})).await.expect(200);
    change("USD").await.expect(200);
    change("SAR").await.expect(200);
    // The owner runs the shop: what an admin may, and hosting.
    let product = json!({"title": "Lamp", "variants": [{"name": "Blue", "price": 1_000, "stock": 5}]});
    let product = page.post("/v1/products", product).await.expect(201);
    let show = page.post("/v1/streams", json!({"title": "Evening"})).await.expect(201);
    let show = show["id"].as_str().unwrap();
    page.post(&format!("/v1/streams/{show}/start"), json!({})).await.expect(200);
    let offer = json!({"variant": product["variants"][0]["id"], "kind": "regular", "price": 1_000, "quantity": 5});
    let offer = page.post(&format!("/v1/streams/{show}/offers"), offer).await.expect(201);
    page.post(&format!("/v1/offers/{}/open", offer["id"].as_str().unwrap()), json!({})).await.expect(200);
    page.get("/v1/audit-log").await.expect(200);
    let live = page.join(show).await.unwrap();
    assert_eq!(live.hello["you"]["role"], "owner");
    // The prices mean something now.
    page.patch("/v1/shop/settings", json!({"currency": "USD"})).await.expect_problem(422, "invalid_value");

    // The owner comes back with the same session, and a shop with an owner prints no link.
    shop.stop().await;
    let mut again = NewShop::serve(folder.path(), &[]).await;
    assert!(!again.process.stdout().contains("/setup#"), "{}", again.process.stdout());
    again.stop().await;
}

#[tokio::test]
async fn new_start_prints_a_new_link_that_replaces_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = NewShop::serve(folder.path(), &[]).await;
    let old = first.code().await;
    first.stop().await;
    let mut second = NewShop::serve(folder.path(), &[]).await;
    let new = second.code().await;
    let page = second.page();
    page.post("/v1/setup/open", json!({ "code": old })).await.expect_problem(404, "setup_link_invalid");
    page.post("/v1/setup/open", json!({ "code": new })).await.expect(200);
}

#[tokio::test]
async fn owner_recover_prints_a_link_that_signs_in_as_the_first_owner() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = NewShop::serve(folder.path(), &[]).await;
    let code = shop.code().await;
    let user = shop.page().post("/v1/setup", form(&code)).await.expect(201)["user"].clone();
    shop.stop().await;
    let args = ["owner", "recover", "--store", "sqlite:shop.db", "--base-url", "https://live.example/"];
    let mut recover = Process::livesouk(&args, folder.path());
    assert!(recover.end(SOON).await.success(), "{}", recover.stderr());
    let printed = recover.stdout();
    let code = printed.trim().strip_prefix("https://live.example/setup#").unwrap().to_owned();

    let shop = NewShop::serve(folder.path(), &[]).await;
    let page = shop.page();
    assert_eq!(page.post("/v1/setup/open", json!({ "code": code })).await.expect(200)["has_owner"], true);
    let me = page.post("/v1/setup", json!({ "code": code })).await.expect(201);
    assert_eq!((&me["role"], &me["user"]), (&json!("owner"), &user));
    page.post("/v1/setup", json!({ "code": code })).await.expect_problem(404, "setup_link_invalid");
}

#[tokio::test]
async fn shop_makes_a_key_of_its_own_only_when_it_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = NewShop::serve(folder.path(), &["--auth-key", KEY]).await;
    shop.code().await;
    shop.stop().await;
    let args = ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:shop.db"];
    let mut without = Process::livesouk(&args, folder.path());
    assert_eq!(without.end(SOON).await.code(), Some(2));
    assert!(without.stderr().contains("--auth-key"), "{}", without.stderr());

    // The key of a new shop is the same at the next start: tokens of invites stay valid.
    let folder = tempfile::tempdir().unwrap();
    let mut shop = NewShop::serve(folder.path(), &[]).await;
    let code = shop.code().await;
    let page = shop.page();
    page.post("/v1/setup", form(&code)).await.expect(201);
    let show = page.post("/v1/streams", json!({"title": "Evening"})).await.expect(201)["id"].clone();
    let invites = format!("/v1/streams/{}/invites", show.as_str().unwrap());
    let invite = page.post(&invites, json!({"role": "moderator"})).await.expect(201)["code"].clone();
    let accept = format!("/v1/invites/{}", invite.as_str().unwrap());
    let token = Rest::new(&shop.url).post(&accept, json!({"name": "Hal"})).await.expect(201)["token"].clone();
    shop.stop().await;
    let again = NewShop::serve(folder.path(), &[]).await;
    Rest::new(&again.url).with_token(token.as_str().unwrap()).get("/v1/orders").await.expect(200);
}
