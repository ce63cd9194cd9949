//! Passkeys of the staff: from the first one on, the roles of the account need it in every session.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::role::{age_sessions, demo_with_owner, demo_with_owner_and, join};
use crate::support::cookie_page::CookiePage;
use crate::support::mail_server::{MailMode, MailServer};
use crate::support::process::Process;
use crate::support::shop::Shop;
use crate::support::{SOON, until_some};

const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);
/// The person was there and was verified; with a credential.
const VERIFIED: u8 = 0x05;
const ATTESTED: u8 = 0x45;

fn base64url(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let group = (0..3).fold(0_u32, |group, at| (group << 8) | u32::from(part.get(at).copied().unwrap_or(0)));
        let signs = (0..=part.len()).map(|at| char::from(SIGNS[(group >> (18 - 6 * at)) as usize & 63]));
        text.extend(signs);
    }
    text
}

/// A device with one passkey.
struct Device {
    key: EcdsaKeyPair,
    /// A passkey that is synced between devices does not count.
    counts: bool,
    uses: AtomicU32,
}

impl Device {
    fn new() -> Device {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).unwrap();
        Device { key, counts: true, uses: AtomicU32::new(0) }
    }

    fn synced() -> Device {
        Device { counts: false, ..Device::new() }
    }

    fn data(&self, asked: &Value, flags: u8) -> Vec<u8> {
        let site = digest(&SHA256, asked["rp_id"].as_str().unwrap().as_bytes());
        let count = if self.counts { self.uses.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        [site.as_ref(), &[flags], &count.to_be_bytes()].concat()
    }

    /// What the browser sends when it makes the passkey.
    fn make(&self, asked: &Value, origin: &str) -> Value {
        let point = self.key.public_key().as_ref();
        let cose =
            [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], &point[1..33], &[0x22, 0x58, 32], &point[33..]].concat();
        let data = [&self.data(asked, ATTESTED)[..], &[0; 16], &[0, 6], b"device", &cose].concat();
        json!({
            "name": "Phone",
            "client_data": base64url(client_data("webauthn.create", asked, origin).as_bytes()),
            "authenticator_data": base64url(&data),
        })
    }

    /// What the browser sends when it uses the passkey.
    fn answer(&self, asked: &Value, origin: &str) -> Value {
        let (client, data) = (client_data("webauthn.get", asked, origin), self.data(asked, VERIFIED));
        let message = [&data[..], digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &message).unwrap();
        json!({
            "credential": base64url(b"device"),
            "client_data": base64url(client.as_bytes()),
            "authenticator_data": base64url(&data),
            "signature": base64url(signature.as_ref()),
        })
    }
}

fn client_data(kind: &str, asked: &Value, origin: &str) -> String {
    json!({"type": kind, "challenge": asked["challenge"], "origin": origin, "crossOrigin": false}).to_string()
}

/// The address of the shop by a name: browsers make passkeys only there.
fn local(shop: &Shop) -> String {
    shop.server.url.replace("127.0.0.1", "localhost")
}

async fn ask(page: &CookiePage) -> Value {
    page.post("/v1/session/passkey/challenge", json!({})).await.expect(201)
}

/// The same browser, by the name of the machine.
fn by_name(shop: &Shop, page: &CookiePage) -> CookiePage {
    page.at_base(&local(shop))
}

async fn standing(page: &CookiePage) -> (Value, Value) {
    let who = page.get("/v1/session").await.expect(200);
    (who["role"].clone(), who["passkey"].clone())
}

