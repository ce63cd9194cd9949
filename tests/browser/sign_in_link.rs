//! Links that sign in: a planted link replaces nobody without a question, and a shop's own site hands over by a one-time code.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::page::Page;
use crate::support::person::named;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Opens a link as from another page.
async fn follow(browser: &Browser, link: &str) {
    browser.goto("about:blank").await;
    browser.goto(link).await;
}

/// Waits for the question before a link changes who is signed in, and returns its text without the marks that isolate names.
async fn question(browser: &Browser) -> String {
    browser.find(&named("switch-stay")).await;
    assert_eq!(browser.script("return location.hash", &[]).await, json!(""), "the address keeps no token");
    assert_eq!(focused(browser).await, json!("switch-stay"), "to stay is the default");
    browser.text(&named("switch-text")).await.replace(['\u{2068}', '\u{2069}'], "")
}

async fn focused(browser: &Browser) -> Value {
    browser.script("return document.activeElement.dataset.test", &[]).await
}

/// The `sub` of the token of this tab, or null.
async fn person(browser: &Browser) -> Value {
    let claims = "const token = sessionStorage.getItem('livesouk.token');
        return token && JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).sub";
    browser.script(claims, &[]).await
}

/// Presses a button that makes this tab another person, and waits for the page that loads then.
async fn switch_by(browser: &Browser, act: impl AsyncFnOnce(&Browser)) {
    browser.script("window.isOld = true", &[]).await;
    act(browser).await;
    let is_new = "!window.isOld && document.querySelector('[data-test=conn]').dataset.status === 'live'";
    browser.until("the page of another person", is_new, SOON).await;
}

/// The page is not asked anything.
async fn assert_no_question(browser: &Browser) {
    assert_eq!(browser.count(&named("switch")).await, 0, "no question");
}

/// Reserves a unit of the pinned offer, and returns the name in the address form.
async fn name_in_checkout(browser: &Browser) -> Value {
    browser.press("card-buy").await;
    browser.find(&format!("{}[data-loaded=true]", named("address"))).await;
    browser.script("return document.querySelector('[data-test=address-name]').value", &[]).await
}

#[tokio::test]
async fn planted_link_replaces_nobody_silently_and_shows_nobody_elses_address() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 3})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let link = |who: &str, language: &str| {
        format!("{}/watch?stream={}&lang={language}#token={}", shop.server.url, shop.stream, shop.token(who, "viewer"))
    };
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    follow(&ann, &link("Ann", "en")).await;
    ann.wait_until_live().await;
    assert_no_question(&ann).await;
    ann.watch_pinned(&offer).await;
    assert_eq!(name_in_checkout(&ann).await, json!(""));
    assert!(ann.sees("buying-as", "Buying as").await.contains("Ann"));
    ann.fill_address().await;
    ann.choose("address-keep").await;
    ann.press("pay").await;
    ann.sees("order-status", "confirmed").await;

    // Mallory's link in Ann's tab. Esc, the default button and the keyboard stay Ann.
    for (language, text) in [("en", "You’re signed in as Ann."), ("ar", "باسم Ann"), ("id", "Anda masuk sebagai Ann.")]
    {
        follow(&ann, &link("Mallory", language)).await;
        let asked = question(&ann).await;
        assert!(asked.contains(text) && asked.contains("Mallory"), "{asked}");
        ann.settle().await;
        ann.screenshot(&format!("switch-{language}")).await;
        ann.key(if language == "en" { ESCAPE } else { ENTER }).await;
        ann.wait_until_live().await;
        assert_eq!(person(&ann).await, json!("Ann"));
    }
    // Another person with the same name is told apart by the id.
    let namesake = shop.server.token("Ann", "viewer").await;
    follow(&ann, &format!("{}/watch?stream={}&lang=en#token={namesake}", shop.server.url, shop.stream)).await;
    let asked = question(&ann).await;
    assert!(asked.contains("signed in as Ann (Ann)") && asked.contains("signs you in as Ann (demo-"), "{asked}");
    ann.press("switch-close").await;
    assert_eq!(person(&ann).await, json!("Ann"));
    // The same person with a newer token is not asked.
    follow(&ann, &link("Ann", "en")).await;
    ann.wait_until_live().await;
    assert_no_question(&ann).await;
    ann.watch_pinned(&offer).await;
    assert_eq!(name_in_checkout(&ann).await, json!("Ann Example"), "the address was kept for Ann");

    // Whoever wants to switch can do so, and then sees neither Ann's address nor her open purchase.
    follow(&ann, &link("Mallory", "en")).await;
    question(&ann).await;
    ann.key(TAB).await;
    assert_eq!(focused(&ann).await, json!("switch-go"));
    switch_by(&ann, async |ann| ann.key(ENTER).await).await;
    assert_eq!(person(&ann).await, json!("Mallory"));
    ann.watch_pinned(&offer).await;
    assert_eq!(name_in_checkout(&ann).await, json!(""));
    assert!(ann.sees("buying-as", "Buying as").await.contains("Mallory"));
    ann.screenshot("buying-as").await;

    // A new tab of a device that knows people, and a stranger's link.
    ann.script("sessionStorage.clear()", &[]).await;
    follow(&ann, &link("Eve", "en")).await;
    let asked = question(&ann).await;
    assert!(asked.contains("as Eve") && asked.contains("you were Mallory"), "{asked}");
    ann.press("switch-stay").await;
    ann.wait_until_live().await;
    assert_eq!(person(&ann).await, Value::Null);
    follow(&ann, &link("Ann", "en")).await;
    ann.wait_until_live().await;
    assert_no_question(&ann).await;
    assert_eq!(person(&ann).await, json!("Ann"), "the device knows Ann");
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn address_that_belonged_to_everybody_on_a_device_is_dropped() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let watch = format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream);
    ann.goto(&watch).await;
    let old = json!({"name": "Ann Example", "lines": ["1"], "city": "Riyadh", "country": "SA"}).to_string();
    ann.script("localStorage.setItem('livesouk.address', arguments[0])", &[json!(old)]).await;
    follow(&ann, &format!("{watch}#token={}", shop.token("Mallory", "viewer"))).await;
    ann.wait_until_live().await;
    ann.watch_pinned(&offer).await;
    assert_eq!(name_in_checkout(&ann).await, json!(""));
    assert_eq!(ann.script("return localStorage.getItem('livesouk.address')", &[]).await, Value::Null);
    ann.close().await;
}

