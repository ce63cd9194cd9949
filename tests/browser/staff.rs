//! A new merchant: from the link that the server prints to the first show, then the staff and the settings, on a phone, on a
//! desktop and in Arabic, without REST.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::cookie_page::last_code;
use crate::support::outside::new_shop::NewShop;
use crate::support::outside::process::Process;
use crate::support::outside::shop::Shop;
use crate::support::outside::until_some;
use crate::support::person::named;

const NONE: Vec<String> = Vec::new();

async fn choose(browser: &Browser, test: &str, value: &str) {
    let change = "const [css, value] = arguments; const one = document.querySelector(css); one.value = value;
        one.dispatchEvent(new Event('change', { bubbles: true })); return one.value";
    assert_eq!(browser.script(change, &[json!(named(test)), json!(value)]).await, json!(value), "{test}");
}

async fn value(browser: &Browser, test: &str) -> Value {
    browser.script("return document.querySelector(arguments[0]).value", &[json!(named(test))]).await
}

/// What is wrong on the page, without the refusal of a test message that the tests cause.
async fn faults(browser: &Browser, window: Window) -> Vec<String> {
    let is_caused = |fault: &String| fault.contains("/settings/mail/test - Failed to load resource");
    browser.faults(window, false).await.into_iter().filter(|fault| !is_caused(fault)).collect()
}

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.screenshot(name).await;
    // A style of another part of the pages must not squeeze the form.
    let narrow =
        "return [...document.querySelectorAll('main form, main > div')].filter((it) => it.offsetWidth < 280).length";
    assert_eq!(browser.script(narrow, &[]).await, json!(0), "{name}");
    assert_eq!(faults(browser, window).await, NONE, "{name}");
}

/// A mail server that is not there: the page says what went wrong. Then the step is skipped.
async fn set_mail_server(browser: &Browser, window: Window, name: &str) {
    browser.fill(&named("mail-host"), "127.0.0.1").await;
    choose(browser, "mail-protection", "none").await;
    assert_eq!(value(browser, "mail-port").await, "25");
    browser.fill(&named("mail-port"), "9").await;
    browser.fill(&named("mail-from"), "orders@example.com").await;
    browser.press("mail-test").await;
    browser.sees("mail-test-result", "127.0.0.1:9").await;
    looks_good(browser, window, name).await;
    browser.press("setup-skip").await;
}

/// A new shop that may reach this machine, with a key for secrets.
async fn new_shop(folder: &Path) -> NewShop {
    std::fs::write(folder.join("key"), "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
    NewShop::serve(folder, &["--secrets-key-file=key", "--allow-private-address=127.0.0.1"]).await
}

/// The whole set-up. Gives the address of the console to which it leads.
async fn set_up(browser: &Browser, shop: &mut NewShop, window: Window, language: &str) {
    let name = |step: &str| format!("setup-{step}-{language}-{window:?}").to_lowercase();
    let code = shop.code().await;
    browser.goto(&format!("{}/setup?lang={language}#{code}", shop.url)).await;
    browser.find(&named("step-1")).await;
    // A mistake is shown beside its field, and nothing that was typed is lost.
    browser.fill(&named("owner-name"), "Noura").await;
    browser.fill(&named("owner-email"), "noura@").await;
    browser.fill(&named("shop-title"), "Bayt Al Souk").await;
    browser.press("setup-next").await;
    browser.until("the mistakes", "document.querySelectorAll('[aria-invalid=true]').length === 2", SOON).await;
    looks_good(browser, window, &name("mistake")).await;
    assert_eq!(value(browser, "owner-name").await, "Noura");
    browser.fill(&named("owner-email"), "noura@example.com").await;
    choose(browser, "shop-country", "SA").await;
    assert_eq!(value(browser, "shop-currency").await, "SAR");
    assert_eq!(value(browser, "shop-time-zone").await, "Asia/Riyadh");
    assert_eq!(value(browser, "shop-language").await, "ar");
    assert_eq!(value(browser, "shop-tax").await, "15");
    // A new shop delivers in its own country; the page says so, and lets the owner add others.
    let own = if language == "ar" { "السعودية" } else { "Saudi Arabia" };
    browser.sees("market-words", own).await;
    browser.press("market-change").await;
    browser.find(&named("market-remove-SA")).await;
    browser.fill(&named("market-search"), "KW").await;
    browser.press("market-KW").await;
    browser.sees("market-words", if language == "ar" { "الكويت" } else { "Kuwait" }).await;
    looks_good(browser, window, &name("owner")).await;
    browser.press("setup-next").await;
    browser.find(&named("step-2")).await;
    let market = shop.page().get("/v1/shop").await.expect(200)["market"].clone();
    assert_eq!(market, json!({"countries": ["KW", "SA"]}));
    // A reload goes on here: the session is a cookie, and the link is used up.
    browser.reload().await;
    browser.find(&named("step-2")).await;
    set_mail_server(browser, window, &name("mail")).await;
    browser.find(&named("step-3")).await;
    looks_good(browser, window, &name("product")).await;
    browser.fill(&named("product-title"), "Brass lamp").await;
    browser.fill(&named("product-price"), "149").await;
    browser.fill(&named("product-stock"), "12").await;
    browser.press("setup-next").await;
    browser.find(&named("step-4")).await;
    browser.fill(&named("show-title"), "Evening at the souk").await;
    looks_good(browser, window, &name("show")).await;
    browser.press("setup-next").await;
    browser
        .until("the console", "location.pathname === '/host' && !document.querySelector('#console').hidden", SOON)
        .await;
    browser.until("the offer", "document.body.innerText.includes('Brass lamp')", SOON).await;
    browser.screenshot(&name("console")).await;
    assert_eq!(faults(browser, window).await, NONE, "the console");
}

#[tokio::test]
async fn evening_first_start_on_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = new_shop(folder.path()).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    set_up(&phone, &mut shop, Window::Mobile, "en").await;
    // The owner hosts: the show goes live by the button of its console.
    phone.close().await;
}

