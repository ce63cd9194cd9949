//! A visit without a purchase: a show that is to come, the shop's front, what people write, and what a keyboard reaches.

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
async fn a_show_to_come_counts_down_reminds_and_starts() {
    let shop = Shop::demo(&[]).await;
    let new = json!({"title": "Gifts", "titles": {"ar": "هدايا"}, "scheduled_at": now_ms() + 3_600_000});
    let coming = id(&shop.host.post("/v1/streams", new).await.expect(201));
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    for (language, size) in [("ar", Window::Mobile), ("en", Window::Desktop), ("en", Window::Mobile)] {
        ann.resize(size).await;
        ann.goto("about:blank").await;
        ann.goto(&format!("{}/watch?stream={coming}&lang={language}", shop.server.url)).await;
        ann.is_live().await;
        ann.until(
            "the countdown",
            "/59:\\d\\d/.test(document.querySelector('[data-test=stage-clock]').innerText)",
            SOON,
        )
        .await;
        ann.shot(&format!("visit-coming-{language}-{}", if size == Window::Mobile { "phone" } else { "desktop" }))
            .await;
    }
    let entry = ann.script("return document.querySelector('[data-test=calendar]').href", &[]).await;
    assert!(entry.as_str().unwrap().ends_with(&format!("/v1/streams/{coming}/calendar.ics?lang=en")), "{entry}");
    ann.press("remind").await;
    ann.sees("remind", "We will tell you").await;
    shop.host.post(&format!("/v1/streams/{coming}/start"), json!({})).await.expect(200);
    ann.sees("toast-tell", "has started").await;
    ann.until("the way to the calendar to go", "document.querySelector('[data-test=coming]').hidden", SOON).await;
    ann.shot("visit-started").await;
    ann.press("share").await;
    let drawn = "document.querySelector('[data-test=share-qr]')?.naturalWidth > 0";
    ann.until("the code", drawn, SOON).await;
    ann.shot("visit-share").await;
    ann.press("share-sheet-close").await;
    shop.host.post(&format!("/v1/streams/{coming}/end"), json!({})).await.expect(200);
    ann.sees("live-badge", "Ended").await;
    ann.shot("visit-ended").await;
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn the_front_of_the_shop_is_searched_and_filtered() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.goto(&format!("{}/?lang=en", shop.server.url)).await;
    let things = "[...document.querySelectorAll('.thing .row-title')].map((it) => it.innerText)";
    let all = ann.until("what is on sale", &format!("{things}.length > 4 && {things}"), SOON).await;
    ann.press("category-Kitchen").await;
    let kitchen = ann.until("the kitchen", &format!("{things}.length === 2 && {things}"), SOON).await;
    assert!(kitchen.as_array().unwrap().iter().all(|title| all.as_array().unwrap().contains(title)), "{kitchen}");
    ann.shot("visit-category").await;
    ann.press("category-all").await;
    ann.fill(&named("search"), "DATES").await;
    ann.until("the dates", &format!("{things}.length === 1 && {things}[0].startsWith('Ajwa')"), SOON).await;
    ann.shot("visit-search").await;
    ann.fill(&named("search"), "no such thing").await;
    ann.find(&named("shop-nothing")).await;
    ann.shot("visit-nothing").await;
    ann.press("shop-clear").await;
    ann.until("everything again", &format!("{things}.length === {}", all.as_array().unwrap().len()), SOON).await;
    // One of them leads into its show, with its sheet open.
    ann.fill(&named("search"), "perfume").await;
    ann.until("the perfume", &format!("{things}.length === 1"), SOON).await;
    ann.click(".thing").await;
    ann.sees("product", "perfume").await;
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn the_field_says_why_one_may_not_talk() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let watch = format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream);
    let hint = |part: &str| format!("document.querySelector('[data-test=chat-input]').placeholder.includes('{part}')");
    ann.goto(&watch).await;
    ann.until("the sign-in", &hint("Sign in"), SOON).await;
    ann.goto("about:blank").await;
    ann.goto(&format!("{watch}#token={}", shop.token("Ann", "viewer"))).await;
    ann.is_live().await;
    shop.host.put(&shop.path("chat"), json!({"slow_s": 20})).await.expect(200);
    ann.say("first").await;
    ann.find(&named("chat-wait")).await;
    ann.fill(&named("chat-input"), "typed while waiting").await;
    let typed = "return document.querySelector('[data-test=chat-input]').value";
    assert_eq!(ann.script(typed, &[]).await, json!("typed while waiting"));
    ann.shot("visit-slow-mode").await;
    shop.host.put(&shop.path("mutes/Ann"), json!({"seconds": 600})).await.expect(200);
    ann.until("the mute", &hint("muted until"), SOON).await;
    ann.shot("visit-muted").await;
    shop.host.put(&shop.path("bans/Ann"), json!({})).await.expect(200);
    ann.sees("conn", "removed").await;
    ann.until("the ban", &hint("closed for you"), SOON).await;
    ann.shot("visit-banned").await;
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn what_is_typed_outlives_a_drop_of_the_network_and_is_never_cut() {
    let shop = Shop::demo(&[]).await;
    let proxy = Proxy::start(shop.server.address()).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/watch?stream={}&lang=en#token={token}", proxy.url(), shop.stream)).await;
    ann.is_live().await;
    ann.until("the sign-in", "document.querySelector('[data-test=chat-input]').readOnly === false", SOON).await;
    ann.fill(&named("chat-input"), "half a sen").await;
    proxy.cut();
    ann.until("to be told", "document.querySelector('[data-test=conn]').dataset.status !== 'live'", SOON).await;
    ann.until("a shut field", "document.querySelector('[data-test=chat-input]').readOnly", SOON).await;
    let typed = "return document.querySelector('[data-test=chat-input]').value";
    assert_eq!(ann.script(typed, &[]).await, json!("half a sen"));
    proxy.restore();
    ann.is_live().await;
    ann.fill(&named("chat-input"), &"long ".repeat(50)).await;
    ann.press("chat-send").await;
    ann.sees("toast", "200").await;
    assert_eq!(ann.script(typed, &[]).await, json!("long ".repeat(50)));
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn a_keyboard_alone_reaches_the_purchase_and_comes_back() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/watch?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
    ann.is_live().await;
    ann.find(&named("bag-search")).await;
    let here = async || ann.script("return document.activeElement.dataset.test ?? ''", &[]).await;
    let mut presses = 0;
    while here().await != "card-buy" {
        presses += 1;
        assert!(presses < 80, "Tab does not reach the card");
        ann.key(TAB).await;
    }
    let ring = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(ann.script(ring, &[]).await, json!("solid"), "one sees where one is");
    ann.key(ENTER).await;
    ann.find(&named("order-place")).await;
    let inside = "return document.querySelector('dialog[open]').contains(document.activeElement) || document.activeElement === document.body";
    for _ in 0..30 {
        ann.key(TAB).await;
        assert_eq!(ann.script(inside, &[]).await, Value::Bool(true), "at {}", here().await);
    }
    ann.key(ESCAPE).await;
    ann.until("the sheet to close", "!document.querySelector('dialog[open]')", Duration::from_secs(5)).await;
    assert_eq!(here().await, "card-buy", "back where one was");
    ann.is_sound("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn the_bag_is_searched_and_a_bell_rings_when_its_offer_is_shown() {
    let shop = Shop::demo(&[]).await;
    let offers = shop.server.rest().get(&shop.path("offers")).await.expect(200);
    let dates = offers["items"].as_array().unwrap().iter().find(|it| it["title"].as_str().unwrap().contains("dates"));
    let dates = id(dates.unwrap());
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.goto(&format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream)).await;
    ann.is_live().await;
    ann.press("bag").await;
    let rows = "[...document.querySelectorAll('.offer-row:not([hidden])')].map((it) => it.dataset.test)";
    let first = ann.until("the rows", &format!("{rows}.length > 4 && {rows}[0]"), SOON).await;
    let pin = shop.watch().await.hello["state"]["pin"]["offer"].clone();
    assert_eq!(first, json!(format!("offer-{}", pin.as_str().unwrap())), "what is shown stands first");
    ann.press("tab-sale").await;
    ann.fill(&named("bag-search"), "DATES").await;
    ann.until("the dates alone", &format!("{rows}.length === 1 && {rows}[0] === 'offer-{dates}'"), SOON).await;
    ann.press(&format!("bell-{dates}")).await;
    let rung = format!("document.querySelector('[data-test=\"bell-{dates}\"]').getAttribute('aria-pressed')");
    ann.until("the bell to be set", &format!("{rung} === 'true'"), SOON).await;
    ann.shot("visit-bell").await;
    ann.press("bag-close").await;
    shop.host.put(&shop.path("pin"), json!({ "offer": dates })).await.expect(200);
    ann.sees("toast-tell", "Showing now: \u{2068}Ajwa dates").await;
    ann.shot("visit-bell-rang").await;
    ann.press("bag").await;
    ann.until("the bell to be off", &format!("{rung} === 'false'"), SOON).await;
    ann.is_sound("Ann").await;
    ann.close().await;
}
