//! The checkout sells: Pay is always in sight, a returning buyer needs few taps, and the show goes on beside it.

use serde_json::json;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::{named, order_is};

const ESCAPE: &str = "\u{e00c}";

async fn pinned_offer(shop: &Shop, terms: serde_json::Value) -> String {
    let offer = shop.on_sale(9, terms).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    offer
}

/// Scrolls the sheet to each end. Wherever it is, the whole button can be seen and pressed.
const PAY_OUT_OF_SIGHT: &str = "
    const [body, pay] = [document.querySelector('[data-test=checkout] .sheet-body'), document.querySelector('[data-test=pay]')];
    return [0, body.scrollHeight / 3, body.scrollHeight].filter((top) => {
        body.scrollTop = top;
        const { left, right, top: upper, bottom } = pay.getBoundingClientRect();
        const corners = [[left + 30, upper + 4], [right - 30, bottom - 4]];
        return corners.some(([x, y]) => document.elementFromPoint(x, y) !== pay);
    })";

#[tokio::test]
async fn pay_is_always_in_sight_and_a_returning_buyer_pays_in_two_taps_on_any_device() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, json!({"per_buyer": 4})).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.reserve().await;
    ann.settle().await;
    assert_eq!(
        ann.script(PAY_OUT_OF_SIGHT, &[]).await,
        json!([]),
        "the places of the scroll bar at which Pay is covered"
    );
    // The show can be seen above the sheet.
    let above = "return document.querySelector('[data-test=checkout]').getBoundingClientRect().top / innerHeight";
    assert!(ann.script(above, &[]).await.as_f64().is_some_and(|part| part > 0.24));
    ann.screenshot("checkout-half").await;
    // What has the focus is not behind the button.
    ann.script("document.querySelector('[data-test=address-phone]').focus()", &[]).await;
    let covered = "const field = document.activeElement.getBoundingClientRect();
        return document.querySelector('.pay-bar').getBoundingClientRect().top < field.bottom";
    assert_eq!(ann.script(covered, &[]).await, json!(false));
    ann.fill_address().await;
    ann.press("address-keep").await;
    ann.press("pay").await;
    ann.until("the order to be paid", &order_is("paid"), SOON).await;
    ann.close().await;

    // Another phone: the address comes from the account.
    let again = Browser::open(&driver, Window::Mobile, "en").await;
    again.watch(&shop, &shop.server.url, "Ann", &offer).await;
    let count =
        "window.taps = 0; addEventListener('click', (event) => { if (event.isTrusted) window.taps += 1; }, true)";
    again.script(count, &[]).await;
    again.press("card-buy").await;
    let filled_in = "document.querySelector('[data-test=address-name]').value === 'Ann Example'";
    again.until("the saved address", filled_in, SOON).await;
    again.screenshot("checkout-returning").await;
    again.press("pay").await;
    again.until("the order to be paid", &order_is("paid"), SOON).await;
    let taps = again.script("return window.taps", &[]).await;
    assert!((1..=5).contains(&taps.as_i64().unwrap()), "{taps} taps from the card to the paid order");
    assert_eq!(taps, json!(2));
    again.assert_no_faults("Ann").await;
    again.close().await;
    shop.assert_audited().await;
}

#[tokio::test]
async fn buyer_at_a_desk_chats_beside_the_open_checkout() {
    let shop = Shop::demo(&[]).await;
    let offer = pinned_offer(&shop, json!({})).await;
    let driver = Driver::start();
    for language in first_or_all(["ar", "en"]) {
        let ann = Browser::open(&driver, Window::Desktop, language).await;
        let who = format!("Ann-{language}");
        let token = shop.token(&who, "viewer");
        ann.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
        ann.wait_until_live().await;
        ann.watch_pinned(&offer).await;
        ann.reserve().await;
        ann.settle().await;
        ann.screenshot(&format!("checkout-beside-{language}")).await;
        ann.fill(&named("chat-input"), "I have it!").await;
        ann.press("chat-send").await;
        let said = "[...document.querySelectorAll('[data-test=chat] li, .chat li')].some((it) => it.innerText.includes('I have it!'))";
        ann.until("the message in the chat", said, SOON).await;
        assert_eq!(ann.script("return document.querySelector('[data-test=checkout]').open", &[]).await, json!(true));
        assert_eq!(ann.script(PAY_OUT_OF_SIGHT, &[]).await, json!([]));
        // Esc closes the checkout while the focus is in it.
        ann.script("document.querySelector('[data-test=address-name]').focus()", &[]).await;
        ann.key(ESCAPE).await;
        ann.until("the checkout to close", "!document.querySelector('[data-test=checkout]')", SOON).await;
        ann.assert_no_faults(&who).await;
        ann.close().await;
    }
}
