//! The keys of Stripe in the settings: what is wrong with them is said, and they are stored encrypted.

use std::path::Path;

use fake_stripe::{FakeStripe, Options};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use super::first_start::form;
use crate::support::cookie_page::CookiePage;
use crate::support::new_shop::NewShop;
use crate::support::process::Process;
use crate::support::{SOON, until_some};

const KEYS: &str = "/v1/shop/settings/stripe";
const BASE: &str = "https://shop.example";
/// 32 bytes in base64.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const NEW_KEY: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
const GOOD: [&str; 3] =
    ["rk_test_good_9f8e7d6c5b4a1111", "pk_test_good_9f8e7d6c5b4a2222", "whsec_good_9f8e7d6c5b4a3333"];

async fn fake() -> FakeStripe {
    FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap()
}

/// A shop with an owner, and the owner's browser.
async fn shop_with_owner(folder: &Path, more: &[&str]) -> (NewShop, CookiePage) {
    std::fs::write(folder.join("key"), KEY).unwrap();
    std::fs::write(folder.join("new-key"), NEW_KEY).unwrap();
    let mut shop = NewShop::serve(folder, more).await;
    let links = [format!("{BASE}/setup#"), format!("{}/setup#", shop.url)];
    let is_link = |line: &str| links.iter().find_map(|link| line.trim().strip_prefix(link.as_str()).map(str::to_owned));
    let code = shop.process.line("link", SOON, is_link).await;
    let origin = if more.contains(&"--base-url") { BASE } else { &shop.url };
    let page = CookiePage::at(&shop.url, origin);
    page.post("/v1/setup", form(&code)).await.expect(201);
    (shop, page)
}

fn keys([key, publishable_key, webhook_secret]: [&str; 3]) -> Value {
    json!({"key": key, "publishable_key": publishable_key, "webhook_secret": webhook_secret})
}

#[tokio::test]
async fn wrong_keys_say_what_is_wrong_and_nothing_is_stored() {
    let (fake, folder) = (fake().await, tempfile::tempdir().unwrap());
    // Without `--payments`: the keys of the owner are enough.
    let settings = ["--base-url", BASE, "--secrets-key-file=key", "--stripe-api-base", fake.base()];
    let (_shop, owner) = shop_with_owner(folder.path(), &settings).await;
    let [key, public, webhook] = GOOD;
    for revoked in ["rk_test_gone", "pk_test_gone"] {
        fake.revoke(revoked);
    }
    for (typed, status, code, field) in [
        (["pk_test_x1", public, webhook], 400, "stripe_key_kind", Some("key")),
        ([key, key, webhook], 400, "stripe_key_kind", Some("publishable_key")),
        ([key, public, "sk_test_x1"], 400, "stripe_key_kind", Some("webhook_secret")),
        ([key, public, ""], 400, "bad_request", Some("webhook_secret")),
        ([key, "pk_live_x1", webhook], 422, "stripe_key_mode", Some("publishable_key")),
        (["rk_test_gone", public, webhook], 422, "stripe_key_rejected", Some("key")),
        ([key, "pk_test_gone", webhook], 422, "stripe_key_rejected", Some("publishable_key")),
        (["rk_test_read_only", public, webhook], 422, "stripe_key_rights", Some("key")),
        (["rk_test_no_refunds", public, webhook], 422, "stripe_key_rights", Some("key")),
        (["rk_live_x1", "pk_live_x1", webhook], 422, "stripe_stand_in", Some("key")),
    ] {
        for refused in [
            owner.post(&format!("{KEYS}/check"), keys(typed)).await.expect_problem(status, code),
            owner.put(KEYS, keys(typed)).await.expect_problem(status, code),
        ] {
            assert_eq!(refused["field"].as_str(), field, "{refused}");
            assert!(!refused.to_string().contains("9f8e7d6c5b4a"), "{refused}");
        }
    }
    let said =
        owner.put(KEYS, keys(["rk_test_no_refunds", public, webhook])).await.expect_problem(422, "stripe_key_rights");
    assert!(said["detail"].as_str().unwrap().contains("Refunds write"), "{said}");
    fake.set_down(true);
    owner.put(KEYS, keys(GOOD)).await.expect_problem(503, "stripe_unreachable");
    fake.set_down(false);
    let shown = owner.get(KEYS).await.expect(200);
    assert_eq!((&shown["key"], &shown["mode"], &shown["fixed"]), (&Value::Null, &Value::Null, &Value::Null));
    assert!(owner.get("/v1/shop").await.expect(200)["payments"].is_null());
    assert_eq!(fake.intents().len(), 0, "a check creates nothing");

    let checked = owner.post(&format!("{KEYS}/check"), keys(GOOD)).await.expect(200);
    assert_eq!(checked, json!({"mode": "test", "is_other_account": false}));
    assert!(owner.get("/v1/shop").await.expect(200)["payments"].is_null(), "a check stores nothing");
    owner.put(KEYS, keys(GOOD)).await.expect(200);
    assert_eq!(owner.get("/v1/shop").await.expect(200)["payments"], "stripe");
    // The keys that are stored are checked too: somebody may have revoked one.
    owner.post(&format!("{KEYS}/check"), json!({})).await.expect(200);
    fake.revoke(key);
    owner.post(&format!("{KEYS}/check"), json!({})).await.expect_problem(422, "stripe_key_rejected");
}

