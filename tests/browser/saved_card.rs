//! A buyer with an account saves a card, pays again with one tap, is asked by the bank about a saved card too, and removes it.

use fake_stripe::{FakeStripe, Options};
use serde_json::json;
use testkit::until_some;
use testkit::web_proxy::WebProxy;

use super::card::{card, draw, shop};
use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::mail_server::{MailMode, MailServer};
use crate::support::person::{named, order_is};

const HAS_FORM: &str = "Boolean(document.querySelector('[data-test=card-number]')?.checkVisibility())";

/// Signs in by a code by e-mail, which makes an account.
async fn sign_in(buyer: &Browser, mails: &MailServer, base: &str, language: &str, email: &str) {
    let before = mails.mails().len();
    buyer.goto(&format!("{base}/?lang={language}")).await;
    buyer.press("signin").await;
    buyer.fill(&named("signin-email"), email).await;
    buyer.press("signin-send").await;
    buyer.sees("signin-sent", email).await;
    let mail = mails.until_mails(before + 1).await.remove(before);
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let code = mail["parts"][0]["text"].as_str().unwrap().lines().find(is_code).expect("a code").to_owned();
    buyer.fill(&named("signin-code"), &code).await;
    buyer.press("signin-verify").await;
    buyer.until("the field for a name", "document.querySelector('[data-test=signin-name]').offsetParent", SOON).await;
    buyer.sign_in_with_name("Anna").await;
    let signed_in = "document.querySelector('[data-test=signin]').dataset.signedIn === 'true'";
    buyer.until("the account", signed_in, SOON).await;
}

#[tokio::test]
async fn evening_buyer_pays_again_with_the_saved_card() {
    let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
    let (mails, listen) = (MailServer::start(MailMode::Accept).await, WebProxy::address());
    let base = format!("http://{listen}");
    let [url, from] = mails.settings();
    let (shop, _folder) = shop(&fake, &base, &[&url, &from]).await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let _nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
    let offer = shop.on_sale(20, json!({"per_buyer": 9})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    for (window, language, name) in
        first_or_all([(Window::Mobile, "en", "phone"), (Window::Desktop, "ar", "desktop-ar")])
    {
        let buyer = Browser::open(&driver, window, language).await;
        sign_in(&buyer, &mails, &base, language, &format!("anna-{name}@example.com")).await;
        let look = |what: &str| format!("saved-{what}-{name}");
        let page = format!("{base}/watch?stream={}&lang={language}", shop.stream);
        let buy = async || {
            buyer.goto(&page).await;
            buyer.wait_until_live().await;
            buyer.watch_pinned(&offer).await;
            buyer.press("card-buy").await;
            buyer.until("the hold", &order_is("held"), SOON).await;
            buyer.fill_address().await;
        };
        let paid = async |buyer: &Browser| buyer.until("the order to be paid", &order_is("paid"), SOON).await;

        // Nothing is saved unless the buyer says so.
        buy().await;
        buyer.find(&named("card-number")).await;
        assert_eq!(buyer.script("return document.querySelector('[data-test=card-save]').checked", &[]).await, false);
        card(&buyer, "4242424242424242").await;
        paid(&buyer).await;
        assert!(fake.saved_methods().is_empty());

        buy().await;
        buyer.find(&named("card-number")).await;
        buyer.press("card-save").await;
        let tick = "document.querySelector('[data-test=card-save]').scrollIntoView({ block: 'center' })";
        buyer.script(tick, &[]).await;
        draw(&buyer, window, &look("tick")).await;
        card(&buyer, "4242424242424242").await;
        paid(&buyer).await;
        assert_eq!(fake.saved_methods().len(), 1);

        // One tap, and the form of the provider is not even loaded.
        buy().await;
        buyer.until("the saved card", "document.querySelector('[data-test=saved-card]')?.checked", SOON).await;
        buyer.sees("saved-cards", "4242").await;
        assert_eq!(
            buyer.script("return document.querySelectorAll('script[src*=\"element.js\"]').length", &[]).await,
            0
        );
        let list = "document.querySelector('[data-test=saved-cards]').scrollIntoView({ block: 'center' })";
        buyer.script(list, &[]).await;
        draw(&buyer, window, &look("choice")).await;
        if window == Window::Desktop {
            // 200 % of a window of 1440 pixels.
            buyer.resize_to(720, 450, false).await;
            buyer.script(list, &[]).await;
            draw(&buyer, window, &look("choice-zoomed")).await;
            buyer.resize_to(1440, 900, false).await;
        }
        buyer.press("pay").await;
        paid(&buyer).await;

        // Another card, about which the bank asks, is saved as well; and the bank asks about the saved one too.
        for is_saved in [false, true] {
            buy().await;
            buyer.until("the saved cards", "document.querySelector('[data-test=saved-card]')", SOON).await;
            if is_saved {
                buyer.sees("saved-cards", "3220").await;
                buyer.press("pay").await;
            } else {
                buyer.press("card-another").await;
                buyer.until("the form", HAS_FORM, SOON).await;
                draw(&buyer, window, &look("another")).await;
                buyer.press("card-save").await;
                card(&buyer, "4000000000003220").await;
            }
            buyer.until("the page of the bank", "location.pathname.startsWith('/3ds/')", SOON).await;
            buyer.click("button[value=yes]").await;
            buyer.until("the way back", "location.pathname === '/orders'", SOON).await;
            paid(&buyer).await;
        }
        assert_eq!(fake.saved_methods().len(), 2);

        // What is removed is gone at once, and at the provider too.
        buyer.goto(&format!("{base}/?lang={language}")).await;
        buyer.press("signin").await;
        draw(&buyer, window, &look("menu")).await;
        buyer.press("account-cards").await;
        for left in [1, 0] {
            buyer.find(&named("card-remove")).await;
            draw(&buyer, window, &look(&format!("list-{left}"))).await;
            buyer.press("card-remove").await;
            draw(&buyer, window, &look(&format!("remove-{left}"))).await;
            buyer.press("confirm-yes").await;
            let rows = format!("document.querySelectorAll('[data-test=cards] li').length === {left}");
            buyer.until("the card to go", &rows, SOON).await;
        }
        buyer.find(&format!("{}:not([hidden])", named("cards-none"))).await;
        draw(&buyer, window, &look("none")).await;
        until_some("the provider to forget the cards", SOON, async || fake.saved_methods().is_empty().then_some(()))
            .await;
        buyer.close().await;
    }
}