#[tokio::test]
async fn roles_of_an_account_with_a_passkey_need_it_in_every_session() {
    let (shop, owner, _) = demo_with_owner().await;
    let (laptop, origin) = (by_name(&shop, &owner), local(&shop));
    let phone = CookiePage::at(&origin, &origin);
    phone.sign_in_by_email(&shop.server, "olla@example.com", "Olla").await;
    assert_eq!(standing(&phone).await, (json!("owner"), json!("none")));

    // Without a counter, only the challenge tells a replayed answer.
    let device = Device::synced();
    let asked = laptop.post("/v1/passkeys/challenge", json!({})).await.expect(201);
    assert_eq!((&asked["rp_id"], &asked["credentials"]), (&json!("localhost"), &json!([])));
    let elsewhere = device.make(&asked, "https://evil.example");
    laptop.post("/v1/passkeys", elsewhere).await.expect_problem(400, "passkey_invalid");
    let made = laptop.post("/v1/passkeys", device.make(&asked, &origin)).await.expect(201);
    let again = device.make(&asked, &origin);
    laptop.post("/v1/passkeys", again).await.expect_problem(400, "passkey_invalid");
    assert_eq!(standing(&laptop).await, (json!("owner"), json!("proved")));

    // The other session keeps who one is, and loses the roles.
    let lost = async || (standing(&phone).await == (json!("viewer"), json!("needed"))).then_some(());
    until_some("the roles of the other session to go", IN_FORCE_WITHIN, lost).await;
    phone.get("/v1/staff").await.expect_problem(403, "forbidden");
    phone.get("/v1/orders").await.expect(200);
    // A mailbox alone does not get past it.
    let id = made["id"].as_str().unwrap();
    phone.delete(&format!("/v1/passkeys/{id}")).await.expect_problem(403, "passkey_needed");
    phone.post("/v1/passkeys/challenge", json!({})).await.expect_problem(403, "passkey_needed");
    phone.delete("/v1/me").await.expect_problem(403, "passkey_needed");

    let asked = ask(&phone).await;
    assert_eq!(asked["credentials"], json!([base64url(b"device")]));
    let stranger = Device::new();
    stranger.uses.store(7, Ordering::Relaxed);
    let forged = stranger.answer(&asked, &origin);
    phone.post("/v1/session/passkey", forged).await.expect_problem(400, "passkey_invalid");
    let answer = device.answer(&asked, &origin);
    let proved = phone.post("/v1/session/passkey", answer.clone()).await.expect(201);
    assert_eq!((&proved["role"], &proved["passkey"]), (&json!("owner"), &json!("proved")));
    phone.post("/v1/session/passkey", answer).await.expect_problem(400, "passkey_invalid");
    phone.get("/v1/staff").await.expect(200);
    let log = shop.server.process.stderr();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn passkey_signs_in_without_a_code_and_is_the_proof_for_what_cannot_be_undone() {
    let (mut shop, owner, _) = demo_with_owner().await;
    let (laptop, origin) = (by_name(&shop, &owner), local(&shop));
    let device = Device::new();
    let asked = laptop.post("/v1/passkeys/challenge", json!({})).await.expect(201);
    laptop.post("/v1/passkeys", device.make(&asked, &origin)).await.expect(201);

    let tablet = CookiePage::at(&origin, &origin);
    let asked = ask(&tablet).await;
    assert_eq!(asked["credentials"], json!([]), "nobody learns who has a passkey");
    let foreign = tablet.with_origin("https://evil.example");
    let answer = device.answer(&asked, &origin);
    foreign.post("/v1/session/passkey", answer.clone()).await.expect_problem(403, "origin_not_allowed");
    let me = tablet.post("/v1/session/passkey", answer).await.expect(201);
    assert_eq!((&me["role"], &me["email"]), (&json!("owner"), &json!("olla@example.com")));

    let revoke = async || tablet.post("/v1/token-revocations", json!({"user": "Eve"})).await;
    revoke().await.expect(201);
    age_sessions(&shop).await;
    let asked_again = async || (revoke().await.body["code"] == "sign_in_again").then_some(());
    until_some("refusal of an old sign-in", IN_FORCE_WITHIN, asked_again).await;
    let asked = ask(&tablet).await;
    tablet.post("/v1/session/passkey", device.answer(&asked, &origin)).await.expect(201);
    revoke().await.expect(201);

    // An operator with access to the machine signs in without the passkey, and can remove it.
    let folder = shop.server.folder();
    shop.server.stop().await;
    let mut recover = Process::livesouk(&["owner", "recover", "--store", "sqlite:data/livesouk.db"], folder.path());
    assert!(recover.end(SOON).await.success(), "{}", recover.stderr());
    let code = recover.stdout().trim().split_once("/setup#").unwrap().1.to_owned();
    let shop = Shop::demo_in(folder, &[]).await;
    let page = CookiePage::of(&shop.server);
    let me = page.post("/v1/setup", json!({"code": code})).await.expect(201);
    assert_eq!((&me["role"], &me["passkey"]), (&json!("owner"), &json!("proved")));
    let mine = page.get("/v1/passkeys").await.expect(200);
    let id = mine["items"][0]["id"].as_str().unwrap();
    page.delete(&format!("/v1/passkeys/{id}")).await.expect(204);
    page.delete(&format!("/v1/passkeys/{id}")).await.expect_problem(404, "no_such_passkey");
    let by_code = CookiePage::of(&shop.server);
    by_code.sign_in_by_email(&shop.server, "olla@example.com", "Olla").await;
    assert_eq!(standing(&by_code).await, (json!("owner"), json!("none")));
}

#[tokio::test]
async fn passkeys_are_for_the_staff_of_a_shop_with_a_host_name() {
    let (shop, owner, _) = demo_with_owner().await;
    owner.post("/v1/passkeys/challenge", json!({})).await.expect_problem(409, "passkeys_off");
    owner.post("/v1/session/passkey/challenge", json!({})).await.expect_problem(409, "passkeys_off");
    let buyer = CookiePage::of(&shop.server);
    buyer.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    by_name(&shop, &buyer).post("/v1/passkeys/challenge", json!({})).await.expect_problem(403, "forbidden");
    let guest = CookiePage::of(&shop.server);
    guest.sign_in_guest("Bob").await;
    by_name(&shop, &guest).post("/v1/passkeys/challenge", json!({})).await.expect_problem(403, "forbidden");
    // Nobody sees or removes the passkeys of somebody else.
    let (host, _) = join(&shop, &owner, "hana@example.com", "host").await;
    let (laptop, origin, device) = (by_name(&shop, &host), local(&shop), Device::new());
    let asked = laptop.post("/v1/passkeys/challenge", json!({})).await.expect(201);
    let made = laptop.post("/v1/passkeys", device.make(&asked, &origin)).await.expect(201);
    assert_eq!(owner.get("/v1/passkeys").await.expect(200)["items"], json!([]));
    let id = made["id"].as_str().unwrap();
    owner.delete(&format!("/v1/passkeys/{id}")).await.expect_problem(404, "no_such_passkey");
}

#[tokio::test]
async fn open_connection_loses_the_role_that_needs_a_passkey_now() {
    let (shop, owner, _) = demo_with_owner().await;
    let (laptop, origin) = (by_name(&shop, &owner), local(&shop));
    let phone = CookiePage::at(&origin, &origin);
    phone.sign_in_by_email(&shop.server, "olla@example.com", "Olla").await;
    let (mut of_phone, mut of_laptop) =
        (phone.join(&shop.stream).await.unwrap(), laptop.join(&shop.stream).await.unwrap());
    assert_eq!(of_phone.hello["you"]["role"], "owner");
    let device = Device::new();
    let asked = laptop.post("/v1/passkeys/challenge", json!({})).await.expect(201);
    laptop.post("/v1/passkeys", device.make(&asked, &origin)).await.expect(201);

    assert_eq!(of_phone.closed(IN_FORCE_WITHIN).await.code, 4001, "it may reconnect");
    let weaker = async || {
        let again = phone.join(&shop.stream).await.ok()?;
        (again.hello["you"]["role"] == "viewer").then_some(())
    };
    until_some("a connection without the role", IN_FORCE_WITHIN, weaker).await;
    // The session that made the passkey has proved it.
    of_laptop.ask(json!({"do": "announce", "text": "hello"})).await.unwrap();
}

#[tokio::test]
async fn account_is_told_by_e_mail_of_a_passkey_that_comes_or_goes() {
    let server = MailServer::start(MailMode::Accept).await;
    let settings = server.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let (shop, owner, _) = demo_with_owner_and(&settings).await;
    let (laptop, origin) = (by_name(&shop, &owner), local(&shop));
    let device = Device::new();
    let asked = laptop.post("/v1/passkeys/challenge", json!({})).await.expect(201);
    let made = laptop.post("/v1/passkeys", device.make(&asked, &origin)).await.expect(201);
    laptop.delete(&format!("/v1/passkeys/{}", made["id"].as_str().unwrap())).await.expect(204);
    let mails = server.until_mails(2).await;
    for (mail, words) in mails.iter().zip(["was added to your account", "was removed from your account"]) {
        assert_eq!(mail["to"], json!(["olla@example.com"]));
        let text = mail.to_string();
        assert!(text.contains(words) && text.contains("Phone"), "{text}");
    }
}
