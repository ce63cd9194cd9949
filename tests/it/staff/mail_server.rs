//! The mail server that the desk sets: tried, stored with its password encrypted, used without a restart, and never one of the
//! server's own network.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use super::first_start::form;
use crate::support::SOON;
use crate::support::cookie_page::CookiePage;
use crate::support::mail_server::{MailMode, MailServer};
use crate::support::new_shop::NewShop;
use crate::support::process::Process;
use crate::support::rest::Rest;

const MAIL: &str = "/v1/shop/settings/mail";
/// 32 bytes in base64.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const NEW_KEY: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

fn key_file(folder: &Path, name: &str, key: &str) {
    std::fs::write(folder.join(name), key).unwrap();
}

/// A shop with an owner, and the owner's browser.
async fn shop_with_owner(folder: &Path, more: &[&str]) -> (NewShop, CookiePage) {
    let mut shop = NewShop::serve(folder, more).await;
    let (code, page) = (shop.code().await, shop.page());
    page.post("/v1/setup", form(&code)).await.expect(201);
    (shop, page)
}

fn relay(port: u16) -> Value {
    json!({"host": "127.0.0.1", "port": port, "protection": "none", "from": "orders@example.com"})
}

#[tokio::test]
async fn mail_server_of_the_desk_is_tried_and_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    key_file(folder.path(), "key", KEY);
    let options = ["--secrets-key-file=key", "--allow-private-address=127.0.0.1"];
    let (_shop, owner) = shop_with_owner(folder.path(), &options).await;
    let server = MailServer::start(MailMode::Accept).await;
    let test = |port: u16| json!({"server": relay(port), "email": "noura@example.com", "lang": "ar"});
    let refused = owner.post(&format!("{MAIL}/test"), test(9)).await.expect_problem(422, "mail_refused");
    assert!(refused["detail"].as_str().unwrap().contains("127.0.0.1:9"), "{refused}");
    owner.post(&format!("{MAIL}/test"), test(server.port)).await.expect(204);
    assert_eq!(server.until_mails(1).await[0]["to"], json!(["noura@example.com"]));
    assert_eq!(owner.get("/v1/shop").await.expect(200)["emails"], false, "a test stores nothing");

    let wrong = json!({"host": "", "port": 25, "protection": "none", "from": "orders@example.com"});
    assert_eq!(owner.put(MAIL, wrong).await.expect_problem(400, "bad_request")["field"], "host");
    owner.put(MAIL, relay(server.port)).await.expect(204);
    assert_eq!(owner.get("/v1/shop").await.expect(200)["emails"], true);
    owner.post("/v1/staff/invites", json!({"email": "hana@example.com", "role": "host"})).await.expect(201);
    let invite = server.until_mails(2).await[1].to_string();
    assert!(invite.contains("hana@example.com") && invite.contains("orders@example.com"), "{invite}");

    owner.delete(MAIL).await.expect(204);
    assert_eq!(owner.get("/v1/shop").await.expect(200)["emails"], false);
    let log = owner.get("/v1/audit-log").await.expect(200);
    let kinds: Vec<&str> = log["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["remove_mail_server", "invite_staff", "set_mail_server"]);
}

#[tokio::test]
async fn typed_mail_server_in_the_own_network_is_not_reached() {
    let folder = tempfile::tempdir().unwrap();
    key_file(folder.path(), "key", KEY);
    let (_shop, owner) = shop_with_owner(folder.path(), &["--secrets-key-file=key"]).await;
    let server = MailServer::start(MailMode::Accept).await;
    for host in ["127.0.0.1", "localhost", "::1", "169.254.169.254"] {
        let mut typed = relay(server.port);
        typed["host"] = json!(host);
        let test = json!({"server": typed, "email": "noura@example.com"});
        let refused = owner.post(&format!("{MAIL}/test"), test).await.expect_problem(422, "mail_refused");
        assert!(refused["detail"].as_str().unwrap().contains("private network"), "{host}: {refused}");
    }
    assert!(!server.was_greeted(), "nothing was connected to");
}

