//! An evening of the seller with the keyboard alone: everything can be reached, what has the focus can be seen, and no step loses it.

use serde_json::{Value, json};

use crate::desk::{open_desk, paid_order};
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;

const TAB: &str = "\u{e004}";
const BACK: &str = "\u{e008}\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const SPACE: &str = " ";
/// Presses of Tab that it may take to reach something: a screen with more stops needs another way.
const STOPS_MAX: usize = 90;

/// What has the focus, and whether a person sees that it does.
const FOCUS: &str = "
    const one = document.activeElement;
    if (!one || one === document.body) return { name: '', is_seen: false };
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    const hasRing = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
    const { top, bottom, width, height } = one.getBoundingClientRect();
    const isInSight = bottom > 0 && top < innerHeight && width > 0 && height > 0;
    const name = one.dataset.test ?? one.dataset.product ?? one.getAttribute('href') ?? one.tagName;
    return { name, is_seen: hasRing && isInSight };";

struct Keyboard<'b>(&'b Browser);

impl Keyboard<'_> {
    async fn focus(&self) -> Value {
        self.0.script(FOCUS, &[]).await
    }

    /// Presses a key until this has the focus. Every stop on the way can be seen.
    async fn go(&self, key: &str, name: &str) {
        let mut passed = Vec::new();
        for _ in 0..STOPS_MAX {
            self.0.key(key).await;
            let focus = self.focus().await;
            let stop = focus["name"].as_str().unwrap_or_default().to_owned();
            // At the end of the page the browser itself has it for a moment.
            assert!(stop.is_empty() || focus["is_seen"] == true, "the focus on {stop} cannot be seen");
            if stop == name {
                return;
            }
            passed.push(stop);
        }
        panic!("the keyboard does not reach {name}: {passed:?}");
    }

    async fn to(&self, name: &str) {
        self.go(TAB, name).await;
    }

    async fn back_to(&self, name: &str) {
        self.go(BACK, name).await;
    }

    /// Types into what has the focus, or presses a key on it.
    async fn press(&self, keys: &str) {
        assert_ne!(self.focus().await["name"], "", "{keys:?}: nothing has the focus");
        self.0.key(keys).await;
    }

    async fn until_focus_is_on(&self, name: &str) {
        let named = "(document.activeElement?.dataset.test ?? document.activeElement?.dataset.product)";
        self.0.until(&format!("the focus on {name}"), &format!("{named} === {}", json!(name)), SOON).await;
        self.0.settle().await;
        let focus = self.focus().await;
        assert_eq!((&focus["name"], &focus["is_seen"]), (&json!(name), &json!(true)), "it stays there, in sight");
    }
}

#[tokio::test]
async fn evening_keyboard_leads_from_the_list_to_the_sent_order_and_its_slip() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(20, json!({})).await;
    let ann = paid_order(&shop, &offer, "Ann").await;
    let ben = paid_order(&shop, &offer, "Ben").await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open_desk(&host, &shop, "en").await;
    let keys = Keyboard(&host);
    host.script("window.print = () => { window.isPrinted = document.getElementById('slip').textContent; }", &[]).await;

    let row = format!("order-{ann}");
    keys.to(&row).await;
    keys.press(ENTER).await;
    host.sees("order", "12 King Fahd Rd").await;
    keys.to("order-carrier").await;
    keys.press("Aramex").await;
    keys.to("order-tracking").await;
    keys.press("A-1").await;
    keys.back_to("do-packed").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on("undo-packed").await;
    keys.to("do-sent").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on("undo-sent").await;
    host.screenshot("keyboard-order").await;
    keys.to("print-slip").await;
    keys.press(ENTER).await;
    let slip = host.script("return window.isPrinted", &[]).await;
    assert!(slip.as_str().is_some_and(|text| text.contains("12 King Fahd Rd")), "{slip}");
    keys.until_focus_is_on("print-slip").await;
    keys.to("order-tag").await;
    keys.press("gift").await;
    keys.press(ENTER).await;
    host.until("the tag", "!!document.querySelector('[data-test=untag-gift]')", SOON).await;
    keys.until_focus_is_on("order-tag").await;
    keys.back_to("untag-gift").await;
    keys.press(ENTER).await;
    host.until("no tag", "!document.querySelector('[data-test=untag-gift]')", SOON).await;
    keys.until_focus_is_on("order-tag").await;
    keys.to("order-note").await;
    keys.press("Call before").await;
    // Esc asks before the note is lost, and the focus is where it was after a no.
    keys.press(ESCAPE).await;
    keys.until_focus_is_on("confirm-no").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on("order-note").await;
    keys.to("add-note").await;
    keys.press(ENTER).await;
    host.sees("order-notes", "Call before").await;
    keys.until_focus_is_on("add-note").await;
    keys.press(ESCAPE).await;
    host.until("the sheet to close", "!document.querySelector('dialog[open]')", SOON).await;
    keys.until_focus_is_on(&row).await;
    let detail = shop.host.get(&format!("/v1/shop/orders/{ann}")).await.expect(200);
    assert_eq!((&detail["fulfilment_status"], &detail["fulfilment"]["carrier"]), (&json!("sent"), &json!("Aramex")));

    // Several at once, and back again.
    let (select, other) = (format!("select-{ben}"), format!("select-{ann}"));
    keys.back_to(&select).await;
    keys.press(SPACE).await;
    host.sees("bulk-count", "1 order").await;
    keys.to("bulk-packed").await;
    keys.press(ENTER).await;
    host.sees("toast", "1 order packed").await;
    keys.until_focus_is_on(&select).await;
    keys.to("bulk-undo").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on(&select).await;
    assert_eq!(shop.host.get(&format!("/v1/shop/orders/{ben}")).await.expect(200)["fulfilment_status"], "unfulfilled");
    keys.to(&other).await;
    keys.press(SPACE).await;
    keys.to("bulk-clear").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on(&other).await;
    // Filters: the view, then the search.
    keys.back_to("view-sent").await;
    keys.press(ENTER).await;
    host.until("one sent order", "document.querySelectorAll('.desk-row').length === 1", SOON).await;
    keys.until_focus_is_on("view-sent").await;
    keys.back_to("desk-search").await;
    keys.press("nobody").await;
    host.sees("desk-empty", "No order matches").await;
    keys.until_focus_is_on("desk-search").await;
    host.assert_no_faults("the host").await;
    host.close().await;
}