#[tokio::test]
async fn evening_first_start_on_a_desktop_in_arabic() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = new_shop(folder.path()).await;
    let driver = Driver::start();
    let desktop = Browser::open(&driver, Window::Desktop, "ar").await;
    set_up(&desktop, &mut shop, Window::Desktop, "ar").await;

    desktop.goto(&format!("{}/admin?section=settings&lang=ar", shop.url)).await;
    desktop.find(&named("settings-form")).await;
    looks_good(&desktop, Window::Desktop, "settings-ar-desktop").await;
    desktop.fill(&named("shop-title"), "").await;
    desktop.press("settings-save").await;
    desktop.until("the mistake", "document.querySelectorAll('[aria-invalid=true]').length === 1", SOON).await;
    desktop.fill(&named("shop-title"), "Souk of Noura").await;
    desktop.click(&named("shop-speaks-id")).await;
    desktop.press("settings-save").await;
    desktop.find(&named("settings-saved")).await;
    desktop.goto(&format!("{}/admin?section=staff&lang=ar", shop.url)).await;
    desktop.sees("staff-members", "noura@example.com").await;
    looks_good(&desktop, Window::Desktop, "staff-ar-desktop").await;
    // A reader whose language the shop does not speak gets the language of the shop.
    desktop.goto(&format!("{}/?lang=id", shop.url)).await;
    desktop.until("the language of the shop", "document.documentElement.lang === 'ar'", SOON).await;
    desktop.close().await;
}

/// A demo with an owner, and the link that signs in as them.
async fn demo_with_owner() -> (Shop, String) {
    let mut shop = Shop::demo(&[]).await;
    let folder = shop.server.folder();
    shop.server.stop().await;
    let mut recover = Process::livesouk(&["owner", "recover", "--store", "sqlite:data/livesouk.db"], folder.path());
    assert!(recover.end(SOON).await.success(), "{}", recover.stderr());
    let code = recover.stdout().trim().split_once("/setup#").unwrap().1.to_owned();
    (Shop::demo_in(folder, &[]).await, code)
}

async fn invite_link(shop: &Shop, email: &str) -> String {
    let find = async || {
        let log = shop.server.process.stderr();
        let line = log.lines().rfind(|line| line.contains(&format!("email=\"{email}\"")) && line.contains("/join#"))?;
        let (_, code) = line.split_once("/join#")?;
        Some(format!("{}/join#{}", shop.server.url, code.get(..40)?))
    };
    until_some("invite in the log", SOON, find).await
}

