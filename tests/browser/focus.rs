//! The focus after a dialog: it returns to what opened it, on every page.

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::person::named;

/// The name of the control that has the focus.
const FOCUSED: &str = "(document.activeElement?.dataset.test ?? document.activeElement?.className ?? '')";
const ESCAPE: &str = "\u{e00c}";

/// Opens a dialog by a press, closes it by Escape, and expects the focus where it was.
async fn opens_and_returns(page: &Browser, opener: &str, dialog: &str) {
    page.press(opener).await;
    page.find(&format!("dialog[open]{}", named(dialog))).await;
    page.key(ESCAPE).await;
    page.until(&format!("{dialog} to close"), "!document.querySelector('dialog[open]')", SOON).await;
    page.until(&format!("the focus on {opener} after {dialog}"), &format!("{FOCUSED} === '{opener}'"), SOON).await;
}

#[tokio::test]
async fn focus_returns_to_what_opened_every_dialog() {
    let server = Server::demo().await;
    let driver = Driver::start();
    let base = &server.url;

    let ann = Browser::open(&driver, Window::Desktop, "en").await;
    ann.goto(&format!("{base}/watch?stream={}&lang=en", server.stream())).await;
    ann.wait_until_live().await;
    opens_and_returns(&ann, "share", "share-sheet").await;
    opens_and_returns(&ann, "signin", "signin").await;
    opens_and_returns(&ann, "card-buy", "signin").await;
    ann.goto("about:blank").await;
    let token = server.token("Ann", "viewer").await;
    ann.goto(&format!("{base}/watch?stream={}&lang=en#token={token}", server.stream())).await;
    ann.wait_until_live().await;
    opens_and_returns(&ann, "signin", "account-menu").await;
    opens_and_returns(&ann, "card-buy", "checkout").await;
    ann.until("the order", "document.querySelector('[data-test=held-chip]:not([hidden])')", SOON).await;
    opens_and_returns(&ann, "held-chip", "checkout").await;
    // What had the focus may have been painted away.
    ann.press("held-chip").await;
    ann.find(&format!("dialog[open]{}", named("checkout"))).await;
    ann.script("document.activeElement.blur()", &[]).await;
    ann.key(ESCAPE).await;
    ann.until("the checkout to close", "!document.querySelector('dialog[open]')", SOON).await;
    ann.click(".card-face").await;
    ann.find(&named("product-buy")).await;
    ann.key(ESCAPE).await;
    ann.until("the focus on the card", &format!("{FOCUSED} === 'card-face'"), SOON).await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;

    let host = Browser::open(&driver, Window::Desktop, "en").await;
    host.goto(server.started["host_url"].as_str().unwrap()).await;
    host.wait_until_live().await;
    host.find("[data-test=lineup] li").await;
    for (opener, dialog) in [
        ("team-open", "team"),
        ("report-open", "report-sheet"),
        ("edit-show", "show-form"),
        ("start-end", "confirm"),
        ("add-offer", "catalogue"),
        ("rules", "rules-sheet"),
        ("muted-list", "muted"),
    ] {
        opens_and_returns(&host, opener, dialog).await;
    }
    // The menu behind \u{22ef} closes before the question of its button: the focus returns to \u{22ef}.
    let more = "document.querySelector('.lineup-row[data-phase=live] .row-more').dataset.test";
    let more = host.until("a row on sale", more, SOON).await.as_str().unwrap().to_owned();
    let id = more.trim_start_matches("more-").to_owned();
    host.press(&more).await;
    host.press(&format!("close-{id}")).await;
    host.find(&format!("dialog[open]{}", named("confirm"))).await;
    host.key(ESCAPE).await;
    host.until("the focus on the menu", &format!("{FOCUSED} === '{more}'"), SOON).await;
    // A question of a button that waits for its answer: it is busy, and has the focus again when it is not.
    host.press("now-pause").await;
    host.press("confirm-no").await;
    host.until("the focus on Pause", &format!("{FOCUSED} === 'now-pause'"), SOON).await;
    host.assert_no_faults("the host").await;

    host.goto(&format!("{base}/admin?section=orders&lang=en")).await;
    let order = "document.querySelector('#desk [data-test^=order-]')?.dataset.test";
    let order = host.until("an order at the desk", order, SOON).await.as_str().unwrap().to_owned();
    opens_and_returns(&host, &order, "order").await;
    host.assert_no_faults("the desk").await;
    host.close().await;
    assert_ne!(json!(order), json!(null));
}
