//! Payments by day in the desk: what waits for somebody, the sums, the days and their orders, on a desktop, on a phone and in Arabic.

use serde_json::json;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::person::named;

const NONE: Vec<String> = Vec::new();
const TABLE: &str = "document.querySelectorAll('[data-day]').length";

async fn paid(shop: &Shop, offer: &str, buyer: &str) -> String {
    let buyer = shop.rest(buyer, "viewer");
    let order =
        id(&buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201));
    buyer.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    order
}

async fn open(browser: &Browser, shop: &Shop, language: &str) {
    let token = shop.token("Noura", "host");
    browser.goto(&format!("{}/admin?section=payments&lang={language}#token={token}", shop.server.url)).await;
}

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(name).await;
    assert_eq!(browser.faults(window, false).await, NONE, "{name}");
}

/// Payments of several days, refunds, fees, disputes and owed refunds.
async fn shop_with_history() -> Shop {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({"per_buyer": 9})).await;
    for buyer in ["Ann", "Ben", "Cem", "Dan", "Eve"] {
        paid(&shop, &offer, buyer).await;
    }
    let refunded = paid(&shop, &offer, "Fay").await;
    shop.host.post_keyed(&format!("/v1/orders/{refunded}/refund"), &key(), json!({"restock": true})).await.expect(200);
    for sql in [
        "update payments set captured_at = captured_at - 86400000 where buyer in ('Ben', 'Cem')",
        "update payments set fee = 172, fee_currency = 'SAR' where buyer in ('Ann', 'Ben')",
        "update payments set provider = 'cash_on_delivery' where buyer = 'Dan'",
        "insert into owed_refunds (order_id, attempt, amount, currency, status, created_at, changed_at, tries)
            select order_id, attempt, amount, currency, 'owed', captured_at, captured_at, 5 from payments where buyer = 'Eve'",
        "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, reason, due_at, opened_at)
            select 'stripe', 'du_1MtJUT2eZvKYlo2CNaw2HvEv', order_id, attempt, 'open', 1, amount, currency, 'product_not_received',
                captured_at + 600000000, captured_at from payments where buyer = 'Ann'",
        "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, opened_at)
            select provider, coalesce(reference, ''), order_id, attempt, 'open', 0, amount, currency, captured_at from payments where buyer = 'Ben'",
        // One that cannot be read now, and one that was given up.
        "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, reason, due_at, opened_at, unread_since)
            select 'stripe', 'du_1MtJUT2eZvKYlo2CNaw2Hv10', order_id, attempt, 'open', 1, amount, currency, 'duplicate',
                captured_at + 700000000, captured_at, captured_at from payments where buyer = 'Cem'",
        "insert into disputes (provider, reference, order_id, attempt, status, needs_answer, amount, currency, opened_at, unread_since, given_up_at)
            select 'stripe', coalesce(reference, ''), order_id, attempt, 'open', 1, amount, currency, captured_at - 1300000000,
                captured_at - 1300000000, captured_at from payments where buyer = 'Dan'",
    ] {
        shop.change(sql).await;
    }
    shop
}

