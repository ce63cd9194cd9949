//! Buyers of a shop with a payment adapter pay on the page of its provider: one comes back without having paid, is declined, and pays.
//! The adapter is the sample of `examples/payment-adapter`.

use serde_json::json;
use testkit::payment_adapter::PaymentAdapter;
use testkit::web_proxy::WebProxy;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::{named, order_is};

const KEY: &str = "whsec_dGhlLWtleS1vZi10aGUtdGVzdHMtMzItYnl0ZXM=";

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("hosted-page-{name}")).await;
    let faults: Vec<String> = browser.faults(window, false).await;
    let faults: Vec<String> = faults.into_iter().filter(|line| !line.contains("> .text[dir=\"auto\"]")).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

async fn shop(adapter: &PaymentAdapter, base: &str) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let more = [
        "--payments",
        "http",
        "--base-url",
        base,
        "--payment-adapter-url",
        &adapter.url,
        "--payment-adapter-key-file",
        &adapter.key_file,
        "--payment-adapter-test",
        "--currency",
        "SAR",
    ];
    (Shop::serve_with(&store, &store, &more).await, folder)
}

/// Presses Pay, and one of the buttons on the page of the provider, which sends the buyer back.
async fn pay_there(buyer: &Browser, button: &str) {
    buyer.press("pay").await;
    buyer.until("the page of the provider", "location.pathname.startsWith('/pay/')", SOON).await;
    buyer.click(&format!("button[value='{button}']")).await;
    buyer.until("the way back", "location.pathname === '/orders'", SOON).await;
    buyer.until("a clean address", "!location.search.includes('charge')", SOON).await;
}

#[tokio::test]
async fn evening_buyer_pays_on_the_page_of_the_provider() {
    let listen = WebProxy::address();
    let base = format!("http://{listen}");
    let adapter = PaymentAdapter::start(KEY, &format!("{base}/v1/webhooks/http")).await;
    let (shop, _folder) = shop(&adapter, &base).await;
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
        buyer.watch_pinned(&offer).await;
        buyer.press("card-buy").await;
        buyer.until("the hold", &order_is("held"), SOON).await;
        buyer.find(&named("hosted-page")).await;
        buyer.fill_address().await;
        draw(&buyer, window, &format!("form-{name}")).await;
        // Not paid: the buyer is not sent away again, and can go on.
        pay_there(&buyer, "").await;
        let refused = "document.querySelector('[data-test=pay-error]')";
        buyer.until("the payment that waits", refused, SOON).await;
        buyer.until("the held order", &order_is("held"), SOON).await;
        draw(&buyer, window, &format!("waits-{name}")).await;
        pay_there(&buyer, "no").await;
        buyer.until("the refusal", refused, SOON).await;
        draw(&buyer, window, &format!("declined-{name}")).await;
        pay_there(&buyer, "yes").await;
        buyer.until("the order to be paid", &order_is("paid"), SOON).await;
        draw(&buyer, window, &format!("paid-{name}")).await;
        buyer.close().await;
        left -= 1;
    }
    shop.until_left(&offer, left).await;
    assert_eq!(adapter.stderr(), "");
}
