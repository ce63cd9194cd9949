//! Coupons as people use them: the team makes one at the desk, and a buyer types its code at the checkout.

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, key};
use crate::support::person::{named, order_is};

/// The console of a browser has a line for every answer that is a refusal.
const REFUSALS: [&str; 3] = ["status of 404", "status of 409", "status of 422"];

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("coupon-{name}")).await;
    let mut faults: Vec<String> = browser.faults(window, false).await;
    faults.retain(|line| !REFUSALS.iter().any(|status| line.contains(status)));
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

async fn coupon(shop: &Shop, form: Value) -> Value {
    shop.host.post_keyed("/v1/shop/coupons", &key(), form).await.expect(201)
}

async fn buyer(driver: &Driver, shop: &Shop, window: Window, language: &str, name: &str, offer: &str) -> Browser {
    let buyer = Browser::open(driver, window, language).await;
    let token = shop.token(name, "viewer");
    buyer.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
    buyer.wait_until_live().await;
    buyer.watch_pinned(offer).await;
    buyer.press("card-buy").await;
    buyer.until("the hold", &order_is("held"), SOON).await;
    buyer
}

#[tokio::test]
async fn coupon_code_is_typed_at_the_checkout_and_the_rest_is_paid() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let offer = shop.on_sale(9, json!({"per_buyer": 3})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    coupon(&shop, json!({"code": "SAVE-10", "percent_bp": 1_000})).await;
    coupon(&shop, json!({"code": "BASKET", "percent_bp": 1_000, "minimum": 50_000})).await;
    let mut paid = 0;
    for (window, language, name, saved, total) in first_or_all([
        (Window::Mobile, "en", "phone", "You save", "9"),
        (Window::Desktop, "ar", "arabic", "وفّرت", "9"),
        (Window::Desktop, "id", "desktop", "Anda hemat", "9"),
    ]) {
        let buyer = buyer(&driver, &shop, window, language, &format!("Ann-{name}"), &offer).await;
        buyer.press("coupon-open").await;
        // Nothing is lost on a code that is wrong, and Enter does not pay.
        buyer.fill(&named("coupon-code"), "nothing like it").await;
        buyer.press("coupon-apply").await;
        buyer.until("the refusal", "!document.querySelector('[data-test=coupon-error]').hidden", SOON).await;
        let typed = buyer.script("return document.querySelector('[data-test=coupon-code]').value", &[]).await;
        assert_eq!(typed, "nothing like it");
        draw(&buyer, window, &format!("refused-{name}")).await;
        buyer.fill(&named("coupon-code"), "basket").await;
        buyer.press("coupon-apply").await;
        buyer.sees("coupon-error", "500").await;
        buyer.fill(&named("coupon-code"), "save ١٠").await;
        buyer.key("\u{e007}").await;
        buyer.sees("coupon-saved", saved).await;
        buyer.sees("coupon-shown", "SAVE-10").await;
        buyer.sees("order-total", total).await;
        draw(&buyer, window, &format!("set-{name}")).await;
        // Taken away and set again: the field is closed, and opens empty.
        buyer.press("coupon-remove").await;
        buyer.press("coupon-open").await;
        buyer.fill(&named("coupon-code"), "SAVE10").await;
        buyer.press("coupon-apply").await;
        buyer.sees("coupon-saved", saved).await;
        buyer.fill_address().await;
        buyer.press("pay").await;
        buyer.until("the payment", &order_is("paid"), SOON).await;
        buyer.sees("order-total", total).await;
        draw(&buyer, window, &format!("paid-{name}")).await;
        buyer.assert_no_faults_except(name, &REFUSALS).await;
        buyer.close().await;
        paid += 900;
    }
    assert_eq!(shop.number("select sum(captured) from test_intents").await, paid);
}