#[tokio::test]
async fn evening_payments_of_the_days_are_seen_and_lead_to_their_orders() {
    let shop = shop_with_history().await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "en").await;
    host.until("thirty days", &format!("{TABLE} === 30"), SOON).await;
    host.sees("payments-disputes", "Not received").await;
    host.sees("payments-disputes", "Answer by").await;
    host.sees("payments-disputes", "Your answer was sent").await;
    host.sees("dispute-unread", "has not answered since").await;
    host.sees("dispute-given-up", "does not ask any more").await;
    host.sees("payments-owed", "could not refund it").await;
    host.sees("total-fees", "not known: 2").await;
    looks_good(&host, Window::Desktop, "payments").await;

    host.press("payments-week").await;
    host.until("seven days", &format!("{TABLE} === 7"), SOON).await;
    let pressed = "document.querySelector('[data-period=week]').getAttribute('aria-pressed') === 'true'";
    host.until("the pressed button", pressed, SOON).await;
    let first = host.script("return document.querySelector('#payments-first').value", &[]).await;
    let in_address = "return new URLSearchParams(location.search).get('first_day')";
    assert_eq!(host.script(in_address, &[]).await, first, "the period can be a bookmark");
    host.reload().await;
    host.until("seven days again", &format!("{TABLE} === 7"), SOON).await;

    // A period without payments.
    let choose = "for (const [id, day] of [['first', '2026-01-01'], ['last', '2026-01-02']]) {
          document.querySelector(`#payments-${id}`).value = day;
        }
        document.querySelector('#payments-last').dispatchEvent(new Event('change'))";
    host.script(choose, &[]).await;
    host.sees("payments-none", "Nothing was paid").await;
    host.press("payments-days30").await;
    host.until("thirty days once more", &format!("{TABLE} === 30"), SOON).await;

    // The orders of a day, and back to those of every day.
    host.click("[data-test^=orders-of-]").await;
    host.until("the orders", "document.querySelectorAll('.desk-row').length > 0", SOON).await;
    host.sees("desk-day", "Placed on").await;
    looks_good(&host, Window::Desktop, "payments-orders-of-day").await;
    host.press("desk-day").await;
    host.until("the day to be gone", "document.querySelector('[data-test=desk-day]').hidden", SOON).await;
    let left = "return new URLSearchParams(location.search).has('since')";
    assert_eq!(host.script(left, &[]).await, json!(false));
    // A period that is too long says so, and nothing is lost.
    let choose = "const input = document.querySelector('#payments-first'); input.value = '2020-01-01';
        input.dispatchEvent(new Event('change'))";
    open(&host, &shop, "en").await;
    host.until("the days", &format!("{TABLE} === 30"), SOON).await;
    host.script(choose, &[]).await;
    host.sees("payments-status", "at most 92 days").await;
    host.press("payments-days30").await;
    host.until("thirty days again", &format!("{TABLE} === 30"), SOON).await;
    host.assert_no_faults_except("host", &["status of 422"]).await;
    host.close().await;

    for (window, language) in
        first_or_all([(Window::Mobile, "ar"), (Window::Mobile, "en"), (Window::Desktop, "ar"), (Window::Mobile, "id")])
    {
        let browser = Browser::open(&driver, window, language).await;
        open(&browser, &shop, language).await;
        browser.until("the days", &format!("{TABLE} === 30"), SOON).await;
        looks_good(&browser, window, &format!("payments-{window:?}-{language}").to_lowercase()).await;
        browser.close().await;
    }
}

/// Days, periods and deadlines are those of the shop.
#[tokio::test]
async fn wrong_clock_and_time_zone_of_a_device_change_no_day_and_no_deadline() {
    let shop = shop_with_history().await;
    let days = shop.host.get("/v1/shop/payment-days").await.expect(200);
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    let clock = json!({"source": "Date.now = () => Date.UTC(2040, 0, 1)"});
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", clock).await;
    browser.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": "Pacific/Kiritimati"})).await;
    open(&browser, &shop, "en").await;
    browser.until("thirty days", &format!("{TABLE} === 30"), SOON).await;
    browser.sees("payments-disputes", "Answer by").await;
    assert_eq!(browser.count(&format!("{} strong.bad:not([data-test])", named("payments-disputes"))).await, 0);
    browser.press("payments-week").await;
    browser.until("seven days", &format!("{TABLE} === 7"), SOON).await;
    let last = browser.script("return document.querySelector('#payments-last').value", &[]).await;
    assert_eq!(last, days["today"]);
    let day = "return document.querySelector('[data-test^=orders-of-]').closest('th').firstChild.textContent";
    let day = browser.script(day, &[]).await;
    browser.click("[data-test^=orders-of-]").await;
    browser.sees("desk-day", day.as_str().unwrap()).await;
    browser.close().await;
}

/// Chooses how a dispute ended, in the form that is open.
async fn choose_result(browser: &Browser, result: &str) {
    let choose = format!(
        "const select = document.querySelector('[data-test=dispute-result]'); select.value = '{result}';
        select.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    );
    browser.script(&choose, &[]).await;
}

