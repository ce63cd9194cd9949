//! The market of the shop: the desk chooses the countries to which it delivers, and buyers elsewhere are told before they pay.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::outside::until_some;
use crate::support::person::{named, order_is};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";
const SPACE: &str = " ";
const TO_MARKET: &str = "document.querySelector('[data-test=market-form]').scrollIntoView({ block: 'start' })";
const FOCUSED: &str = "document.activeElement?.dataset.test";

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.script(TO_MARKET, &[]).await;
    browser.settle().await;
    browser.screenshot(&format!("market-{name}")).await;
    assert_eq!(browser.faults(window, false).await, Vec::<String>::new(), "{name}");
}

async fn open_settings(browser: &Browser, shop: &Shop, language: &str) {
    let token = shop.token("Root", "admin");
    browser.goto("about:blank").await;
    browser.goto(&format!("{}/admin?section=settings&lang={language}#token={token}", shop.server.url)).await;
    browser.find(&named("market-form")).await;
}

async fn market(shop: &Shop) -> Value {
    shop.server.rest().get("/v1/shop").await.expect(200)["market"]["countries"].clone()
}

async fn deliver_to(shop: &Shop, countries: Value) {
    let form = Some(json!({"market": {"countries": countries}}));
    let admin = shop.rest("Root", "admin");
    admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], form).await.expect(200);
}

/// Presses the Tab key until this control has the focus.
async fn tab_to(browser: &Browser, test: &str) {
    for _ in 0..60 {
        if browser.script(&format!("return {FOCUSED}"), &[]).await == json!(test) {
            return;
        }
        browser.key(TAB).await;
    }
    panic!("the Tab key does not reach {test}");
}

#[tokio::test]
async fn evening_market_is_chosen_at_the_desk_by_keyboard() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let root = Browser::open(&driver, Window::Desktop, "en").await;
    open_settings(&root, &shop, "en").await;
    draw(&root, Window::Desktop, "everywhere-desktop").await;
    // From the button before it on, without a pointer.
    root.script("document.querySelector('[data-test=settings-save]').focus()", &[]).await;
    tab_to(&root, "market-everywhere").await;
    root.key(DOWN).await;
    root.until("the list", "document.querySelectorAll('[data-test=market-list] li').length > 190", SOON).await;
    tab_to(&root, "market-search").await;
    // Nothing is chosen: that is not every country, and it is said.
    root.key(ENTER).await;
    tab_to(&root, "market-save").await;
    root.key(ENTER).await;
    root.sees("error-market", "at least one country").await;
    root.until("the focus on the search", &format!("{FOCUSED} === 'market-search'"), SOON).await;
    assert_eq!(market(&shop).await, json!([]));
    for (typed, downs) in [("saudi", 0), ("AE", 0), ("united", 1)] {
        root.key(ESCAPE).await;
        root.key(typed).await;
        for _ in 0..downs {
            root.key(DOWN).await;
        }
        root.key(ENTER).await;
    }
    // "united" finds the Emirates first, then the United Kingdom.
    root.sees("market-count", "3 countries").await;
    root.sees("market-chosen", "United Kingdom").await;
    root.key(ESCAPE).await;
    root.until("the whole list", "document.querySelectorAll('[data-test=market-list] li').length > 190", SOON).await;
    root.key("nowhere at all").await;
    root.sees("market-none-found", "No country").await;
    root.key(ESCAPE).await;
    // One is taken away again, and the focus stays beside it.
    root.script("document.querySelector('[data-test=market-remove-GB]').focus()", &[]).await;
    root.key(SPACE).await;
    root.until("the focus on what is left", &format!("{FOCUSED} === 'market-remove-AE'"), SOON).await;
    let asks = "const leave = new Event('beforeunload', { cancelable: true }); return !dispatchEvent(leave)";
    assert_eq!(root.script(asks, &[]).await, json!(true), "what is not saved is not lost without a question");
    draw(&root, Window::Desktop, "chosen-desktop").await;
    tab_to(&root, "market-save").await;
    root.key(ENTER).await;
    root.find(&named("market-saved")).await;
    assert_eq!(market(&shop).await, json!(["AE", "SA"]));
    let log = shop.rest("Root", "admin").get("/v1/audit-log").await.expect(200);
    let changes = log["items"].as_array().unwrap().iter().filter(|it| it["kind"] == "change_settings").count();
    assert_eq!(changes, 1, "an empty choice was not saved");
    assert_eq!(root.script(asks, &[]).await, json!(false));
    // 200 % zoom is half the window.
    root.resize_to(720, 450, false).await;
    draw(&root, Window::Desktop, "chosen-zoomed").await;
    root.close().await;

    let phone = Browser::open(&driver, Window::Mobile, "ar").await;
    open_settings(&phone, &shop, "ar").await;
    phone.sees("market-chosen", "الإمارات").await;
    draw(&phone, Window::Mobile, "chosen-ar-phone").await;
    // By touch, with a name without its article.
    phone.fill(&named("market-search"), "كويت").await;
    phone.press("market-KW").await;
    phone.until("it is chosen", "!!document.querySelector('[data-test=market-remove-KW]')", SOON).await;
    draw(&phone, Window::Mobile, "search-ar-phone").await;
    phone.press("market-save").await;
    phone.find(&named("market-saved")).await;
    assert_eq!(market(&shop).await, json!(["AE", "KW", "SA"]));
    phone.press("market-everywhere").await;
    phone.press("market-save").await;
    let saved = async || (market(&shop).await == json!([])).then_some(());
    until_some("every country", SOON, saved).await;
    phone.close().await;
}