#[tokio::test]
async fn coupon_is_made_changed_and_ended_at_the_desk() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let desk = Browser::open(&driver, Window::Desktop, "en").await;
    let host = shop.token("Noura", "host");
    desk.goto(&format!("{}/admin?section=coupons&lang=en#token={host}", shop.server.url)).await;
    desk.sees("coupon-empty", "No coupons yet.").await;
    draw(&desk, Window::Desktop, "desk-empty").await;
    desk.press("coupon-new").await;
    desk.press("coupon-save").await;
    desk.sees("error-coupon-code", "Required").await;
    desk.fill(&named("coupon-code"), "Eid 2026").await;
    desk.fill(&named("coupon-percent"), "12.5").await;
    desk.fill(&named("coupon-quota"), "100").await;
    draw(&desk, Window::Desktop, "desk-form").await;
    desk.press("coupon-save").await;
    desk.sees("coupon-list", "Eid 2026").await;
    desk.sees("coupon-list", "12.5%").await;
    desk.sees("coupon-uses", "0 of 100").await;
    // The same code once more.
    desk.press("coupon-new").await;
    desk.fill(&named("coupon-code"), "eid2026").await;
    desk.fill(&named("coupon-percent"), "5").await;
    desk.press("coupon-save").await;
    desk.sees("error-coupon-code", "Another coupon").await;
    // Esc asks first, because something was typed; the answer "Cancel" keeps it.
    desk.key("\u{e00c}").await;
    desk.sees("confirm", "isn’t saved yet").await;
    draw(&desk, Window::Desktop, "desk-unsaved").await;
    // Esc closes the question, and the next one asks again.
    desk.key("\u{e00c}").await;
    desk.until("the question to close", "!document.querySelector('[data-test=confirm]')", SOON).await;
    desk.key("\u{e00c}").await;
    desk.press("confirm-no").await;
    let typed = "return document.querySelector('[data-test=coupon-code]').value";
    assert_eq!(desk.script(typed, &[]).await, json!("eid2026"));
    desk.press("coupon-form-close").await;
    desk.press("confirm-yes").await;
    desk.until("the form to close", "!document.querySelector('[data-test=coupon-save]')", SOON).await;
    let made = shop.host.get("/v1/shop/coupons").await.expect(200)["items"][0].clone();
    assert_eq!((&made["percent_bp"], &made["quota"], &made["per_person"]), (&json!(1_250), &json!(100), &json!(1)));
    let id = made["id"].as_str().unwrap();
    desk.press(&format!("coupon-change-{id}")).await;
    desk.fill(&named("coupon-quota"), "50").await;
    desk.press("coupon-save").await;
    desk.sees("coupon-uses", "0 of 50").await;
    draw(&desk, Window::Desktop, "desk-list").await;
    desk.press(&format!("coupon-end-{id}")).await;
    desk.press("confirm-yes").await;
    desk.sees("coupon-ended", "has ended").await;
    desk.sees("coupon-uses", "Ended").await;
    desk.assert_no_faults_except("host", &REFUSALS).await;
    for (window, language) in first_or_all([(Window::Mobile, "ar"), (Window::Mobile, "id")]) {
        desk.resize(window).await;
        desk.goto(&format!("{}/admin?section=coupons&lang={language}", shop.server.url)).await;
        desk.find(&named("coupon-uses")).await;
        draw(&desk, window, &format!("desk-{language}")).await;
        desk.press("coupon-new").await;
        desk.find(&named("coupon-save")).await;
        draw(&desk, window, &format!("desk-form-{language}")).await;
        desk.key("\u{e00c}").await;
    }
    desk.close().await;
}

/// The list behind the form shows the newest values before they are saved.
async fn form_is_closed(desk: &Browser) {
    desk.until("the form is closed", "!document.querySelector('[data-test=coupon-change-form]')", SOON).await;
}

