//! An owner sets the keys of Stripe on a phone, in English and in Arabic: the page says what is wrong, buyers pay by card at once, and the keys
//! are never shown again.

use fake_stripe::{Call, FakeStripe, Fault, Options};
use serde_json::{Value, json};
use testkit::web_proxy::WebProxy;

use crate::card::card;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, key};
use crate::support::outside::until_some;
use crate::support::person::{named, order_is};

const KEY: &str = "rk_test_51Abcdefghijkl9f8e7d6c5b4aQRST";
const NEXT: &str = "rk_test_51Abcdefghijkl9f8e7d6c5b4aWXYZ";
const PUBLIC: &str = "pk_test_51Abcdefghijkl9f8e7d6c5b4a1234";
const WEBHOOK: &str = "whsec_Abcdefghijkl9f8e7d6c5b4a5678";
const TO_KEYS: &str = "document.querySelector('[data-test=stripe-form]').scrollIntoView({ block: 'start' })";

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.script(TO_KEYS, &[]).await;
    browser.settle().await;
    browser.screenshot(&format!("stripe-keys-{name}")).await;
    // The refusals that the test causes.
    let is_caused = |fault: &String| fault.contains("/settings/stripe") && fault.contains("Failed to load resource");
    let faults: Vec<String> = browser.faults(window, false).await.into_iter().filter(|line| !is_caused(line)).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

/// The owner comes by the link that the server printed, and passes over what the set-up asks.
async fn sign_in_as_owner(browser: &Browser, shop: &Shop, base: &str) {
    let link = async || {
        let said = shop.server.process.stdout();
        said.lines().find_map(|line| line.trim().strip_prefix(&format!("{base}/setup#")).map(str::to_owned))
    };
    let code = until_some("the link", SOON, link).await;
    browser.goto(&format!("{base}/setup?lang=en#{code}")).await;
    browser.fill(&named("owner-name"), "Noura").await;
    browser.fill(&named("owner-email"), "noura@example.com").await;
    browser.fill(&named("shop-title"), "Bayt").await;
    let choose = "const one = document.querySelector('[data-test=shop-country]'); one.value = 'SA';
        one.dispatchEvent(new Event('change', { bubbles: true }))";
    browser.script(choose, &[]).await;
    browser.press("setup-next").await;
    for step in ["step-2", "step-3", "step-4"] {
        browser.find(&named(step)).await;
        browser.press("setup-skip").await;
    }
    browser.until("the desk", "location.pathname === '/admin'", SOON).await;
}

async fn fill_keys(browser: &Browser, [key, public, webhook]: [&str; 3]) {
    for (field, text) in [("stripe-key", key), ("stripe-publishable-key", public), ("stripe-webhook-secret", webhook)] {
        browser.fill(&named(field), text).await;
    }
}

async fn shows_no_secret(browser: &Browser) {
    let page = browser.script("return document.documentElement.outerHTML", &[]).await.to_string();
    for secret in [KEY, NEXT, WEBHOOK] {
        assert!(!page.contains(secret), "{secret} is on the page");
    }
    let values =
        "return [...document.querySelectorAll('[data-test=stripe-form] input:not([readonly])')].map((it) => it.value)";
    let values = browser.script(values, &[]).await;
    assert!(values.as_array().unwrap().iter().all(|value| value == ""), "{values}");
}

/// A shop behind a proxy, whose owner can set keys.
struct OwnShop {
    fake: FakeStripe,
    shop: Shop,
    base: String,
    _proxy: WebProxy,
    _folder: tempfile::TempDir,
}