#[tokio::test]
async fn evening_buyer_with_an_address_elsewhere_is_told_where_the_shop_delivers() {
    let shop = Shop::demo(&[]).await;
    deliver_to(&shop, json!(["SA", "AE"])).await;
    let offer = shop.on_sale(20, json!({"per_buyer": 20})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    for (language, country, places) in [("en", "Germany", "Saudi Arabia"), ("ar", "ألمانيا", "السعودية")]
    {
        let who = format!("Ann-{language}");
        let (ann, token) = (shop.rest(&who, "viewer"), shop.token(&who, "viewer"));
        let berlin = json!({"name": "Ann Example", "lines": ["Hauptstr. 1"], "city": "Berlin", "country": "DE"});
        ann.put("/v1/me/address", berlin).await.expect(200);
        let page = Browser::open(&driver, Window::Mobile, language).await;
        page.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream)).await;
        page.wait_until_live().await;
        page.watch_pinned(&offer).await;
        page.reserve().await;
        let said = page.sees("address-elsewhere", country).await;
        assert!(said.contains(places), "{said}");
        let form = "const of = (name) => document.querySelector(`[data-test=address-${name}]`);
            return { name: of('name').value, line: of('line1').value, city: of('city').value, country: of('country').value,
                choices: [...of('country').options].map((it) => it.value).sort(), keep: of('keep').checked }";
        assert_eq!(
            page.script(form, &[]).await,
            json!({"name": "Ann Example", "line": "", "city": "", "country": "SA", "choices": ["AE", "SA"], "keep": false}),
            "the place is not mixed with another country"
        );
        page.settle().await;
        page.screenshot(&format!("market-elsewhere-{language}")).await;
        page.fill_address().await;
        page.press("pay").await;
        page.until("the order to be paid", &order_is("paid"), SOON).await;
        assert_eq!(ann.get("/v1/me/address").await.expect(200)["city"], "Berlin", "it stays saved for other shops");
        page.assert_no_faults(&who).await;
        page.close().await;
    }
    shop.assert_audited().await;
}

#[tokio::test]
async fn evening_market_that_changes_while_somebody_buys_is_said_before_money_moves() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({"per_buyer": 20})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.watch(&shop, &shop.server.url, "Ann", &offer).await;
    ann.reserve().await;
    ann.fill_address().await;
    let countries = "document.querySelectorAll('[data-test=address-country] option').length";
    ann.until("every country", &format!("{countries} > 190"), SOON).await;
    deliver_to(&shop, json!(["AE"])).await;
    ann.press("pay").await;
    ann.sees("pay-error", "doesn’t deliver to this country").await;
    ann.sees("error-address-country", "United Arab Emirates").await;
    let chosen = "document.querySelector('[data-test=address-country]').value";
    ann.until("one country, which the buyer has to choose", &format!("{countries} === 1 && {chosen} === ''"), SOON)
        .await;
    let in_sight = "document.querySelector('[data-test=error-address-country]').getBoundingClientRect().bottom
        < document.querySelector('.pay-bar').getBoundingClientRect().top";
    ann.until("the country in sight", in_sight, SOON).await;
    ann.settle().await;
    ann.screenshot("market-refused-en").await;
    assert_eq!(shop.number("select count(*) from payments").await, 0);
    assert_eq!(shop.number("select count(*) from addresses").await, 0);
    ann.press("pay").await;
    ann.until(
        "the missing country",
        "document.querySelector('[data-test=address-country]').matches('[aria-invalid=true]')",
        SOON,
    )
    .await;
    let choose = "const one = document.querySelector('[data-test=address-country]'); one.value = 'AE';
        one.dispatchEvent(new Event('input', { bubbles: true }))";
    ann.script(choose, &[]).await;
    ann.press("pay").await;
    ann.until("the order to be paid", &order_is("paid"), SOON).await;
    ann.assert_no_faults_except("Ann", &["status of 422"]).await;
    ann.close().await;

    // Who comes later has the one country chosen already.
    let bob = Browser::open(&driver, Window::Mobile, "en").await;
    bob.watch(&shop, &shop.server.url, "Bob", &offer).await;
    bob.reserve().await;
    bob.until("the only country", &format!("{countries} === 1 && {chosen} === 'AE'"), SOON).await;
    bob.fill_address().await;
    bob.press("pay").await;
    bob.until("the order to be paid", &order_is("paid"), SOON).await;
    bob.assert_no_faults("Bob").await;
    bob.close().await;
    shop.assert_audited().await;
}
