//! Buyers pay with the express button of a wallet, which stands above the form where the browser has one. The provider of the tests serves
//! a replacement of the wallet.

use fake_stripe::{FakeStripe, Options};
use serde_json::{Value, json};
use testkit::web_proxy::WebProxy;

use crate::card::{card, draw, shop};
use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::{named, order_is};

const HEIGHT: &str = "return document.querySelector('[data-test=express]').getBoundingClientRect().height";
const COUNT_TAPS: &str =
    "window.taps = 0; addEventListener('click', (event) => { if (event.isTrusted) window.taps += 1; }, true)";

/// A shop whose buyers pay with Stripe, on an address with a proxy in front.
struct CardShop {
    fake: FakeStripe,
    shop: Shop,
    base: String,
    offer: String,
    _parts: (tempfile::TempDir, WebProxy),
}

impl CardShop {
    async fn open() -> Self {
        let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
        let listen = WebProxy::address();
        let base = format!("http://{listen}");
        let (shop, folder) = shop(&fake, &base, &[]).await;
        let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
        let nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
        let offer = shop.on_sale(20, json!({"per_buyer": 9, "price": 1_000})).await;
        shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
        let cards = Self { fake, shop, base, offer, _parts: (folder, nginx) };
        cards.charge(2_000).await;
        cards
    }

    /// Sets what the delivery costs.
    async fn charge(&self, delivery_fee: i64) {
        let form = json!({ "delivery_fee": delivery_fee });
        let admin = self.shop.rest("Root", "admin");
        admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(form)).await.expect(200);
    }

    async fn watch(&self, buyer: &Browser, who: &str, language: &str) {
        let token = self.shop.token(who, "viewer");
        let page = format!("{}/watch?stream={}&lang={language}#token={token}", self.base, self.shop.stream);
        buyer.goto(&page).await;
        buyer.wait_until_live().await;
        buyer.watch_pinned(&self.offer).await;
    }

    async fn taken(&self) -> Vec<i64> {
        let amounts = self.fake.intents().into_iter().map(|intent| intent["amount_received"].as_i64().unwrap_or(0));
        amounts.filter(|amount| *amount > 0).collect()
    }
}

/// Puts a wallet with this card into the browser.
async fn give_wallet(buyer: &Browser, number: &str) {
    buyer.script("localStorage.setItem('fake-stripe.wallet', arguments[0])", &[json!(number)]).await;
}

async fn is_paid(buyer: &Browser) {
    buyer.until("the order to be paid", &order_is("paid"), SOON).await;
}

async fn has_no_window(buyer: &Browser) {
    buyer.until("the window of the wallet to close", "!document.querySelector('[data-test=wallet]')", SOON).await;
}

#[tokio::test]
async fn evening_buyer_pays_with_the_button_of_a_wallet() {
    let cards = CardShop::open().await;
    let driver = Driver::start();
    let mut bought = 0;
    for (number, (window, language, name)) in
        first_or_all([(Window::Mobile, "en", "phone"), (Window::Desktop, "ar", "desktop-ar")]).enumerate()
    {
        let buyer = Browser::open(&driver, window, language).await;
        cards.watch(&buyer, &format!("wallet-{name}"), language).await;
        give_wallet(&buyer, "4000000000000002").await;
        buyer.reserve().await;
        buyer.find("[data-test=express][data-shown=true]").await;
        // It stands first: above the address and the card form.
        let order = "const top = (name) => document.querySelector(`[data-test=${name}]`).getBoundingClientRect().top;
            return top('wallet-button') < top('address') && top('address') < top('card-form')";
        assert_eq!(buyer.script(order, &[]).await, json!(true));
        draw(&buyer, window, &format!("express-{name}")).await;
        if window == Window::Desktop {
            // 200 % of a window of 1440 pixels.
            buyer.resize_to(720, 450, false).await;
            buyer
                .script("document.querySelector('[data-test=express]').scrollIntoView({ block: 'center' })", &[])
                .await;
            draw(&buyer, window, &format!("express-zoomed-{name}")).await;
            buyer.resize_to(1440, 900, false).await;
        }

        // Without an address the wallet does not open: the form says what is missing.
        buyer.press("wallet-button").await;
        buyer.find(&format!("{}:not([hidden])", named("error-address-name"))).await;
        assert_eq!(buyer.script("return document.activeElement.dataset.test", &[]).await, json!("address-name"));
        has_no_window(&buyer).await;
        draw(&buyer, window, &format!("express-no-address-{name}")).await;

        // The wallet shows the whole price. A buyer who does not agree has a held order.
        buyer.fill_address().await;
        buyer.press("address-keep").await;
        buyer.press("wallet-button").await;
        buyer.sees("wallet-total", "3000 sar").await;
        let lines =
            "return [...document.querySelectorAll('[data-test=wallet-line]')].map((it) => it.innerText.split(': ')[1])";
        assert_eq!(buyer.script(lines, &[]).await, json!(["1000", "2000"]));
        buyer.press("wallet-cancel").await;
        has_no_window(&buyer).await;
        assert_eq!(buyer.script(&format!("return {}", order_is("held")), &[]).await, json!(true));
        assert_eq!(cards.taken().await.len(), 2 * number, "nothing was taken");

        // Declined: the order is still held, and the same button works with another card.
        buyer.press("wallet-button").await;
        buyer.press("wallet-pay").await;
        buyer.find(&named("pay-error")).await;
        has_no_window(&buyer).await;
        draw(&buyer, window, &format!("express-declined-{name}")).await;
        give_wallet(&buyer, "4242424242424242").await;
        buyer.press("wallet-button").await;
        buyer.press("wallet-pay").await;
        is_paid(&buyer).await;
        draw(&buyer, window, &format!("express-paid-{name}")).await;
        buyer.press("order-done").await;

        // The next time: the card, the button, the consent in the wallet. The parcel is the same, so its delivery is paid.
        buyer.script(COUNT_TAPS, &[]).await;
        buyer.press("card-buy").await;
        buyer.until("the hold", &order_is("held"), SOON).await;
        let filled_in = "document.querySelector('[data-test=address-name]').value === 'Ann Example'";
        buyer.until("the saved address", filled_in, SOON).await;
        buyer.press("wallet-button").await;
        buyer.press("wallet-pay").await;
        is_paid(&buyer).await;
        assert_eq!(buyer.script("return window.taps", &[]).await, json!(3), "taps from the card to the paid order");
        let mut taken = cards.taken().await.split_off(2 * number);
        taken.sort_unstable();
        assert_eq!(taken, [1_000, 3_000]);
        bought += 2;
        let orders = cards.shop.rest(&format!("wallet-{name}"), "viewer").get("/v1/orders").await.expect(200);
        let order = orders["items"][0]["id"].as_str().unwrap().to_owned();
        let order = cards.shop.rest(&format!("wallet-{name}"), "viewer").get(&format!("/v1/orders/{order}")).await;
        // The address of the form, not that of the wallet, whose owner lives elsewhere.
        assert_eq!(order.expect(200)["address"]["name"], "Ann Example");
        buyer.assert_no_faults(name).await;
        buyer.close().await;
    }
    cards.shop.until_left(&cards.offer, 20 - bought).await;
}

