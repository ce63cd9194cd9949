//! A host sells to two viewers; one of them reads Arabic and loses the network during the show.
//!
//! The test presses and reads the pages as users do. A screenshot of each step goes to `target/screens`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::outside::proxy::Proxy;
use crate::support::person::named;

/// The one flash offer of the show.
async fn flash_offer(server: &Server) -> Value {
    let host = server.rest().with_token(server.started["host_token"].as_str().unwrap());
    let offers = host.get(&format!("/v1/streams/{}/offers", server.stream())).await.expect(200);
    let offers = offers["items"].as_array().unwrap().clone();
    offers.into_iter().find(|offer| offer["kind"] == "flash").expect("a flash offer")
}

#[tokio::test]
async fn host_sells_to_two_viewers_and_one_loses_the_network() {
    let mut server = Server::demo().await;
    let proxy = Proxy::start(server.address()).await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let badr = Browser::open(&driver, Window::Mobile, "ar").await;
    let watch = format!("/watch?stream={}", server.stream());
    host.goto(server.started["host_url"].as_str().unwrap()).await;
    ann.goto(&format!("{}{watch}", server.url)).await;
    badr.goto(&format!("{}{watch}&lang=ar", proxy.url())).await;
    for browser in [&host, &ann, &badr] {
        browser.wait_until_live().await;
    }
    assert_eq!(badr.script("return [document.dir, document.documentElement.lang]", &[]).await, json!(["rtl", "ar"]));
    ann.screenshot("viewer-pinned").await;
    badr.screenshot("viewer-pinned-ar").await;

    // The host prepares a flash sale of three and starts it.
    host.press("add-offer").await;
    host.find("[data-test^=\"variant-\"]").await;
    host.screenshot("host-catalogue").await;
    host.click("[data-test^=\"variant-\"]").await;
    host.choose("offer-kind-flash").await;
    for (field, value) in [("quantity", "3"), ("per-buyer", "2"), ("countdown", "9"), ("duration", "5")] {
        host.fill(&named(&format!("offer-{field}")), value).await;
    }
    host.press("offer-start").await;
    host.sees("error-offer-countdown", "10").await;
    host.screenshot("host-flash-form-error").await;
    host.fill(&named("offer-countdown"), "12").await;
    host.press("offer-start").await;
    host.until("the form to close", "!document.querySelector('[data-test=offer-form]')", SOON).await;
    let flash = flash_offer(&server).await;
    let id = flash["id"].as_str().unwrap();

    // It is pinned by its start. Both viewers see the card and its countdown; they cannot buy yet.
    for browser in [&ann, &badr] {
        let is_pinned = format!("document.querySelector('[data-test=card]').dataset.offer === '{id}'");
        browser.until("the card of the sale", &is_pinned, SOON).await;
        browser
            .until("the countdown", "document.querySelector('[data-test=card]').dataset.phase === 'soon'", SOON)
            .await;
        let is_disabled = "return document.querySelector('[data-test=card-buy]').disabled";
        assert_eq!(browser.script(is_disabled, &[]).await, json!(true));
    }
    ann.screenshot("viewer-countdown").await;
    badr.screenshot("viewer-countdown-ar").await;
    host.screenshot("host-countdown").await;
    let open = "document.querySelector('[data-test=card]').dataset.phase === 'live'";
    for browser in [&host, &ann, &badr] {
        browser.until("the sale to open", open, Duration::from_secs(30)).await;
    }
    ann.sees("card-left", "3").await;

    // Ann buys one unit and gets place 1.
    ann.press("card-buy").await;
    ann.sign_in("Ann").await;
    ann.wait_until_live().await;
    ann.sees("order-place", "1").await;
    ann.screenshot("viewer-held").await;
    ann.fill_address().await;
    badr.until("the stock to fall", "document.querySelector('[data-test=card]').innerText.match(/[2٢]/)", SOON).await;
    ann.choose("payment-declined").await;
    ann.press("pay").await;
    ann.find(&named("pay-error")).await;
    ann.screenshot("viewer-declined").await;
    ann.choose("payment-ok").await;
    ann.press("pay").await;
    let paid = "document.querySelector('[data-test=order-status]')?.dataset.status === 'paid'";
    ann.until("the order to be paid", paid, SOON).await;
    ann.screenshot("viewer-paid").await;
    ann.press("order-done").await;
    host.until("the purchase in the chat list", "document.querySelector('[data-test=note-purchased]')", SOON).await;

    // Badr buys the other two units; then the offer is sold out on every page.
    badr.click(".card-face").await;
    badr.press("qty-more").await;
    badr.until("two of them", "/2|٢/.test(document.querySelector('[data-test=qty]').innerText)", SOON).await;
    badr.screenshot("viewer-product-ar").await;
    badr.press("product-buy").await;
    badr.sign_in("بدر").await;
    badr.wait_until_live().await;
    badr.find(&named("order-place")).await;
    badr.screenshot("viewer-held-ar").await;
    badr.fill_address().await;
    badr.press("pay").await;
    badr.until("the order to be paid", paid, SOON).await;
    badr.press("order-done").await;
    for browser in [&ann, &badr, &host] {
        let gone = "document.querySelector('[data-test=card]').dataset.phase.startsWith('sold_out')";
        browser.until("sold out", gone, SOON).await;
    }
    let all_paid = "document.querySelector('[data-test=card]').dataset.phase === 'sold_out'";
    ann.until("sold out permanently", all_paid, SOON).await;
    ann.screenshot("viewer-sold-out").await;
    badr.screenshot("viewer-sold-out-ar").await;
    host.screenshot("host-sold-out").await;

    // Badr has no network for twenty seconds. Meanwhile there are new messages, another pin and a purchase.
    badr.say("مرحبا").await;
    ann.sees("chat-list", "مرحبا").await;
    proxy.black_hole();
    let other = server.started["offers"][1]["id"].as_str().unwrap().to_owned();
    host.press(&format!("pin-{other}")).await;
    for n in 1..=4 {
        ann.say(&format!("missed number {n}")).await;
    }
    ann.until("the new pin", &format!("document.querySelector('[data-test=card]').dataset.offer === '{other}'"), SOON)
        .await;
    ann.press("card-buy").await;
    ann.find(&named("order-place")).await;
    let away = tokio::time::Instant::now() + Duration::from_secs(20);
    proxy.cut();
    badr.until(
        "the connection bar to report the loss",
        "document.querySelector('[data-test=conn]').dataset.status !== 'live'",
        SOON,
    )
    .await;
    let is_disabled = "document.querySelector('[data-test=card-buy]').disabled";
    badr.until("the buy button to be disabled while the card is stale", is_disabled, SOON).await;
    badr.screenshot("viewer-reconnecting-ar").await;
    tokio::time::sleep_until(away).await;
    proxy.restore();
    let back = Duration::from_secs(45);
    badr.until(
        "the connection to be live again",
        "document.querySelector('[data-test=conn]').dataset.status === 'live'",
        back,
    )
    .await;
    for n in 1..=4 {
        badr.sees("chat-list", &format!("missed number {n}")).await;
    }
    let messages = badr.text(&named("chat-list")).await;
    assert_eq!(messages.matches("missed number").count(), 4, "{messages}");
    assert_eq!(messages.matches("مرحبا").count(), 1, "{messages}");
    let card = "return document.querySelector('[data-test=card]').dataset.offer";
    assert_eq!(badr.script(card, &[]).await, json!(other));
    let left = server.rest().get(&format!("/v1/offers/{other}")).await.expect(200)["left"].as_i64().unwrap();
    let shown = |left: i64| {
        let arabic: String = left.to_string().chars().map(|c| char::from_u32(c as u32 - 48 + 0x660).unwrap()).collect();
        format!("/({left}|{arabic})/.test(document.querySelector('[data-test=card-left]').innerText)")
    };
    badr.until("the right stock", &shown(left), SOON).await;
    badr.screenshot("viewer-back-ar").await;
    host.screenshot("host-after").await;

    for (browser, who) in [(&host, "host"), (&ann, "Ann"), (&badr, "Badr")] {
        browser.assert_no_faults(who).await;
    }
    for browser in [host, ann, badr] {
        browser.close().await;
    }
    server.stop().await;
}

