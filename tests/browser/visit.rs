//! A visit without a purchase: a scheduled show, the shop page, the chat field, and the use of a keyboard alone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::proxy::Proxy;
use crate::support::outside::shop::{Shop, id, now_ms};
use crate::support::person::named;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

#[tokio::test]
async fn scheduled_show_counts_down_reminds_and_starts() {
    let shop = Shop::demo(&[]).await;
    let new = json!({"title": "Gifts", "titles": {"ar": "هدايا"}, "scheduled_at": now_ms() + 3_600_000});
    let coming = id(&shop.host.post("/v1/streams", new).await.expect(201));
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    for (language, size) in [("ar", Window::Mobile), ("en", Window::Desktop), ("en", Window::Mobile)] {
        ann.resize(size).await;
        ann.goto("about:blank").await;
        ann.goto(&format!("{}/watch?stream={coming}&lang={language}", shop.server.url)).await;
        ann.wait_until_live().await;
        ann.until(
            "the countdown",
            "/59:\\d\\d/.test(document.querySelector('[data-test=player-clock]').innerText)",
            SOON,
        )
        .await;
        ann.screenshot(&format!(
            "visit-coming-{language}-{}",
            if size == Window::Mobile { "phone" } else { "desktop" }
        ))
        .await;
    }
    let entry = ann.script("return document.querySelector('[data-test=calendar]').href", &[]).await;
    assert!(entry.as_str().unwrap().ends_with(&format!("/v1/streams/{coming}/calendar.ics?lang=en")), "{entry}");
    ann.press("remind").await;
    ann.sees("remind", "Reminder set").await;
    shop.host.post(&format!("/v1/streams/{coming}/start"), json!({})).await.expect(200);
    ann.sees("toast-alert", "has started").await;
    ann.until("the countdown panel to go", "document.querySelector('[data-test=coming]').hidden", SOON).await;
    ann.screenshot("visit-started").await;
    ann.press("share").await;
    let drawn = "document.querySelector('[data-test=share-qr]')?.naturalWidth > 0";
    ann.until("the QR code", drawn, SOON).await;
    ann.screenshot("visit-share").await;
    ann.press("share-sheet-close").await;
    shop.host.post(&format!("/v1/streams/{coming}/end"), json!({})).await.expect(200);
    ann.sees("live-badge", "Ended").await;
    ann.screenshot("visit-ended").await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn shop_page_is_searched_and_filtered() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.goto(&format!("{}/?lang=en", shop.server.url)).await;
    let titles = "[...document.querySelectorAll('.product-card .row-title')].map((it) => it.innerText)";
    let all = ann.until("the products on sale", &format!("{titles}.length > 4 && {titles}"), SOON).await;
    ann.press("category-Kitchen").await;
    let kitchen = ann.until("the kitchen", &format!("{titles}.length === 2 && {titles}"), SOON).await;
    assert!(kitchen.as_array().unwrap().iter().all(|title| all.as_array().unwrap().contains(title)), "{kitchen}");
    ann.screenshot("visit-category").await;
    ann.press("category-all").await;
    ann.fill(&named("search"), "DATES").await;
    ann.until("the dates", &format!("{titles}.length === 1 && {titles}[0].startsWith('Ajwa')"), SOON).await;
    ann.screenshot("visit-search").await;
    ann.fill(&named("search"), "no such thing").await;
    ann.find(&named("shop-nothing")).await;
    ann.screenshot("visit-nothing").await;
    ann.press("shop-clear").await;
    ann.until("everything again", &format!("{titles}.length === {}", all.as_array().unwrap().len()), SOON).await;
    // A product leads to its show, with its product sheet open.
    ann.fill(&named("search"), "perfume").await;
    ann.until("the perfume", &format!("{titles}.length === 1"), SOON).await;
    ann.click(".product-card").await;
    ann.sees("product", "perfume").await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn chat_field_shows_why_a_viewer_may_not_write() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let watch = format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream);
    let hint = |part: &str| format!("document.querySelector('[data-test=chat-input]').placeholder.includes('{part}')");
    ann.goto(&watch).await;
    ann.until("the sign-in", &hint("Sign in"), SOON).await;
    ann.goto("about:blank").await;
    ann.goto(&format!("{watch}#token={}", shop.token("Ann", "viewer"))).await;
    ann.wait_until_live().await;
    shop.host.put(&shop.path("chat"), json!({"slow_s": 20})).await.expect(200);
    ann.say("first").await;
    ann.find(&named("chat-wait")).await;
    ann.fill(&named("chat-input"), "typed while waiting").await;
    let typed = "return document.querySelector('[data-test=chat-input]').value";
    assert_eq!(ann.script(typed, &[]).await, json!("typed while waiting"));
    ann.screenshot("visit-slow-mode").await;
    shop.host.put(&shop.path("mutes/Ann"), json!({"seconds": 600})).await.expect(200);
    ann.until("the mute", &hint("muted until"), SOON).await;
    ann.screenshot("visit-muted").await;
    shop.host.put(&shop.path("bans/Ann"), json!({})).await.expect(200);
    ann.sees("conn", "banned").await;
    ann.until("the ban", &hint("You can’t chat here"), SOON).await;
    ann.screenshot("visit-banned").await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn typed_text_survives_a_network_loss_and_is_never_cut() {
    let shop = Shop::demo(&[]).await;
    let proxy = Proxy::start(shop.server.address()).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/watch?stream={}&lang=en#token={token}", proxy.url(), shop.stream)).await;
    ann.wait_until_live().await;
    ann.until("the chat field to be open", "document.querySelector('[data-test=chat-input]').readOnly === false", SOON)
        .await;
    ann.fill(&named("chat-input"), "half a sen").await;
    proxy.cut();
    ann.until(
        "the connection bar to report the loss",
        "document.querySelector('[data-test=conn]').dataset.status !== 'live'",
        SOON,
    )
    .await;
    ann.until("the send button to be off", "document.querySelector('[data-test=chat-send]').disabled", SOON).await;
    let typed = "return document.querySelector('[data-test=chat-input]').value";
    // Typing goes on, Enter sends nothing yet, and nothing is lost.
    ann.fill(&named("chat-input"), "half a sentence").await;
    ann.key(ENTER).await;
    assert_eq!(ann.script(typed, &[]).await, json!("half a sentence"));
    proxy.restore();
    ann.wait_until_live().await;
    assert_eq!(ann.script(typed, &[]).await, json!("half a sentence"));
    ann.wait_until_live().await;
    ann.fill(&named("chat-input"), &"long ".repeat(50)).await;
    ann.press("chat-send").await;
    ann.sees("toast", "200").await;
    assert_eq!(ann.script(typed, &[]).await, json!("long ".repeat(50)));
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn dead_link_in_a_busy_room_is_noticed_within_five_seconds_and_nothing_can_be_bought_meanwhile() {
    let shop = Shop::demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let proxy = Proxy::start(shop.server.address()).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/watch?stream={}&lang=en#token={token}", proxy.url(), shop.stream)).await;
    ann.wait_until_live().await;
    let is_lit = "return !document.querySelector('[data-test=card-buy]').disabled";
    assert_eq!(ann.script(is_lit, &[]).await, json!(true));
    let mut bob = shop.live("Bob", "viewer").await;
    for number in 0..30 {
        bob.ask(json!({"do": "say", "text": format!("hello {number}")})).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    proxy.black_hole();
    let fell_silent = std::time::Instant::now();
    let is_off = "document.querySelector('[data-test=card-buy]').disabled";
    ann.until("the buy button to be off", is_off, SOON).await;
    let noticed_after = fell_silent.elapsed();
    assert!((2_000..6_000).contains(&noticed_after.as_millis()), "{noticed_after:?}");
    proxy.restore();
    ann.wait_until_live().await;
    ann.until("the buy button to be back", &format!("!({is_off})"), SOON).await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn purchase_is_reachable_by_keyboard_and_the_focus_returns() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/watch?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
    ann.wait_until_live().await;
    ann.find(&named("product-list-search")).await;
    let focused = async || ann.script("return document.activeElement.dataset.test ?? ''", &[]).await;
    let mut presses = 0;
    while focused().await != "card-buy" {
        presses += 1;
        assert!(presses < 80, "Tab does not reach the card");
        ann.key(TAB).await;
    }
    let ring = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(ann.script(ring, &[]).await, json!("solid"), "the focused element has a visible outline");
    ann.key(ENTER).await;
    ann.find(&named("order-place")).await;
    let inside = "return document.querySelector('dialog[open]').contains(document.activeElement) || document.activeElement === document.body";
    // The page beside the checkout can be used too: what comes first is the checkout, down to its button.
    let mut presses = 0;
    while focused().await != "pay" {
        presses += 1;
        assert!(presses < 30, "Tab does not reach the button that pays");
        ann.key(TAB).await;
        assert_eq!(ann.script(inside, &[]).await, Value::Bool(true), "at {}", focused().await);
    }
    ann.key(ESCAPE).await;
    ann.until("the sheet to close", "!document.querySelector('dialog[open]')", Duration::from_secs(5)).await;
    assert_eq!(focused().await, "card-buy", "the focus returns to the buy button");
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn product_list_is_searched_and_its_bell_alerts_when_the_offer_is_pinned() {
    let shop = Shop::demo(&[]).await;
    let offers = shop.server.rest().get(&shop.path("offers")).await.expect(200);
    let dates = offers["items"].as_array().unwrap().iter().find(|it| it["title"].as_str().unwrap().contains("dates"));
    let dates = id(dates.unwrap());
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.goto(&format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream)).await;
    ann.wait_until_live().await;
    ann.press("product-list-open").await;
    let rows = "[...document.querySelectorAll('.offer-row:not([hidden])')].map((it) => it.dataset.test)";
    let first = ann.until("the rows", &format!("{rows}.length > 4 && {rows}[0]"), SOON).await;
    let pin = shop.watch().await.hello["state"]["pin"]["offer"].clone();
    assert_eq!(first, json!(format!("offer-{}", pin.as_str().unwrap())), "the pinned offer is first");
    ann.press("tab-sale").await;
    ann.fill(&named("product-list-search"), "DATES").await;
    ann.until("the dates alone", &format!("{rows}.length === 1 && {rows}[0] === 'offer-{dates}'"), SOON).await;
    ann.press(&format!("bell-{dates}")).await;
    let is_set = format!("document.querySelector('[data-test=\"bell-{dates}\"]').getAttribute('aria-pressed')");
    ann.until("the bell to be set", &format!("{is_set} === 'true'"), SOON).await;
    ann.screenshot("visit-bell").await;
    ann.press("product-list-close").await;
    shop.host.put(&shop.path("pin"), json!({ "offer": dates })).await.expect(200);
    ann.sees("toast-alert", "Now showing: \u{2068}Ajwa dates").await;
    ann.screenshot("visit-bell-rang").await;
    ann.press("product-list-open").await;
    ann.until("the bell to be off", &format!("{is_set} === 'false'"), SOON).await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}
