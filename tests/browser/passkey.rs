//! An owner makes a passkey, and signs in with it, by the authenticator that Chromium simulates.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::mail_server::{MailMode, MailServer};
use crate::support::outside::new_shop::NewShop;
use crate::support::person::named;

const NONE: Vec<String> = Vec::new();

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("passkey-{name}")).await;
    assert_eq!(browser.faults(window, false).await, NONE, "{name}");
}

/// The newest code. Other mails may come beside it: a passkey is announced by e-mail.
fn code_of(mails: &[Value]) -> String {
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let text = |mail: &Value| mail["parts"][0]["text"].as_str().unwrap().to_owned();
    let codes: Vec<String> =
        mails.iter().filter_map(|mail| text(mail).lines().find(is_code).map(str::to_owned)).collect();
    codes.last().expect("a mail with a code").clone()
}

async fn sign_out(browser: &Browser) {
    browser.press("account").await;
    browser.press("account-sign-out").await;
    browser.find(&named("desk-signin")).await;
}

#[tokio::test]
async fn evening_owner_signs_in_by_passkey() {
    let folder = tempfile::tempdir().unwrap();
    let server = MailServer::start(MailMode::Accept).await;
    let settings = server.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut shop = NewShop::serve(folder.path(), &settings).await;
    let code = shop.code().await;
    // Browsers make passkeys for names, and for plain HTTP only on their own machine.
    let base = shop.url.replace("127.0.0.1", "localhost");
    let driver = Driver::start();
    let owner = Browser::open(&driver, Window::Mobile, "en").await;
    owner.devtools("WebAuthn.enable", json!({})).await;
    let options = json!({"protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
        "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true});
    let device = owner.devtools("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
    let device = device["authenticatorId"].clone();

    let form = json!({"code": code, "owner": {"name": "Olla", "email": "olla@example.com"}, "shop": {"country": "ID"}});
    owner.goto(&format!("{base}/setup?lang=en")).await;
    let set_up = "const answer = await fetch('/v1/setup', { method: 'POST', body: arguments[0],
        headers: { 'content-type': 'application/json' } }); return answer.status";
    let status = owner
        .script(&format!("return (async () => {{ {set_up} }})()").replace("arguments[0]", &format!("`{form}`")), &[])
        .await;
    assert_eq!(status, json!(201));

    owner.goto(&format!("{base}/admin?section=staff&lang=en")).await;
    owner.sees("staff-members", "olla@example.com").await;
    draw(&owner, Window::Mobile, "desk-mobile").await;
    owner.press("account").await;
    draw(&owner, Window::Mobile, "menu-mobile").await;
    owner.press("account-passkeys").await;
    owner.fill(&named("passkey-name"), "My phone").await;
    owner.press("passkey-add").await;
    owner.sees("passkeys", "My phone").await;
    draw(&owner, Window::Mobile, "list-mobile").await;
    owner.press("passkey-sheet-close").await;

    // Without a code.
    sign_out(&owner).await;
    owner.press("desk-signin").await;
    owner.find(&named("passkey-use")).await;
    draw(&owner, Window::Mobile, "sign-in-mobile").await;
    owner.press("passkey-use").await;
    owner.sees("staff-members", "olla@example.com").await;

    // With a code: the role counts only after the passkey. A person who does not prove themselves to the device gets no further.
    sign_out(&owner).await;
    owner.press("desk-signin").await;
    owner.fill(&named("signin-email"), "olla@example.com").await;
    owner.press("signin-send").await;
    owner.find(&named("signin-code")).await;
    owner.fill(&named("signin-code"), &code_of(&server.until_mails(2).await)).await;
    owner.press("signin-verify").await;
    owner.find(&named("passkey-step")).await;
    let verified = |is: bool| json!({"authenticatorId": device, "isUserVerified": is});
    owner.devtools("WebAuthn.setUserVerified", verified(false)).await;
    owner.press("passkey-use").await;
    owner.find(&format!("{}:not([hidden])", named("passkey-alert"))).await;
    draw(&owner, Window::Mobile, "refused-mobile").await;
    owner.goto(&format!("{base}/admin?section=staff&lang=ar")).await;
    owner.find(&named("desk-signin")).await;
    assert_eq!(owner.count(&named("staff-members")).await, 0);
    draw(&owner, Window::Mobile, "needed-ar-mobile").await;
    owner.devtools("WebAuthn.setUserVerified", verified(true)).await;
    owner.press("desk-signin").await;
    owner.press("passkey-use").await;
    owner.sees("staff-members", "olla@example.com").await;

    owner.resize(Window::Desktop).await;
    owner.press("account").await;
    owner.press("account-passkeys").await;
    owner.find(&named("passkey-remove")).await;
    draw(&owner, Window::Desktop, "list-ar-desktop").await;
    owner.press("passkey-remove").await;
    owner.press("confirm-yes").await;
    owner.until("the passkey to be gone", "!document.querySelector('[data-test=passkey-remove]')", SOON).await;
    owner.close().await;
}
