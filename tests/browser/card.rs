//! Buyers pay by card with the form of the payment provider: one is asked by the bank and comes back, one is declined and tries again.
//! The provider of the tests serves a form that replaces the original.

use fake_stripe::{Endpoint, FakeStripe, Options};
use serde_json::json;
use testkit::web_proxy::WebProxy;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::{named, order_is};

const SECRET: &str = "whsec_the-secret-of-the-tests";

pub async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("card-{name}")).await;
    let faults: Vec<String> = browser.faults(window, false).await;
    // The server says with 422 that a new account has no name yet.
    let is_expected = |line: &String| {
        line.contains("> .text[dir=\"auto\"]")
            || (line.contains("/session/email/verify") && line.contains("status of 422"))
    };
    let faults: Vec<String> = faults.into_iter().filter(|line| !is_expected(line)).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

/// A shop that takes cards by Stripe, behind a proxy, because the bank sends buyers back to an address that is known before.
pub async fn shop(fake: &FakeStripe, base: &str, more: &[&str]) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let key = folder.path().join("stripe.key");
    std::fs::write(&key, "rk_test_shop\n").unwrap();
    let (key, form) = (key.display().to_string(), format!("{}/element.js", fake.base()));
    let mut settings = vec![
        "--payments",
        "stripe",
        "--base-url",
        base,
        "--stripe-key-file",
        &key,
        "--stripe-webhook-secret",
        SECRET,
        "--stripe-api-base",
        fake.base(),
        "--stripe-publishable-key",
        "pk_test_shop",
        "--stripe-element-js",
        &form,
        "--currency",
        "SAR",
    ];
    settings.extend(more);
    let shop = Shop::serve_with(&store, &store, &settings).await;
    fake.add_endpoint(Endpoint {
        url: format!("{}/v1/webhooks/stripe", shop.server.url),
        secrets: vec![SECRET.to_owned()],
        has_old_shape: false,
    });
    (shop, folder)
}

pub async fn card(buyer: &Browser, number: &str) {
    buyer.find(&named("card-number")).await;
    buyer.fill(&named("card-number"), number).await;
    buyer.press("pay").await;
}

#[tokio::test]
async fn evening_buyer_pays_by_card_and_is_asked_by_the_bank() {
    let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
    let listen = WebProxy::address();
    let base = format!("http://{listen}");
    let (shop, _folder) = shop(&fake, &base, &[]).await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let _nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 3})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    let mut left = 9;
    for (window, language, name) in
        first_or_all([(Window::Mobile, "en", "phone"), (Window::Desktop, "ar", "desktop-ar")])
    {
        let buyer = Browser::open(&driver, window, language).await;
        let token = shop.token(&format!("buyer-{name}"), "viewer");
        buyer.goto(&format!("{base}/watch?stream={}&lang={language}#token={token}", shop.stream)).await;
        buyer.wait_until_live().await;
        let buy = async || {
            buyer.watch_pinned(&offer).await;
            buyer.press("card-buy").await;
            buyer.until("the hold", &order_is("held"), SOON).await;
            buyer.find(&named("card-number")).await;
        };
        buy().await;
        buyer.fill_address().await;
        // A number that is too short stays in the form, and nothing is sent.
        card(&buyer, "4242").await;
        buyer.until("the fault", "document.querySelector('[data-test=card-fault]').textContent", SOON).await;
        draw(&buyer, window, &format!("form-{name}")).await;
        // Declined: the order is still held, and what was typed is still there.
        card(&buyer, "4000000000000002").await;
        buyer.until("the refusal", "document.querySelector('[data-test=pay-error]')", SOON).await;
        let typed = "document.querySelector('[data-test=card-number]').value === '4000000000000002'";
        buyer.until("what was typed", typed, SOON).await;
        draw(&buyer, window, &format!("declined-{name}")).await;
        card(&buyer, "4242424242424242").await;
        buyer.until("the order to be paid", &order_is("paid"), SOON).await;
        draw(&buyer, window, &format!("paid-{name}")).await;
        buyer.press("order-done").await;

        // The bank asks, and the buyer comes back to the order.
        buy().await;
        buyer.fill_address().await;
        card(&buyer, "4000000000003220").await;
        buyer.until("the page of the bank", "location.pathname.startsWith('/3ds/')", SOON).await;
        buyer.click("button[value=yes]").await;
        buyer.until("the way back", "location.pathname === '/orders'", SOON).await;
        buyer.until("the order to be paid", &order_is("paid"), SOON).await;
        buyer.until("a clean address", "!location.search.includes('payment_intent')", SOON).await;
        draw(&buyer, window, &format!("back-{name}")).await;
        buyer.close().await;
        left -= 2;
    }
    shop.until_left(&offer, left).await;
}