#[tokio::test]
async fn without_a_wallet_the_express_buttons_take_no_room() {
    let cards = CardShop::open().await;
    let driver = Driver::start();
    let buyer = Browser::open(&driver, Window::Mobile, "en").await;
    cards.watch(&buyer, "Ann", "en").await;
    buyer.reserve().await;
    buyer.find(&named("card-number")).await;
    buyer.settle().await;
    assert_eq!(buyer.script(HEIGHT, &[]).await, json!(0));
    assert_eq!(buyer.script("return document.querySelector('[data-test=wallet-button]')", &[]).await, Value::Null);
    // Nothing of it can be reached by the keyboard or a screen reader.
    let hidden = "return !document.querySelector('[data-test=express]').checkVisibility({ visibilityProperty: true })";
    assert_eq!(buyer.script(hidden, &[]).await, json!(true));
    draw(&buyer, Window::Mobile, "express-none").await;
    buyer.fill_address().await;
    card(&buyer, "4242424242424242").await;
    is_paid(&buyer).await;
    buyer.assert_no_faults("Ann").await;
    buyer.close().await;
}

#[tokio::test]
async fn wallet_takes_nothing_when_the_price_has_risen() {
    let cards = CardShop::open().await;
    let driver = Driver::start();
    let buyer = Browser::open(&driver, Window::Mobile, "en").await;
    cards.watch(&buyer, "Ann", "en").await;
    give_wallet(&buyer, "4242424242424242").await;
    buyer.reserve().await;
    buyer.fill_address().await;
    buyer.press("wallet-button").await;
    buyer.sees("wallet-total", "3000 sar").await;
    cards.charge(2_500).await;
    buyer.press("wallet-pay").await;
    // The wallet says why, and so does the form behind it, with the new price.
    buyer.sees("wallet-fault", "price has changed").await;
    buyer.screenshot("card-express-price-rose").await;
    buyer.press("wallet-cancel").await;
    buyer.sees("pay-error", "price has changed").await;
    buyer.sees("order-total", "35").await;
    assert_eq!(cards.fake.intents().len(), 0, "Stripe was not asked");
    buyer.press("wallet-button").await;
    buyer.sees("wallet-total", "3500 sar").await;
    buyer.press("wallet-pay").await;
    is_paid(&buyer).await;
    assert_eq!(cards.taken().await, [3_500]);

    // The sheet is closed and opened again: a frame that was taken out of the page has lost its inside, so it is made again.
    buyer.press("order-done").await;
    buyer.reserve().await;
    buyer.fill_address().await;
    buyer.find("[data-test=express][data-shown=true]").await;
    buyer.press("checkout-close").await;
    buyer.until("the sheet to close", "!document.querySelector('[data-test=checkout]')", SOON).await;
    buyer.press_at("#held-chip").await;
    buyer.find("[data-test=express][data-shown=true]").await;
    buyer.press("wallet-button").await;
    buyer.press("wallet-pay").await;
    is_paid(&buyer).await;
    // It goes into the parcel that is paid.
    let mut taken = cards.taken().await;
    taken.sort_unstable();
    assert_eq!(taken, [1_000, 3_500]);
    buyer.assert_no_faults("Ann").await;
    buyer.close().await;
}