#[tokio::test]
async fn evening_staff_by_invite() {
    let (shop, code) = demo_with_owner().await;
    let driver = Driver::start();
    let owner = Browser::open(&driver, Window::Desktop, "en").await;
    owner.goto(&format!("{}/setup?lang=en#{code}", shop.server.url)).await;
    owner.fill(&named("owner-name"), "Olla").await;
    owner.fill(&named("owner-email"), "olla@example.com").await;
    choose(&owner, "shop-country", "ID").await;
    assert_eq!(value(&owner, "shop-currency").await, "SAR", "a shop with products keeps its currency");
    owner.press("setup-next").await;
    // A demo has no key for secrets: the step says so, and has no field.
    owner.find(&named("step-2")).await;
    owner.sees("mail-note", "--smtp-url").await;
    assert_eq!(owner.count(&named("mail-host")).await, 0);
    owner.press("setup-next").await;
    for step in ["step-3", "step-4"] {
        owner.find(&named(step)).await;
        owner.press("setup-skip").await;
    }
    owner.until("the desk", "location.pathname === '/admin'", SOON).await;
    owner.press("section-staff").await;
    owner.press("staff-invite").await;
    owner.fill(&named("staff-email"), "hana@example.com").await;
    choose(&owner, "staff-role", "producer").await;
    looks_good(&owner, Window::Desktop, "staff-invite-desktop").await;
    owner.press("staff-send").await;
    owner.sees("staff-invites", "hana@example.com").await;

    let link = invite_link(&shop, "hana@example.com").await;
    let phone = Browser::open(&driver, Window::Mobile, "id").await;
    phone.goto(&link).await;
    phone.sees("join-send", "hana@example.com").await;
    looks_good(&phone, Window::Mobile, "join-id-mobile").await;
    phone.press("join-send-submit").await;
    phone.find(&named("join-code")).await;
    let typed = last_code(&shop.server, "hana@example.com").await;
    phone.fill(&named("join-code"), &typed).await;
    phone.fill(&named("join-name"), "Hana").await;
    looks_good(&phone, Window::Mobile, "join-code-id-mobile").await;
    phone.press("join-code-form-submit").await;
    phone.sees("join-done", "Produser").await;
    phone.press("join-go").await;
    phone.until("the desk of the new member", "location.pathname === '/admin'", SOON).await;

    owner.reload().await;
    owner.sees("staff-members", "Hana").await;
    looks_good(&owner, Window::Desktop, "staff-members-desktop").await;
    let row = "document.querySelector('[data-role=producer]')";
    owner.until("the member", &format!("Boolean({row})"), SOON).await;
    owner.script(&format!("{row}.querySelector('[data-test^=remove-]').click()"), &[]).await;
    owner.press("confirm-yes").await;
    owner.find(&named("staff-removed")).await;
    owner.until("the member to be gone", &format!("!{row}"), SOON).await;
    owner.press("staff-undo").await;
    owner.until("the member to be back", &format!("Boolean({row})"), SOON).await;
    owner.resize(Window::Mobile).await;
    looks_good(&owner, Window::Mobile, "staff-members-mobile").await;
    owner.goto(&format!("{}/admin?section=settings&lang=en", shop.server.url)).await;
    owner.find(&named("settings-form")).await;
    looks_good(&owner, Window::Mobile, "settings-mobile").await;
    retention_is_changed(&owner, &shop).await;
    key_is_made_replaced_and_ended(&owner, &shop).await;
    phone.close().await;
    owner.close().await;
}

const TO_KEYS: &str = "document.querySelector('[data-test=api-keys]').scrollIntoView({ block: 'center' })";

/// The API keys in the settings: a key is shown once, works, is replaced, and ends.
async fn key_is_made_replaced_and_ended(owner: &Browser, shop: &Shop) {
    owner.press("api-key-add").await;
    owner.fill(&named("api-key-name"), "Warehouse").await;
    owner.press("scope-stock:write").await;
    set_end(owner, -1).await;
    owner.press("api-key-make").await;
    owner.find(&format!("{}:not([hidden])", named("error-api-key-ends"))).await;
    looks_good(owner, Window::Mobile, "api-key-past-mobile").await;
    set_end(owner, 30).await;
    looks_good(owner, Window::Mobile, "api-key-new-mobile").await;
    owner.press("api-key-make").await;
    owner.find(&named("api-key-secret")).await;
    looks_good(owner, Window::Mobile, "api-key-shown-mobile").await;
    let secret = value(owner, "api-key-secret").await;
    let program = shop.server.rest().with_token(secret.as_str().unwrap());
    program.get("/v1/products").await.expect(200);
    owner.goto(&format!("{}/admin?section=settings&lang=ar", shop.server.url)).await;
    owner.sees("api-keys", "Warehouse").await;
    owner.script(TO_KEYS, &[]).await;
    owner.find("[data-in-force=true]").await;
    looks_good(owner, Window::Mobile, "api-keys-ar-mobile").await;
    let until = "return document.querySelector('[data-test=api-keys]').innerText.includes('يعمل حتى')";
    assert_eq!(owner.script(until, &[]).await, json!(true), "the list says when the key ends");
    assert_eq!(owner.count(&named("api-key-secret")).await, 0, "it is shown once");
    owner.resize(Window::Desktop).await;
    owner.click("[data-test^=rotate-]").await;
    looks_good(owner, Window::Desktop, "api-key-rotate-ar-desktop").await;
    owner.press("api-key-rotate").await;
    owner.find(&named("api-key-secret")).await;
    owner.goto(&format!("{}/admin?section=settings&lang=en", shop.server.url)).await;
    owner.until("two keys", "document.querySelectorAll('[data-in-force=true]').length === 2", SOON).await;
    owner.script(TO_KEYS, &[]).await;
    looks_good(owner, Window::Desktop, "api-keys-desktop").await;
    owner.click("[data-test^=end-]").await;
    owner.press("confirm-yes").await;
    owner.until("one key", "document.querySelectorAll('[data-in-force=true]').length === 1", SOON).await;
    owner.script(TO_KEYS, &[]).await;
    looks_good(owner, Window::Desktop, "api-keys-ended-desktop").await;
    // 200 % of a window of 1440 pixels.
    owner.resize_to(720, 450, false).await;
    owner.script(TO_KEYS, &[]).await;
    looks_good(owner, Window::Desktop, "api-keys-zoomed").await;
    audit_log_is_read(owner, shop).await;
}