#[tokio::test]
async fn password_is_stored_encrypted_and_a_start_that_cannot_read_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    key_file(folder.path(), "key", KEY);
    key_file(folder.path(), "new-key", NEW_KEY);
    let (mut shop, owner) = shop_with_owner(folder.path(), &["--secrets-key-file=key"]).await;
    let secret = "an unmistakable password";
    let typed = json!({"host": "smtp.example.com", "port": 465, "protection": "tls", "user": "shop", "password": secret,
        "from": "orders@example.com"});
    owner.put(MAIL, typed.clone()).await.expect(204);
    let shown = owner.get(MAIL).await.expect(200);
    assert_eq!(
        (&shown["host"], &shown["user"], &shown["can_store"]),
        (&json!("smtp.example.com"), &json!("shop"), &json!(true))
    );
    assert!(!shown.to_string().contains(secret));
    // The stored password stays for this server, and goes to no other.
    let mut again = typed;
    again.as_object_mut().unwrap().remove("password");
    owner.put(MAIL, again.clone()).await.expect(204);
    again["host"] = json!("smtp.evil.example");
    assert_eq!(owner.put(MAIL, again).await.expect_problem(422, "invalid_value")["field"], "password");
    shop.stop().await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "the password is on the disk");
    }

    let start = |more: &[&str]| {
        let args = ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:shop.db"];
        Process::livesouk(&[&args, more].concat(), folder.path())
    };
    for more in [&[][..], &["--secrets-key-file=new-key"][..]] {
        let mut refused = start(more);
        assert_eq!(refused.end(SOON).await.code(), Some(2), "{more:?}: {}", refused.stderr());
        assert!(refused.stderr().contains("--secrets-key-file (LIVESOUK_SECRETS_KEY_FILE)"), "{}", refused.stderr());
    }
    let rekey = async |old: &str, new: &str| {
        let args =
            ["secrets", "rekey", "--store=sqlite:shop.db", &format!("--old-file={old}"), &format!("--new-file={new}")];
        let mut process = Process::livesouk(&args, folder.path());
        (process.end(SOON).await.code(), process.stdout() + &process.stderr())
    };
    let (code, said) = rekey("new-key", "key").await;
    assert!(code == Some(2) && said.contains("nothing was changed"), "{said}");
    let (code, said) = rekey("key", "new-key").await;
    assert!(code == Some(0) && said.contains("with the new key"), "{said}");
    let mut after = NewShop::serve(folder.path(), &["--secrets-key-file=new-key"]).await;
    assert_eq!(after.page().get("/v1/shop").await.expect(200)["emails"], true);
    after.stop().await;
    let mut old = start(&["--secrets-key-file=key"]);
    assert_eq!(old.end(SOON).await.code(), Some(2), "{}", old.stderr());
}

#[tokio::test]
async fn server_without_a_key_for_secrets_stores_no_mail_server() {
    let folder = tempfile::tempdir().unwrap();
    let (_shop, owner) = shop_with_owner(folder.path(), &["--allow-private-address=127.0.0.1"]).await;
    let shown = owner.get(MAIL).await.expect(200);
    assert_eq!((&shown["can_store"], &shown["is_given"], &shown["host"]), (&json!(false), &json!(false), &Value::Null));
    owner.put(MAIL, relay(25)).await.expect_problem(409, "secrets_key_missing");
    let test = json!({"server": relay(25), "email": "noura@example.com"});
    owner.post(&format!("{MAIL}/test"), test).await.expect_problem(409, "secrets_key_missing");
}

#[tokio::test]
async fn signing_key_of_the_shop_is_encrypted_as_soon_as_there_is_a_key_for_secrets() {
    let folder = tempfile::tempdir().unwrap();
    key_file(folder.path(), "key", KEY);
    key_file(folder.path(), "new-key", NEW_KEY);
    let stored = async || {
        let url = format!("sqlite:{}", folder.path().join("shop.db").display());
        let mut db = SqliteConnection::connect(&url).await.unwrap();
        let secret: String = sqlx::query_scalar("select secret from signing_keys").fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        secret
    };
    let (mut shop, _) = shop_with_owner(folder.path(), &[]).await;
    shop.stop().await;
    let plain = stored().await;
    assert_eq!(plain.len(), 64);
    let args = ["token", "--user", "ann", "--name", "Ann", "--role", "admin", "--auth-key", &plain];
    let mut token = Process::livesouk(&args, folder.path());
    assert!(token.end(SOON).await.success(), "{}", token.stderr());
    let token = token.stdout().trim().to_owned();
    let accepts = async |secrets_key: &str| {
        let mut shop = NewShop::serve(folder.path(), &[&format!("--secrets-key-file={secrets_key}")]).await;
        let rest = Rest::new(&shop.url).with_token(&token);
        rest.get("/v1/shop/settings").await.expect(200);
        shop.stop().await;
    };
    accepts("key").await;
    let sealed = stored().await;
    assert!(!sealed.contains(&plain) && sealed.starts_with("1."), "{sealed}");

    let args = ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:shop.db"];
    let mut refused = Process::livesouk(&args, folder.path());
    assert_eq!(refused.end(SOON).await.code(), Some(2), "{}", refused.stderr());
    assert!(refused.stderr().contains("the key that signs tokens is encrypted"), "{}", refused.stderr());
    let args = ["secrets", "rekey", "--store=sqlite:shop.db", "--old-file=key", "--new-file=new-key"];
    let mut rekey = Process::livesouk(&args, folder.path());
    assert!(rekey.end(SOON).await.success(), "{}", rekey.stderr());
    assert_ne!(stored().await, sealed);
    accepts("new-key").await;
}