#[tokio::test]
async fn evening_keyboard_changes_a_product_and_its_stock() {
    let shop = Shop::demo(&[]).await;
    let product = shop.host.get("/v1/products?limit=1").await.expect(200)["items"][0].clone();
    let id = product["id"].as_str().unwrap();
    let offer = shop.on_sale(20, json!({})).await;
    paid_order(&shop, &offer, "Ann").await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open_desk(&host, &shop, "en").await;
    let keys = Keyboard(&host);
    keys.to("section-products").await;
    keys.press(ENTER).await;
    host.until("the products", "document.querySelectorAll('.product-row').length > 0", SOON).await;
    keys.to(id).await;
    keys.press(ENTER).await;
    host.until("the product", "!!document.querySelector('[data-test=product-form]')", SOON).await;
    keys.to("product-title").await;
    keys.press("Lamp of Noura").await;
    keys.press(ENTER).await;
    host.until("it is saved", "!!document.querySelector('[data-test=product-saved]')", SOON).await;
    keys.until_focus_is_on("product-title").await;
    keys.to("variant-add").await;
    keys.press(ENTER).await;
    let last = "document.querySelector('.variant-card:last-child').contains(document.activeElement)";
    host.until("the focus in the new variant", last, SOON).await;
    let count = "document.querySelectorAll('.variant-card').length";
    let before = host.script(&format!("return {count}"), &[]).await.as_u64().unwrap();
    keys.to(&format!("variant-drop-{before}")).await;
    keys.press(ENTER).await;
    host.until("one variant less", &format!("{count} === {}", before - 1), SOON).await;
    keys.until_focus_is_on(&format!("variant-drop-{}", before - 1)).await;
    keys.back_to("stock-1").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on("stock-units").await;
    keys.press("7").await;
    keys.press(ENTER).await;
    host.until("the sheet to close", "!document.querySelector('dialog[open]')", SOON).await;
    keys.until_focus_is_on("stock-1").await;
    host.screenshot("keyboard-product").await;
    let now = shop.host.get(&format!("/v1/products/{id}")).await.expect(200);
    assert_eq!(now["title"], "Lamp of Noura");
    host.assert_no_faults("the host").await;
    host.close().await;
}

#[tokio::test]
async fn evening_keyboard_corrects_a_show_and_a_setting() {
    let shop = Shop::demo(&[]).await;
    let show = shop.stream.clone();
    let driver = Driver::start();
    let root = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Root", "admin");
    root.goto(&format!("{}/admin?lang=en&section=settings#token={token}", shop.server.url)).await;
    root.until("the settings", "!!document.querySelector('[data-test=retention-form]')", SOON).await;
    let keys = Keyboard(&root);
    keys.to("shop-title").await;
    keys.press("Souk of Noura").await;
    keys.press(ENTER).await;
    // This shop has no country yet: the focus is where something is missing.
    keys.until_focus_is_on("shop-country").await;
    keys.press("Saudi").await;
    keys.press(ENTER).await;
    keys.to("settings-save").await;
    keys.press(ENTER).await;
    root.until("it is saved", "!!document.querySelector('[data-test=settings-saved]')", SOON).await;
    keys.until_focus_is_on("settings-save").await;
    // A shorter time deletes: it asks, and the focus comes back.
    keys.to("retention-chat-days").await;
    keys.press("9").await;
    keys.press(ENTER).await;
    keys.until_focus_is_on("confirm-no").await;
    keys.press(ESCAPE).await;
    keys.until_focus_is_on("retention-chat-days").await;
    assert_eq!(root.script("return document.activeElement.value", &[]).await, json!("9"), "what was typed stays");

    // Another member of the team, who runs shows.
    root.forget_people().await;
    root.goto("about:blank").await;
    root.goto(&format!("{}/host?lang=en#token={}", shop.server.url, shop.token("Noura", "host"))).await;
    root.until("the shows", "!!document.querySelector('.show-row')", SOON).await;
    let more = format!("more-{show}");
    keys.to(&more).await;
    keys.press(ENTER).await;
    keys.to(&format!("edit-{show}")).await;
    keys.press(ENTER).await;
    root.until("the form", "!!document.querySelector('dialog[open] [data-test=show-title-field]')", SOON).await;
    keys.until_focus_is_on("show-title-field").await;
    // It has a title, which the first key must not be added to.
    root.script("document.activeElement.select()", &[]).await;
    keys.press("Evening by keyboard").await;
    keys.press(ENTER).await;
    root.until("it is saved", "!!document.querySelector('[data-test=show-saved]')", SOON).await;
    keys.until_focus_is_on(&more).await;
    root.screenshot("keyboard-shows").await;
    let now = shop.server.rest().get(&format!("/v1/streams/{show}")).await.expect(200);
    assert_eq!(now["title"], "Evening by keyboard");
    root.assert_no_faults("Root").await;
    root.close().await;
}
