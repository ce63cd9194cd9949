//! A guest buys, comes back to the order by its link without signing in, and withdraws from the purchase. The host says who may buy.

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::mail_server::{MailMode, MailServer};
use crate::support::outside::shop::Shop;
use crate::support::person::{named, order_is};

/// Looks at a page for everything that is wrong on it, and draws it.
async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("guest-order-{name}")).await;
    let expected = ["> .text[dir=\"auto\"]"];
    let faults = browser.faults(window, false).await;
    let faults: Vec<String> =
        faults.into_iter().filter(|line| !expected.iter().any(|part| line.contains(part))).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

/// Chooses an option as a person does: the page is told.
async fn select(browser: &Browser, name: &str, value: &str) {
    let choose = "const select = document.querySelector(arguments[0]); select.value = arguments[1];
        select.dispatchEvent(new Event('change', { bubbles: true })); return select.value";
    assert_eq!(browser.script(choose, &[json!(named(name)), json!(value)]).await, json!(value));
}

#[tokio::test]
async fn evening_guest_buys_and_withdraws_by_the_link_to_the_order() {
    let server = MailServer::start(MailMode::Accept).await;
    let settings = server.settings();
    let shop = Shop::demo(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let driver = Driver::start();

    // The host lets everybody buy, also in a flash sale, and reads what that means.
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/host?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
    host.wait_until_live().await;
    host.press("add-offer").await;
    host.click("[data-test^=\"variant-\"]").await;
    host.choose("offer-kind-flash").await;
    let chosen = "document.querySelector('[data-test=offer-buyers]').value === 'verified'";
    host.until("verified buyers by default", chosen, SOON).await;
    select(&host, "offer-buyers", "anyone").await;
    host.until("the warning", "!document.querySelector('[data-test=offer-buyers-warning]').hidden", SOON).await;
    draw(&host, Window::Desktop, "buyers").await;
    host.choose("offer-kind-regular").await;
    host.fill(&named("offer-quantity"), "9").await;
    host.press("offer-start").await;
    host.until("the form to close", "!document.querySelector('[data-test=offer-form]')", SOON).await;
    let offers = shop.host.get(&shop.path("offers")).await.expect(200);
    // An offer for anybody has no field `buyers`.
    let is_new = |offer: &&Value| offer["quantity"] == 9 && offer["buyers"].is_null();
    let new = offers["items"].as_array().unwrap().iter().find(is_new);
    let offer = new.unwrap_or_else(|| panic!("the new offer is not in {offers}"))["id"].clone();
    let offer = offer.as_str().unwrap();
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    host.close().await;

    let devices = first_or_all([
        (Window::Mobile, "ar", "phone-ar"),
        (Window::Mobile, "en", "phone"),
        (Window::Desktop, "en", "desktop"),
    ]);
    let guests = devices.len();
    for (window, language, name) in devices {
        let guest = Browser::open(&driver, window, language).await;
        guest.goto(&format!("{}/watch?stream={}&lang={language}", shop.server.url, shop.stream)).await;
        guest.wait_until_live().await;
        guest.watch_pinned(offer).await;
        guest.press("card-buy").await;
        guest.sign_in(&format!("Ann {name}")).await;
        guest.until("the hold", &order_is("held"), SOON).await;
        guest.fill_address().await;
        select(&guest, "address-country", "DE").await;
        guest.fill(&named("address-email"), "not an address").await;
        guest.press("pay").await;
        guest
            .until("the wrong address", "document.querySelector('[data-test=error-address-email]').textContent", SOON)
            .await;
        guest.fill(&named("address-email"), &format!("{name}@example.com")).await;
        guest.press("pay").await;
        guest.until("the order to be paid", &order_is("paid"), SOON).await;
        guest.wait_for_last_step("paid").await;
        guest.find(&named("withdraw")).await;
        draw(&guest, window, &format!("paid-{name}")).await;
        guest.press("order-link-make").await;
        let link = "document.querySelector('[data-test=order-link]').value";
        let link = guest.until("the link", link, SOON).await;
        guest.close().await;

        // Another browser, in which nobody has signed in.
        let later = Browser::open(&driver, window, language).await;
        let (page, secret) = link.as_str().unwrap().split_once('#').unwrap();
        later.goto(&format!("{page}?lang={language}#{secret}")).await;
        later.find(&named("order-of-link")).await;
        draw(&later, window, &format!("link-{name}")).await;
        later.press("withdraw").await;
        later.find(&named("confirm-yes")).await;
        draw(&later, window, &format!("withdraw-{name}")).await;
        later.press("confirm-yes").await;
        later.find(&named("withdrawn")).await;
        draw(&later, window, &format!("withdrawn-{name}")).await;
        later.reload().await;
        later.find(&named("withdrawn")).await;
        later.close().await;
    }
    // A confirmation and a receipt for each.
    server.until_mails(2 * guests).await;
}