async fn own_shop() -> OwnShop {
    let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secrets_key = folder.path().join("secrets.key");
    std::fs::write(&secrets_key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let listen = WebProxy::address();
    let (base, script) = (format!("http://{listen}"), format!("{}/element.js", fake.base()));
    let secrets_key = secrets_key.display().to_string();
    let settings = [
        ["--payments", "stripe"],
        ["--base-url", &base],
        ["--secrets-key-file", &secrets_key],
        ["--stripe-api-base", fake.base()],
        ["--stripe-element-js", &script],
        ["--currency", "SAR"],
    ];
    let shop = Shop::serve_with(&store, &store, &settings.concat()).await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let proxy = WebProxy::nginx(&listen, shop.server.address(), &location).await;
    OwnShop { fake, shop, base, _proxy: proxy, _folder: folder }
}

#[tokio::test]
async fn evening_owner_sets_the_keys_of_stripe_and_buyers_pay_by_card() {
    let own = own_shop().await;
    let OwnShop { fake, shop, base, .. } = &own;
    fake.revoke("rk_test_51AbcdefRevoked");
    let driver = Driver::start();
    let owner = Browser::open(&driver, Window::Mobile, "en").await;
    sign_in_as_owner(&owner, shop, base).await;
    let open = async |language: &str| {
        owner.goto(&format!("{base}/admin?section=settings&lang={language}")).await;
        owner.find(&named("stripe-form")).await;
    };
    open("en").await;
    owner.sees("stripe-mode", "nobody can pay by card").await;
    draw(&owner, Window::Mobile, "none-phone").await;

    // Keys in the wrong fields: said beside each, before anything is sent.
    fill_keys(&owner, [PUBLIC, KEY, "secret"]).await;
    owner.press("stripe-check").await;
    owner.sees("error-stripe-key", "Publishable key").await;
    owner.sees("error-stripe-publishable-key", "Restricted key").await;
    owner.sees("error-stripe-webhook-secret", "whsec_").await;
    draw(&owner, Window::Mobile, "wrong-fields-phone").await;
    // What Stripe and the server say.
    fill_keys(&owner, ["rk_test_51AbcdefRevoked", PUBLIC, WEBHOOK]).await;
    owner.press("stripe-check").await;
    owner.sees("error-stripe-key", "revoked").await;
    fill_keys(&owner, ["rk_test_no_refunds", PUBLIC, WEBHOOK]).await;
    owner.press("stripe-check").await;
    owner.sees("error-stripe-key", "Refunds write").await;
    fill_keys(&owner, [KEY, "pk_live_51Abcdefghijkl", WEBHOOK]).await;
    owner.press("stripe-check").await;
    owner.sees("error-stripe-publishable-key", "same kind").await;
    draw(&owner, Window::Mobile, "modes-phone").await;
    fake.set_down(true);
    fill_keys(&owner, [KEY, PUBLIC, WEBHOOK]).await;
    owner.press("stripe-save").await;
    owner.sees("stripe-result", "did not answer").await;
    let typed = owner.script("return document.querySelector('[data-test=stripe-key]').value", &[]).await;
    assert_eq!(typed, json!(KEY), "what was typed stays");
    fake.set_down(false);
    owner.press("stripe-check").await;
    owner.sees("stripe-result", "accepts these keys").await;
    draw(&owner, Window::Mobile, "checked-phone").await;

    owner.press("stripe-save").await;
    owner.find(&named("stripe-saved")).await;
    owner.sees("stripe-key-stored", "rk_test_…QRST").await;
    owner.sees("stripe-mode", "no money is taken").await;
    shows_no_secret(&owner).await;
    draw(&owner, Window::Mobile, "saved-phone").await;

    // A buyer pays by card, without a restart.
    let offer = shop.on_sale(2, json!({"per_buyer": 1})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let buyer = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("buyer", "viewer");
    buyer.goto(&format!("{base}/watch?stream={}&lang=en#token={token}", shop.stream)).await;
    buyer.wait_until_live().await;
    buyer.watch_pinned(&offer).await;
    buyer.press("card-buy").await;
    buyer.until("the hold", &order_is("held"), SOON).await;
    buyer.find(&named("card-number")).await;
    buyer.fill_address().await;
    card(&buyer, "4242424242424242").await;
    buyer.until("the order to be paid", &order_is("paid"), SOON).await;
    buyer.close().await;

    // In Arabic the key alone is replaced, and the others stay.
    open("ar").await;
    owner.sees("stripe-publishable-key-stored", "pk_test_…1234").await;
    owner.fill(&named("stripe-key"), NEXT).await;
    owner.press("stripe-check").await;
    owner
        .until("the answer", "document.querySelector('[data-test=stripe-result]').dataset.good === 'true'", SOON)
        .await;
    draw(&owner, Window::Mobile, "checked-ar-phone").await;
    owner.press("stripe-save").await;
    owner.sees("stripe-key-stored", "rk_test_…WXYZ").await;
    shows_no_secret(&owner).await;
    draw(&owner, Window::Mobile, "saved-ar-phone").await;
    owner.fill(&named("stripe-key"), "sk_test").await;
    owner.press("stripe-save").await;
    owner.find(&named("error-stripe-key")).await;
    draw(&owner, Window::Mobile, "wrong-ar-phone").await;
    owner.resize(Window::Desktop).await;
    open("ar").await;
    draw(&owner, Window::Desktop, "saved-ar-desktop").await;
    open("en").await;
    draw(&owner, Window::Desktop, "saved-desktop").await;
    // As with text of twice the size on this desktop.
    owner.resize_to(720, 450, false).await;
    draw(&owner, Window::Desktop, "saved-zoomed").await;

    owner.resize(Window::Mobile).await;
    owner.press("stripe-remove").await;
    owner.find(&named("confirm-yes")).await;
    draw(&owner, Window::Mobile, "remove-phone").await;
    owner.press("confirm-yes").await;
    owner.find(&named("stripe-removed")).await;
    owner.sees("stripe-mode", "nobody can pay by card").await;
    assert_eq!(shop.server.rest().get("/v1/shop").await.expect(200)["payments"], Value::Null);
    owner.close().await;
}

/// The keys were removed while the first payment of the shop had no answer: the page says what can be done, and they are taken again.
#[tokio::test]
async fn owner_who_removed_the_keys_too_early_sets_them_again() {
    let own = own_shop().await;
    let OwnShop { fake, shop, base, .. } = &own;
    let driver = Driver::start();
    let owner = Browser::open(&driver, Window::Mobile, "en").await;
    sign_in_as_owner(&owner, shop, base).await;
    let open = async |language: &str| {
        owner.goto(&format!("{base}/admin?section=settings&lang={language}")).await;
        owner.find(&named("stripe-form")).await;
    };
    open("en").await;
    fill_keys(&owner, [KEY, PUBLIC, WEBHOOK]).await;
    owner.press("stripe-save").await;
    owner.find(&named("stripe-saved")).await;

    let offer = shop.on_sale(2, json!({"per_buyer": 1})).await;
    let ann = shop.rest("Ann", "viewer");
    let held = ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    let path = format!("/v1/orders/{}", held["id"].as_str().unwrap());
    fake.plan_fault(Call::Create, Fault::CutAfter, 1);
    let (with, payment) = (key(), json!({"token": fake.confirmation_token("4242424242424242").unwrap()}));
    let lost = ann.post_keyed(&format!("{path}/pay"), &with, payment.clone()).await;
    assert_eq!(lost.body["code"], "outcome_unknown", "{lost:?}");
    open("en").await;
    owner.press("stripe-remove").await;
    owner.sees("confirm", "One payment or refund is not finished").await;
    owner.press("confirm-yes").await;
    owner.find(&named("stripe-removed")).await;
    owner.sees("stripe-open", "keys of the same account").await;
    draw(&owner, Window::Mobile, "open-phone").await;

    let other = ["rk_test_other_51Abcdefghijkl", "pk_test_other_51Abcdefghijkl", WEBHOOK];
    fill_keys(&owner, other).await;
    owner.press("stripe-save").await;
    owner.sees("stripe-result", "wait half a minute").await;
    draw(&owner, Window::Mobile, "open-refused-phone").await;
    for (language, name) in [("ar", "ar"), ("id", "id")] {
        owner.resize(Window::Mobile).await;
        open(language).await;
        owner.find(&named("stripe-open")).await;
        draw(&owner, Window::Mobile, &format!("open-{name}-phone")).await;
        owner.resize(Window::Desktop).await;
        draw(&owner, Window::Desktop, &format!("open-{name}-desktop")).await;
    }
    open("en").await;
    draw(&owner, Window::Desktop, "open-desktop").await;
    owner.resize_to(720, 450, false).await;
    draw(&owner, Window::Desktop, "open-zoomed").await;
    owner.resize(Window::Mobile).await;
    fill_keys(&owner, [KEY, PUBLIC, WEBHOOK]).await;
    owner.press("stripe-save").await;
    owner.find(&named("stripe-saved")).await;
    assert_eq!(owner.script("return document.querySelector('[data-test=stripe-open]')", &[]).await, Value::Null);
    let paid = ann.post_keyed(&format!("{path}/pay"), &with, payment).await.expect(200);
    assert_eq!(paid["status"], "paid");
    assert_eq!(fake.intents().len(), 1);
    owner.close().await;
}