/// A shorter time deletes, so the page asks; a longer one does not.
async fn retention_is_changed(owner: &Browser, shop: &Shop) {
    let to_form = "document.querySelector('[data-test=retention-form]').scrollIntoView({ block: 'center' })";
    let field = |name: &str| format!("[data-test=retention-{name}]");
    owner.script(to_form, &[]).await;
    looks_good(owner, Window::Mobile, "retention-mobile").await;
    owner.fill(&field("chat-days"), "9999").await;
    owner.press("retention-save").await;
    owner.find(&format!("{}:not([hidden])", named("error-retention-chat-days"))).await;
    looks_good(owner, Window::Mobile, "retention-wrong-mobile").await;
    owner.fill(&field("chat-days"), "90").await;
    owner.press("retention-save").await;
    owner.find(&named("confirm-no")).await;
    looks_good(owner, Window::Mobile, "retention-sure-mobile").await;
    owner.press("confirm-no").await;
    owner.press("retention-save").await;
    owner.press("confirm-yes").await;
    owner.find(&named("retention-saved")).await;
    owner.fill(&field("chat-days"), "180").await;
    owner.press("retention-save").await;
    owner.until("both saved", "document.querySelectorAll('[data-test=retention-saved]').length === 2", SOON).await;
    owner.goto(&format!("{}/admin?section=settings&lang=ar", shop.server.url)).await;
    owner.find(&named("retention-form")).await;
    assert_eq!(value(owner, "retention-chat-days").await, json!("180"), "it is kept");
    owner.script(to_form, &[]).await;
    looks_good(owner, Window::Mobile, "retention-ar-mobile").await;
    owner.resize(Window::Desktop).await;
    owner.script(to_form, &[]).await;
    looks_good(owner, Window::Desktop, "retention-ar-desktop").await;
    owner.resize(Window::Mobile).await;
    owner.goto(&format!("{}/admin?section=settings&lang=en", shop.server.url)).await;
    owner.find(&named("settings-form")).await;
}

/// Types the end of a key: so many days from now.
async fn set_end(owner: &Browser, days: i64) {
    let set = "const [css, days] = arguments; const one = document.querySelector(css);
        const at = new Date(Date.now() + days * 86400000 - new Date().getTimezoneOffset() * 60000);
        one.value = at.toISOString().slice(0, 16); one.dispatchEvent(new Event('change', { bubbles: true }))";
    owner.script(set, &[json!(named("api-key-ends")), json!(days)]).await;
}

/// What the staff did, in the windows and languages of the people who read it.
async fn audit_log_is_read(owner: &Browser, shop: &Shop) {
    for (width, height, language, name) in [
        (720, 450, "en", "zoomed"),
        (1440, 900, "en", "desktop"),
        (390, 844, "en", "mobile"),
        (390, 844, "ar", "ar-mobile"),
        (1440, 900, "ar", "ar-desktop"),
    ] {
        let window = if width < 700 { Window::Mobile } else { Window::Desktop };
        owner.resize_to(width, height, window == Window::Mobile).await;
        owner.goto(&format!("{}/admin?section=audit&lang={language}", shop.server.url)).await;
        owner.find("[data-test=audit-create_api_key]").await;
        looks_good(owner, window, &format!("audit-{name}")).await;
        choose(owner, "audit-kind", "create_api_key").await;
        owner.until("one entry", "document.querySelectorAll('[data-test=audit-list] li').length === 1", SOON).await;
        looks_good(owner, window, &format!("audit-filtered-{name}")).await;
    }
}