#[tokio::test]
async fn host_is_not_swapped_by_a_planted_link_or_an_invite() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    let console = format!("{}/host?stream={}&lang=en", shop.server.url, shop.stream);
    follow(&host, &format!("{console}#token={}", shop.token("the-host", "host"))).await;
    host.wait_until_live().await;
    // In the open console only the part behind the # changes.
    let planted = format!("#token={}", shop.token("Mallory", "host"));
    host.script("location.hash = arguments[0]", &[json!(planted)]).await;
    let asked = question(&host).await;
    assert!(asked.contains("signed in as the-host") && asked.contains("as Mallory"), "{asked}");
    host.press("switch-stay").await;
    host.wait_until_live().await;
    assert_eq!(person(&host).await, json!("the-host"));

    let code = shop.host.post(&shop.path("invites"), json!({"role": "moderator"})).await.expect(201)["code"].clone();
    let invite = format!("{console}#invite={}", code.as_str().unwrap());
    follow(&host, &invite).await;
    assert!(question(&host).await.contains("signed in as the-host"));
    host.settle().await;
    host.screenshot("switch-invite").await;
    host.press("switch-stay").await;
    host.wait_until_live().await;
    assert_eq!(person(&host).await, json!("the-host"));
    follow(&host, &invite).await;
    question(&host).await;
    host.press("switch-go").await;
    // Until the name is given, nothing has changed: the host may still close the dialog.
    host.find(&named("invite-name")).await;
    assert_eq!(person(&host).await, json!("the-host"));
    host.press("invite-close").await;
    host.wait_until_live().await;
    host.until("the role of the host", "document.body.dataset.role === 'host'", SOON).await;
    // Whoever wants to join becomes a helper.
    follow(&host, &invite).await;
    host.press("switch-go").await;
    host.fill(&named("invite-name"), "Mo").await;
    switch_by(&host, async |host| host.press("invite-accept").await).await;
    host.until("the role of the helper", "document.body.dataset.role === 'moderator'", SOON).await;
    host.assert_no_faults("the host").await;
    host.close().await;
}

/// A page of this site with one link.
fn page_with(link: &str) -> String {
    format!("<!doctype html><title>Shop</title><a id=go href=\"{link}\">Watch the show</a>")
}

#[tokio::test]
async fn shop_site_hands_its_customer_over_by_a_code_and_no_other_site_can() {
    let (site, evil) = (Page::prepare().await, Page::prepare().await);
    let origin = |page: &Page| page.url.trim_end_matches('/').to_owned();
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let shop = Shop::serve_with(&store, &store, &["--allow-origin", &origin(&site)]).await;
    let link = async |who: &str| {
        let rest = shop.rest(who, "viewer");
        let made = rest.post("/v1/sign-in-codes", json!({ "origin": origin(&site) })).await.expect(201);
        format!("{}/watch?stream={}&lang=en#code={}", shop.server.url, shop.stream, made["code"].as_str().unwrap())
    };
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let go = async |page: &Page, link: &str| {
        page.show(page_with(link));
        ann.goto(&page.url).await;
        ann.click("#go").await;
        ann.wait_until_live().await;
    };
    // The link of another site is refused, also with a code that the shop's site made for somebody.
    go(&evil, &link("Mallory").await).await;
    ann.sees("toast", "can’t be used any more").await;
    assert_eq!(person(&ann).await, Value::Null);

    let anns = link("Ann").await;
    go(&site, &anns).await;
    assert_eq!((person(&ann).await, ann.script("return location.hash", &[]).await), (json!("Ann"), json!("")));
    assert_no_question(&ann).await;
    // The link works once.
    go(&site, &anns).await;
    ann.sees("toast", "can’t be used any more").await;
    assert_eq!(person(&ann).await, json!("Ann"));

    // A code does not count when it comes into the address of a page that is open already.
    let late = link("Mallory").await;
    let (_, code) = late.split_once("#code=").unwrap();
    ann.script("location.hash = arguments[0]", &[json!(format!("code={code}"))]).await;
    ann.until("the code to leave the address", "location.hash === ''", SOON).await;
    let still_good = json!({"code": code, "origin": origin(&site)});
    assert_eq!(shop.server.rest().post("/v1/sign-in-codes/redeem", still_good).await.status, 201, "it was not used");
    // Another customer of the site in the same tab is asked for.
    let bobs = link("Bob").await;
    site.show(page_with(&bobs));
    ann.goto(&site.url).await;
    ann.click("#go").await;
    assert!(question(&ann).await.contains("This link signs you in as Bob"));
    switch_by(&ann, async |ann| ann.press("switch-go").await).await;
    assert_eq!(person(&ann).await, json!("Bob"));
    ann.assert_no_faults_except("Ann", &["net::ERR_", "WebSocket", "status of 400", "favicon"]).await;
    ann.close().await;
}