#[tokio::test]
async fn old_sign_in_sees_the_keys_and_changes_nothing() {
    let (fake, folder) = (fake().await, tempfile::tempdir().unwrap());
    let settings = ["--base-url", BASE, "--secrets-key-file=key", "--stripe-api-base", fake.base()];
    let (_shop, owner) = shop_with_owner(folder.path(), &settings).await;
    owner.put(KEYS, keys(GOOD)).await.expect(200);
    let url = format!("sqlite:{}", folder.path().join("shop.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("update sign_in_sessions set created_at = created_at - 660000").execute(&mut database).await.unwrap();
    let asked = async || (owner.put(KEYS, keys(GOOD)).await.body["code"] == "sign_in_again").then_some(());
    until_some("refusal of an old sign-in", SOON, asked).await;
    owner.delete(KEYS).await.expect_problem(403, "sign_in_again");
    owner.post(&format!("{KEYS}/check"), json!({})).await.expect_problem(403, "sign_in_again");
    assert_eq!(owner.get(KEYS).await.expect(200)["key"]["hint"], "rk_test_…1111");
}

/// The cookies of an owner go along with a request of any page, and count only for those of the shop.
#[tokio::test]
async fn page_of_another_site_reads_and_changes_no_keys() {
    let (fake, folder) = (fake().await, tempfile::tempdir().unwrap());
    let friend = "https://friend.example";
    let settings = ["--base-url", BASE, "--secrets-key-file=key", "--stripe-api-base", fake.base()];
    let (_shop, owner) = shop_with_owner(folder.path(), &[&settings[..], &["--allow-origin", friend]].concat()).await;
    owner.put(KEYS, keys(GOOD)).await.expect(200);
    let other = keys(["rk_test_other_9f8e7d6c5b4a4444", "pk_test_other_9f8e7d6c5b4a5555", "whsec_other_6666"]);
    // An origin that the operator allows may use the API with tokens of its own, not with the cookies of the shop.
    for (origin, status) in [("https://evil.example", 403), ("null", 403), ("http://shop.example", 403), (friend, 401)]
    {
        let page = owner.with_origin(origin);
        for answer in [
            page.get(KEYS).await,
            page.put(KEYS, other.clone()).await,
            page.post(&format!("{KEYS}/check"), other.clone()).await,
            page.delete(KEYS).await,
        ] {
            assert_eq!(answer.status, status, "{origin}: {answer:?}");
            assert!(!answer.body.to_string().contains("1111"), "{origin}: {answer:?}");
        }
    }
    assert_eq!(owner.get(KEYS).await.expect(200)["key"]["hint"], "rk_test_…1111");
}

#[tokio::test]
async fn keys_are_stored_encrypted_and_a_start_that_cannot_read_them_is_refused() {
    let (fake, folder) = (fake().await, tempfile::tempdir().unwrap());
    let settings = ["--payments", "stripe", "--base-url", BASE, "--stripe-api-base", fake.base()];
    let with = |key: &'static str| [&settings[..], &[key]].concat();
    let (mut shop, owner) = shop_with_owner(folder.path(), &with("--secrets-key-file=key")).await;
    owner.put(KEYS, keys(GOOD)).await.expect(200);
    let shown =
        owner.get(KEYS).await.expect(200).to_string() + &owner.get("/v1/shop/settings").await.expect(200).to_string();
    shop.stop().await;
    for secret in [GOOD[0], GOOD[2]] {
        assert!(!shown.contains(secret) && !shop.process.stderr().contains(secret), "{secret} is shown");
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is on the disk");
        }
    }
    let start = |more: &[&str]| {
        let args = ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:shop.db", "--base-url", BASE];
        Process::livesouk(&[&args, more].concat(), folder.path())
    };
    for more in [&[][..], &["--secrets-key-file=new-key"][..]] {
        let mut refused = start(more);
        assert_eq!(refused.end(SOON).await.code(), Some(2), "{more:?}: {}", refused.stderr());
        assert!(refused.stderr().contains("the keys of Stripe"), "{}", refused.stderr());
    }
    let args = ["secrets", "rekey", "--store=sqlite:shop.db", "--old-file=key", "--new-file=new-key"];
    let mut rekey = Process::livesouk(&args, folder.path());
    assert!(rekey.end(SOON).await.success(), "{}", rekey.stderr());
    let mut after = NewShop::serve(folder.path(), &with("--secrets-key-file=new-key")).await;
    assert_eq!(after.page().get("/v1/shop").await.expect(200)["payments"], "stripe");
    after.stop().await;
}

#[tokio::test]
async fn keys_of_the_command_line_come_first_and_the_settings_are_fixed() {
    let fake = fake().await;
    for (more, why) in [
        (vec!["--payments", "test", "--secrets-key-file=key", "--base-url", BASE], "other_provider"),
        (vec!["--secrets-key-file=key"], "no_base_url"),
        (vec!["--base-url", BASE], "no_secrets_key"),
        (
            vec![
                "--payments",
                "stripe",
                "--base-url",
                BASE,
                "--secrets-key-file=key",
                "--stripe-key-file=stripe.key",
                "--stripe-webhook-secret=whsec_given",
                "--stripe-api-base",
                fake.base(),
            ],
            "given",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stripe.key"), "rk_test_given").unwrap();
        let (mut shop, owner) = shop_with_owner(folder.path(), &more).await;
        let shown = owner.get(KEYS).await.expect(200);
        assert_eq!((&shown["fixed"], &shown["key"]), (&json!(why), &Value::Null), "{shown}");
        assert_eq!(shown["mode"], if why == "given" { json!("test") } else { Value::Null });
        for refused in [owner.put(KEYS, keys(GOOD)).await, owner.post(&format!("{KEYS}/check"), keys(GOOD)).await] {
            refused.expect_problem(409, "stripe_keys_fixed");
        }
        shop.stop().await;
    }
}