#[tokio::test]
async fn host_closes_a_dispute_that_was_given_up_and_puts_the_result_right() {
    let shop = shop_with_history().await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "en").await;
    host.sees("dispute-given-up", "close it here").await;
    assert_eq!(host.count(&named("dispute-close")).await, 1, "the server learns how the others end");
    host.press("dispute-close").await;
    host.sees("dispute-sheet", "How did it end?").await;
    host.press("dispute-submit").await;
    host.sees("error-dispute-result", "Choose how it ended").await;
    host.until("the other mistake", "!document.querySelector('[data-test=error-dispute-note]').hidden", SOON).await;
    looks_good(&host, Window::Desktop, "payments-close-dispute").await;
    choose_result(&host, "lost").await;
    host.fill(&named("dispute-note"), "Dashboard, 3 December").await;
    host.press("dispute-submit").await;
    host.sees("payments-closed", "Closed as \u{2068}lost").await;
    assert_eq!(host.count(&named("dispute-given-up")).await, 0);
    let sums = async || shop.host.get("/v1/shop/payment-days").await.expect(200)["totals"][0].clone();
    let lost = sums().await;
    assert_eq!((&lost["disputes_lost"]["count"], &lost["disputes_won"]["count"]), (&json!(1), &json!(0)));

    // It was the wrong result. What is typed is not lost by Esc.
    host.press("dispute-change").await;
    host.fill(&named("dispute-note"), "The buyer took it back").await;
    host.key("\u{e00c}").await;
    host.press("confirm-no").await;
    choose_result(&host, "withdrawn").await;
    host.press("dispute-submit").await;
    host.sees("payments-closed", "Closed as \u{2068}withdrawn").await;
    let withdrawn = sums().await;
    assert_eq!((&withdrawn["disputes_lost"]["count"], &withdrawn["disputes_won"]["count"]), (&json!(0), &json!(1)));
    assert_eq!(withdrawn["left"].as_i64().unwrap() - lost["left"].as_i64().unwrap(), lost["disputes_lost"]["amount"]);
    looks_good(&host, Window::Desktop, "payments-closed-dispute").await;
    host.assert_no_faults("host").await;
    // The audit log says it in words. The page asks for it as the host first, who may not read it.
    let token = shop.token("Root", "admin");
    host.goto(&format!("{}/admin?section=audit&lang=en#token={token}", shop.server.url)).await;
    host.press("switch-go").await;
    host.until_text("body", "closed a dispute: \u{2068}withdrawn by the buyer").await;
    host.until_text("body", "The buyer took it back").await;
    host.close().await;
    for (window, language) in first_or_all([(Window::Mobile, "ar"), (Window::Mobile, "en"), (Window::Mobile, "id")]) {
        shop.change(
            "update disputes set status = 'open', closed_as = null, closed_at = null where given_up_at is not null",
        )
        .await;
        let browser = Browser::open(&driver, window, language).await;
        open(&browser, &shop, language).await;
        browser.press("dispute-close").await;
        browser.find(&named("dispute-sheet")).await;
        looks_good(&browser, window, &format!("payments-close-dispute-{window:?}-{language}").to_lowercase()).await;
        choose_result(&browser, "won").await;
        browser.fill(&named("dispute-note"), "Dashboard").await;
        browser.press("dispute-submit").await;
        browser.find(&named("dispute-closed")).await;
        looks_good(&browser, window, &format!("payments-closed-dispute-{window:?}-{language}").to_lowercase()).await;
        browser.close().await;
    }
}

#[tokio::test]
async fn analyst_sees_payments_and_no_links_to_orders() {
    let shop = shop_with_history().await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    for (role, sees) in [("analyst", true), ("moderator", false)] {
        let token = shop.token("Ana", role);
        browser.goto(&format!("{}/admin?section=payments&lang=en#token={token}", shop.server.url)).await;
        if sees {
            browser.until("the days", &format!("{TABLE} === 30"), SOON).await;
            assert_eq!(browser.count("[data-test^=orders-of-]").await, 0);
            assert_eq!(browser.count("[data-test=dispute] a").await, 0);
            assert_eq!(browser.count(&named("dispute-close")).await, 0, "only those who refund close a dispute");
        } else {
            browser.until("the reason", "document.body.textContent.includes('Only producers, analysts')", SOON).await;
        }
        browser.forget_people().await;
    }
    browser.find("body").await;
    assert_eq!(browser.count(&named("payments-table")).await, 0);
}