/// Two members of the team change one coupon at the same time.
#[tokio::test]
async fn newer_coupon_stands_beside_what_was_typed_and_is_saved_over_on_purpose() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let made = coupon(&shop, json!({"code": "EID", "percent_bp": 1_000, "quota": 10})).await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/shop/coupons/{id}");
    let change = async |version: i64, mut body: Value| {
        body["version"] = json!(version);
        shop.host.send(reqwest::Method::PATCH, &path, &[], Some(body)).await.expect(200)
    };
    let read = async || {
        let now = shop.host.get(&path).await.expect(200);
        ["quota", "per_person", "version"].map(|name| now[name].as_i64().unwrap())
    };
    let desk = Browser::open(&driver, Window::Desktop, "en").await;
    let host = shop.token("Noura", "host");
    desk.goto(&format!("{}/admin?section=coupons&lang=en#token={host}", shop.server.url)).await;
    desk.press(&format!("coupon-change-{id}")).await;
    desk.fill(&named("coupon-per-person"), "2").await;
    change(1, json!({"quota": 20})).await;
    desk.press("coupon-save").await;
    desk.sees("newer-quota", "20").await;
    desk.sees("newer-quota", "Newer value used").await;
    draw(&desk, Window::Desktop, "conflict-taken").await;
    desk.press("coupon-save").await;
    form_is_closed(&desk).await;
    desk.sees("coupon-uses", "0 of 20").await;
    assert_eq!(read().await, [20, 2, 3], "what was typed, and what somebody else has typed");

    // Both typed the same field: nothing of it is lost, and the newer value is one tap away.
    for (window, language, typed, quota, taken) in [
        (Window::Desktop, "en", 97, 30, false),
        (Window::Mobile, "ar", 98, 40, true),
        (Window::Mobile, "id", 99, 50, false),
    ] {
        desk.resize(window).await;
        desk.goto(&format!("{}/admin?section=coupons&lang={language}", shop.server.url)).await;
        desk.press(&format!("coupon-change-{id}")).await;
        desk.fill(&named("coupon-quota"), &typed.to_string()).await;
        let version = read().await[2];
        change(version, json!({ "quota": quota, "ends_at": 4_000_000_000_000_i64 + version * 60_000 })).await;
        desk.press("coupon-save").await;
        desk.sees("newer-quota", &quota.to_string()).await;
        desk.find(&named("newer-ends_at")).await;
        draw(&desk, window, &format!("conflict-{language}")).await;
        let kept = desk.script("return document.querySelector('[data-test=coupon-quota]').value", &[]).await;
        assert_eq!(kept, typed.to_string());
        if taken {
            desk.press("take-quota").await;
        }
        desk.press("coupon-save").await;
        form_is_closed(&desk).await;
        let expected = if taken { quota } else { typed };
        desk.sees("coupon-uses", &expected.to_string()).await;
        assert_eq!(read().await[0], expected);
    }
    // It was ended: there is nothing to save any more.
    desk.press(&format!("coupon-change-{id}")).await;
    desk.fill(&named("coupon-quota"), "7").await;
    change(read().await[2], json!({"ended": true})).await;
    desk.press("coupon-save").await;
    desk.sees("coupon-ended-meanwhile", "EID").await;
    form_is_closed(&desk).await;
    desk.assert_no_faults_except("host", &REFUSALS).await;
    desk.close().await;
}

#[tokio::test]
async fn coupon_is_shown_by_the_host_claimed_with_a_tap_and_comes_off_by_itself() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let offer = shop.on_sale(9, json!({"per_buyer": 3})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    coupon(&shop, json!({"code": "LIVE-20", "percent_bp": 2_000, "quota": 5, "minimum": 500})).await;

    let host = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/host?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
    host.sees("coupon-panel", "LIVE-20 · 20% · 5 left").await;

    let buyer = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    buyer.goto(&format!("{}/watch?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
    buyer.wait_until_live().await;
    host.press("coupon-show").await;
    host.sees("coupon-state", "LIVE-20").await;
    draw(&host, Window::Desktop, "console").await;
    buyer.sees("coupon-chip", "20%").await;
    draw(&buyer, Window::Mobile, "chip").await;
    buyer.press("coupon-chip").await;
    buyer.sees("coupon-kept", "discount at the checkout").await;
    buyer.sees("coupon-chip", "Claimed").await;
    buyer.press("card-buy").await;
    buyer.until("the hold", &order_is("held"), SOON).await;
    buyer.sees("coupon-shown", "LIVE-20").await;
    buyer.sees("order-total", "8").await;
    buyer.fill_address().await;
    buyer.press("pay").await;
    buyer.until("the payment", &order_is("paid"), SOON).await;
    assert_eq!(shop.number("select captured from test_intents").await, 800);

    // Late, on a desktop, in Arabic: the chip is there until the host hides it.
    let late = Browser::open(&driver, Window::Desktop, "ar").await;
    late.goto(&format!("{}/watch?stream={}&lang=ar", shop.server.url, shop.stream)).await;
    late.wait_until_live().await;
    late.sees("coupon-chip", "LIVE-20").await;
    draw(&late, Window::Desktop, "chip-arabic").await;
    host.press("coupon-hide").await;
    late.until("the chip is gone", "document.querySelector('[data-test=coupon-chip]').hidden", SOON).await;
    for (browser, who) in [(host, "host"), (buyer, "buyer"), (late, "late")] {
        browser.assert_no_faults(who).await;
        browser.close().await;
    }
}