/// Opens every page large and small, in both writing directions; each must fit its window.
#[tokio::test]
async fn every_page_fits_phone_and_desktop_in_english_and_arabic() {
    let mut server = Server::demo().await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    let host_url = server.started["host_url"].as_str().unwrap().to_owned();
    let (host_page, token) = host_url.split_once('#').unwrap();
    let pages = [
        ("shop", format!("{}/?", server.url), "[data-test=shows] li, [data-test^=show-]"),
        ("watch", format!("{}/watch?stream={}&", server.url, server.stream()), "[data-test=card-title]"),
        ("orders", format!("{}/orders?", server.url), "[data-test=orders] .notice-box"),
        ("host", format!("{host_page}&"), "[data-test=lineup] li"),
        ("docs", format!("{}/docs?", server.url), "[data-test=docs-content] h2, [data-test=docs-content] section"),
    ];
    for (name, url, sign) in pages {
        let (phone, desktop) = ((Window::Mobile, "phone"), (Window::Desktop, "desktop"));
        for (language, (window, size)) in first_or_all([("ar", phone), ("en", phone), ("ar", desktop), ("en", desktop)])
        {
            browser.resize(window).await;
            // A change of the fragment alone does not load the page again.
            browser.goto("about:blank").await;
            browser.goto(&format!("{url}lang={language}#{token}")).await;
            browser.find(sign).await;
            browser.screenshot(&format!("{name}-{size}-{language}")).await;
            browser.assert_no_faults(&format!("{name} {size} {language}")).await;
        }
    }
    browser.close().await;
    server.stop().await;
}
