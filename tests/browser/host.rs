//! The host console: the order of the line-up, the form of a sale, a scheduled sale, and a show that is run from a phone.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::outside::rest::Rest;
use crate::support::person::named;

struct HostShow {
    server: Server,
    driver: Driver,
}

impl HostShow {
    async fn start() -> HostShow {
        HostShow { server: Server::demo().await, driver: Driver::start() }
    }

    async fn host(&self, window: Window) -> Browser {
        let host = Browser::open(&self.driver, window, "en").await;
        host.goto(self.server.started["host_url"].as_str().unwrap()).await;
        host.wait_until_live().await;
        host.find("[data-test=lineup] li").await;
        host
    }

    async fn viewer(&self) -> Browser {
        let viewer = Browser::open(&self.driver, Window::Desktop, "en").await;
        viewer.goto(&format!("{}/watch?stream={}", self.server.url, self.server.stream())).await;
        viewer.wait_until_live().await;
        viewer
    }

    fn rest(&self) -> Rest {
        self.server.rest().with_token(self.server.started["host_token"].as_str().unwrap())
    }

    async fn offers(&self) -> Vec<Value> {
        let path = format!("/v1/streams/{}/offers", self.server.stream());
        self.rest().get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }

    /// Creates a draft of a flash sale of the first variant. With `starts_at` in `terms` the sale is scheduled.
    async fn draft(&self, terms: Value) -> String {
        let products = self.rest().get("/v1/products").await.expect(200);
        let variant = products["items"][0]["variants"][0]["id"].clone();
        let mut form = json!({"variant": variant, "kind": "flash", "price": 500, "quantity": 3, "countdown_s": 10});
        for (name, value) in terms.as_object().unwrap() {
            form[name] = value.clone();
        }
        let path = format!("/v1/streams/{}/offers", self.server.stream());
        self.rest().post(&path, form).await.expect(201)["id"].as_str().unwrap().to_owned()
    }
}

/// The ids of the offers in the line-up, top to bottom.
const ROWS: &str = "[...document.querySelectorAll('[data-test=lineup] li')].map((row) => row.dataset.id)";

async fn rows(host: &Browser) -> Vec<String> {
    serde_json::from_value(host.script(&format!("return {ROWS}"), &[]).await).unwrap()
}

/// Presses a key of the keyboard; the element that has the focus receives it.
async fn press_key(browser: &Browser, key: &str, modifiers: u8) {
    for kind in ["keyDown", "keyUp"] {
        let text = if kind == "keyDown" && key.len() == 1 { key } else { "" };
        let event = json!({"type": kind, "key": key, "code": key, "text": text, "modifiers": modifiers,
            "windowsVirtualKeyCode": match key { "Enter" => 13, "Escape" => 27, _ => 0 }});
        browser.devtools("Input.dispatchKeyEvent", event).await;
    }
}

const ALT: u8 = 1;

#[tokio::test]
async fn offer_moved_by_keyboard_or_mouse_moves_for_viewers_too() {
    let show = HostShow::start().await;
    let (host, viewer) = (show.host(Window::Desktop).await, show.viewer().await);
    let before = rows(&host).await;
    assert!(before.len() > 2, "{before:?}");
    let (first, second) = (&before[0], &before[1]);
    host.script("document.querySelector(arguments[0]).focus()", &[json!(named(&format!("move-{second}")))]).await;
    press_key(&host, "ArrowUp", ALT).await;
    host.until("the new order", &format!("{ROWS}[0] === '{second}'"), SOON).await;
    host.sees("spoken", "position 1 of").await;
    let focus = host.script("return document.activeElement.dataset.test", &[]).await;
    assert_eq!(focus, json!(format!("move-{second}")), "the focus stays on the moved row");
    let top_of = |id: &str| format!("document.querySelector('[data-test=\"offer-{id}\"]').getBoundingClientRect().top");
    // The pinned offer is always first in the product list, so the order is read from two other offers.
    let third = &before[2];
    let pinned = viewer.script("return document.querySelector('[data-test=card]').dataset.offer ?? ''", &[]).await;
    let (upper, lower) = if pinned == json!(first) || pinned == json!(second) {
        host.script("document.querySelector(arguments[0]).focus()", &[json!(named(&format!("move-{}", before[3])))])
            .await;
        press_key(&host, "ArrowUp", 0).await;
        (&before[3], third)
    } else {
        (second, first)
    };
    viewer.until("the product list in the new order", &format!("{} < {}", top_of(upper), top_of(lower)), SOON).await;

    // With the mouse: drag the third row above the first.
    let drag = "const box = (css) => document.querySelector(css).getBoundingClientRect();
        const handle = document.querySelector(arguments[0]), to = document.querySelector(arguments[1]);
        handle.scrollIntoView({ block: 'center' });
        const at = handle.getBoundingClientRect(), end = to.getBoundingClientRect();
        const send = (node, type, y) => node.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true, pointerId: 7, button: 0, clientX: at.x + 9, clientY: y }));
        send(handle, 'pointerdown', at.y + 9); send(document.body, 'pointermove', at.y - 30); send(document.body, 'pointermove', end.y + 2);
        send(document.body, 'pointerup', end.y + 2);";
    let order = rows(&host).await;
    let (mover, target) = (&order[2], &order[0]);
    host.script(drag, &[json!(named(&format!("move-{mover}"))), json!(named(&format!("row-{target}")))]).await;
    host.until("the dragged row on top", &format!("{ROWS}[0] === '{mover}'"), SOON).await;
    let kept = async {
        while show.offers().await[0]["id"] != mover.as_str() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, kept).await.expect("the server stores the new order");
    host.screenshot("host-lineup").await;

    // The search shows only the rows that match; Escape shows all rows again.
    host.script("document.activeElement.blur()", &[]).await;
    press_key(&host, "/", 0).await;
    host.fill(&named("lineup-search"), "zzz").await;
    host.until("no row", "![...document.querySelectorAll('[data-test=lineup] li')].some((row) => !row.hidden)", SOON)
        .await;
    press_key(&host, "Escape", 0).await;
    host.until("all rows", "![...document.querySelectorAll('[data-test=lineup] li')].some((row) => row.hidden)", SOON)
        .await;
    host.assert_no_faults("host").await;
    viewer.assert_no_faults("viewer").await;
}

#[tokio::test]
async fn sale_form_shows_each_error_beside_its_field_and_creates_an_offer_per_variant() {
    let show = HostShow::start().await;
    let host = show.host(Window::Desktop).await;
    let products = show.rest().get("/v1/products").await.expect(200);
    let many = |product: &&Value| product["variants"].as_array().unwrap().len() > 1;
    let product = products["items"].as_array().unwrap().iter().find(many).expect("a product with several variants");
    let id = |n: usize| product["variants"][n]["id"].as_str().unwrap().to_owned();
    host.press("add-offer").await;
    host.press(&format!("variant-{}", id(0))).await;
    host.choose("offer-kind-flash").await;
    host.press(&format!("also-{}", id(1))).await;
    host.choose("offer-when-time").await;
    for (field, value) in [
        ("price", "0"),
        ("quantity", "9999999"),
        ("countdown", "301"),
        ("duration", "21"),
        ("hold", "9"),
        ("per-buyer", "0"),
        ("quantity-2", "x"),
    ] {
        host.fill(&named(&format!("offer-{field}")), value).await;
    }
    host.script("const at = document.querySelector('[data-test=offer-starts-at]'); at.value = '2020-01-01T20:00'", &[])
        .await;
    host.press("offer-start").await;
    for field in ["price", "quantity", "countdown", "duration", "hold", "per-buyer", "quantity-2", "starts-at"] {
        let css = named(&format!("error-offer-{field}"));
        host.until(field, &format!("document.querySelector('{css}').innerText.trim()"), SOON).await;
    }
    host.screenshot("host-sale-form-errors").await;

    // An error that only the server can find is shown beside the field too: another offer has reserved the stock meanwhile.
    for (field, value) in [
        ("price", "10"),
        ("quantity", "2"),
        ("countdown", "30"),
        ("duration", "5"),
        ("hold", "60"),
        ("per-buyer", "1"),
        ("quantity-2", "2"),
    ] {
        host.fill(&named(&format!("offer-{field}")), value).await;
    }
    host.choose("offer-when-now").await;
    let pool = product["variants"][1]["stock"].as_i64().unwrap();
    let taken = show.draft(json!({"variant": id(1), "kind": "regular", "quantity": pool, "countdown_s": null})).await;
    let count = show.offers().await.len();
    host.press("offer-save").await;
    host.sees("error-offer-quantity-2", "stock").await;
    assert_eq!(show.offers().await.len(), count + 1, "the offer of the first row was created, exactly once");
    show.rest().post(&format!("/v1/offers/{taken}/close"), json!({})).await.expect(200);
    host.press("offer-save").await;
    host.until("the form to close", "!document.querySelector('[data-test=offer-form]')", SOON).await;
    let offers = show.offers().await;
    let drafts: Vec<_> = offers.iter().filter(|it| it["kind"] == "flash" && it["status"] == "draft").collect();
    assert_eq!(drafts.len(), 2, "{drafts:#?}");
    assert_eq!(drafts[1]["variant"], id(1).as_str());
    host.until(
        "both drafts under the upcoming sales",
        "document.querySelectorAll('[data-test=upcoming-sales] li').length === 2",
        SOON,
    )
    .await;
}

#[tokio::test]
async fn scheduled_sale_counts_down_and_opens_on_time() {
    let show = HostShow::start().await;
    let (host, viewer) = (show.host(Window::Desktop).await, show.viewer().await);
    let now = show.rest().get(&format!("/v1/streams/{}", show.server.stream())).await.expect(200);
    let at = now["now"].as_i64().unwrap() + 20_000;
    let sale = show.draft(json!({"starts_at": at})).await;
    host.goto(show.server.started["host_url"].as_str().unwrap()).await;
    host.reload().await;
    host.sees("upcoming-sales", "Starts").await;
    host.screenshot("host-upcoming-sales").await;
    let row = named(&format!("offer-{sale}"));
    viewer.until("the countdown in the product list", &format!("document.querySelector('{row}')"), SOON).await;
    host.until("the clock", "document.querySelector('[data-test=now-clock]')?.offsetParent", SOON).await;
    let open = format!("document.querySelector('{row}')?.dataset.phase === 'live'");
    viewer.until("the sale to open", &open, std::time::Duration::from_secs(30)).await;
    let shown = show.rest().get(&format!("/v1/offers/{sale}")).await.expect(200);
    assert_eq!(shown["opens_at"], at);
}

#[tokio::test]
async fn host_on_a_phone_pins_starts_and_stops_a_sale_with_the_stop_button_always_visible() {
    let show = HostShow::start().await;
    let sale = show.draft(json!({})).await;
    let (host, viewer) = (show.host(Window::Mobile).await, show.viewer().await);
    host.press("start-prepared").await;
    host.press("confirm-yes").await;
    viewer
        .until("the card", &format!("document.querySelector('[data-test=card]').dataset.offer === '{sale}'"), SOON)
        .await;
    let is_visible = "['[data-test=now-stop]', 'CARD', '[data-test=part-sell]'].every((css) => {
        const box = document.querySelector(css).getBoundingClientRect();
        return box.height >= 44 && box.top >= 0 && box.bottom <= innerHeight
            && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.closest(css) !== undefined; })";
    for part in ["numbers", "people", "sell"] {
        host.press(&format!("part-{part}")).await;
        // The chat needs the room of the card: there the panel above the thumb names the offer.
        let card = if part == "people" { ".now-offer" } else { "[data-test=card]" };
        host.until(&format!("the stop button and the offer in {part}"), &is_visible.replace("CARD", card), SOON).await;
        host.screenshot(&format!("host-phone-{part}")).await;
        host.assert_no_faults("host").await;
    }
    host.press("now-stop").await;
    host.sees("confirm", "viewer").await;
    host.press("confirm-yes").await;
    viewer.until("the end", "document.querySelector('[data-test=card]').dataset.phase === 'ended'", SOON).await;
}

#[tokio::test]
async fn sale_that_the_host_does_not_pin_is_a_chip_with_picture_and_name_until_nothing_is_left() {
    let show = HostShow::start().await;
    let sale = show.draft(json!({"quantity": 1})).await;
    let (host, viewer) = (show.host(Window::Desktop).await, show.viewer().await);
    host.press("start-prepared").await;
    host.choose("pin-on-start").await;
    host.press("confirm-yes").await;
    let chip = "(document.querySelector('[data-test=sale-chip]').hidden ? {} : document.querySelector('[data-test=sale-chip]').dataset)";
    viewer.until("the chip", &format!("{chip}.offer === '{sale}'"), SOON).await;
    let title = show.rest().get(&format!("/v1/offers/{sale}")).await.expect(200)["title"].as_str().unwrap().to_owned();
    viewer.sees("sale-chip", &title).await;
    let picture = "return Boolean(document.querySelector('.sale-chip .chip-image').firstElementChild)";
    assert_eq!(viewer.script(picture, &[]).await, json!(true));
    let pinned = "return document.querySelector('[data-test=card]').dataset.offer";
    assert_ne!(viewer.script(pinned, &[]).await, json!(sale), "the host chose not to pin it");
    viewer.screenshot("viewer-sale-chip").await;
    viewer.assert_no_faults("viewer").await;

    let open = "document.querySelector('[data-test=sale-chip]').innerText.includes('1 left')";
    viewer.until("the sale to open", open, std::time::Duration::from_secs(30)).await;
    viewer.press("sale-chip").await;
    viewer.press("product-buy").await;
    viewer.sign_in("Ann").await;
    viewer.find(&named("order-place")).await;
    viewer.until("no chip at 0 left", "document.querySelector('[data-test=sale-chip]').hidden", SOON).await;
}

#[tokio::test]
async fn flash_form_starts_at_the_regular_price_takes_a_percentage_and_keeps_the_last_values() {
    let show = HostShow::start().await;
    let host = show.host(Window::Desktop).await;
    let value = |field: &str| format!("document.querySelector('{}')?.value", named(&format!("offer-{field}")));
    let open_form = async || {
        host.press("add-offer").await;
        host.click("[data-test^=\"variant-\"]").await;
        host.choose("offer-kind-flash").await;
    };
    open_form().await;
    let regular = host.script(&format!("return {}", value("price")), &[]).await;
    assert_eq!(host.script(&format!("return {}", value("old-price")), &[]).await, regular);
    for (field, text) in [("percent", "50"), ("quantity", "2"), ("per-buyer", "1"), ("countdown", "20")] {
        host.fill(&named(&format!("offer-{field}")), text).await;
    }
    host.until("half the price", &format!("{} * 2 == {}", value("price"), value("old-price")), SOON).await;
    host.screenshot("host-flash-percent").await;
    host.script("document.querySelector('[data-test=offer-start]').scrollIntoView()", &[]).await;
    host.screenshot("host-flash-pin").await;
    host.assert_no_faults("the form").await;
    host.press("offer-save").await;
    host.until("the form to close", "!document.querySelector('[data-test=offer-form]')", SOON).await;
    let offers = show.offers().await;
    let sale = offers.iter().find(|it| it["kind"] == "flash").expect("the draft");
    assert_eq!(sale["price"].as_i64().unwrap() * 2, sale["old_price"].as_i64().unwrap());
    let row = named(&format!("row-{}", sale["id"].as_str().unwrap()));
    let in_sight = format!(
        "(() => {{ const box = document.querySelector('{row}').getBoundingClientRect();
            return box.top >= 0 && box.bottom <= innerHeight + 1; }})()"
    );
    host.until("the new row in sight", &in_sight, SOON).await;

    host.reload().await;
    host.wait_until_live().await;
    open_form().await;
    for (field, kept) in [("percent", "50"), ("per-buyer", "1"), ("countdown", "20")] {
        host.until(field, &format!("{} === '{kept}'", value(field)), SOON).await;
    }
    // A price that is typed wins over the percentage.
    host.fill(&named("offer-price"), "7").await;
    host.until("no percentage", &format!("{} === ''", value("percent")), SOON).await;
}

/// Rows of the line-up that are wholly in sight and no higher than 64 pixels.
const ROWS_IN_SIGHT: &str = "[...document.querySelectorAll('[data-test=lineup] li')].filter((row) => {
    const box = row.getBoundingClientRect(), panel = document.querySelector('#sell').getBoundingClientRect();
    return box.height <= 64.5 && box.top >= panel.top && box.bottom <= Math.min(panel.bottom, innerHeight);
}).length";

#[tokio::test]
async fn line_up_shows_twelve_rows_with_pin_and_start_and_the_rest_behind_a_menu() {
    let show = HostShow::start().await;
    let first = show.offers().await[0]["id"].as_str().unwrap().to_owned();
    let mut draft = String::new();
    while show.offers().await.len() < 14 {
        draft = show.draft(json!({"kind": "regular", "quantity": 1, "countdown_s": null})).await;
    }
    let host = show.host(Window::Desktop).await;
    host.until("twelve rows", &format!("{ROWS_IN_SIGHT} >= 12"), SOON).await;
    let is_visible = |name: &str| format!("document.querySelector('{}').offsetParent !== null", named(name));
    host.script("document.querySelector(arguments[0]).scrollIntoView()", &[json!(named(&format!("open-{draft}")))])
        .await;
    host.until("Start", &is_visible(&format!("open-{draft}")), SOON).await;
    let shown = format!("{} || {}", is_visible(&format!("pin-{first}")), is_visible(&format!("unpin-{first}")));
    host.until("Pin", &shown, SOON).await;
    host.until("no Restock", &format!("!({})", is_visible(&format!("restock-{first}"))), SOON).await;
    host.press(&format!("more-{first}")).await;
    host.until("Restock in the menu", &is_visible(&format!("restock-{first}")), SOON).await;
    host.screenshot("host-lineup-menu").await;
    host.assert_no_faults("the menu").await;
    press_key(&host, "Escape", 0).await;
    host.until("no menu", &format!("!({})", is_visible(&format!("restock-{first}"))), SOON).await;
    host.press(&format!("more-{first}")).await;
    host.press(&format!("restock-{first}")).await;
    host.find("dialog[open]").await;
    press_key(&host, "Escape", 0).await;
    let focus = format!("document.activeElement.dataset.test === 'more-{first}'");
    host.until("the focus on the button of the menu", &focus, SOON).await;
    host.press(&format!("more-{first}")).await;
    host.press(&format!("pause-{first}")).await;
    host.press("confirm-yes").await;
    let paused = format!("document.querySelector('{}').dataset.phase === 'paused'", named(&format!("row-{first}")));
    host.until("a paused offer", &paused, SOON).await;
}

#[tokio::test]
async fn preview_is_the_page_of_viewers_and_on_a_tablet_stop_and_pause_stay_in_sight() {
    let show = HostShow::start().await;
    let host = show.host(Window::Desktop).await;
    let inside = "document.querySelector('[data-test=preview-page]').contentDocument";
    host.until("the card in the preview", &format!("!{inside}.querySelector('[data-test=card]').hidden"), SOON).await;
    let path = format!("/v1/streams/{}/announcements", show.server.stream());
    show.rest().post(&path, json!({"text": "Free delivery tonight"})).await.expect(200);
    host.until(
        "the notice in the preview",
        &format!("{inside}.querySelector('#notice').innerText.includes('tonight')"),
        SOON,
    )
    .await;
    let shape = "(() => { const box = document.querySelector('#preview').getBoundingClientRect();
        return Math.abs(box.width / box.height - 9 / 16) < 0.01 && box.width > 150; })()";
    host.until("a preview of 9:16", shape, SOON).await;
    let viewers = format!("{inside}.querySelector('[data-test=viewers]').innerText === '0'");
    host.until("nobody counts the preview", &viewers, SOON).await;
    host.screenshot("host-preview").await;

    let sale = show.draft(json!({})).await;
    show.rest().post(&format!("/v1/offers/{sale}/open"), json!({})).await.expect(200);
    host.until("the sale to open", &format!("document.querySelector('{}')", named("now-pause")), SOON).await;
    host.resize_to(1024, 768, false).await;
    let in_sight = "['now-pause', 'now-stop'].every((name) => {
        const box = document.querySelector(`[data-test=${name}]`).getBoundingClientRect();
        return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight
            && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.closest(`[data-test=${name}]`); })";
    host.until("Pause and Stop", in_sight, std::time::Duration::from_secs(30)).await;
    host.script("document.querySelector('.on-air-panel').scrollTop = 9999", &[]).await;
    host.until("Pause and Stop after scrolling", in_sight, SOON).await;
    host.screenshot("host-tablet-sale").await;
    host.assert_no_faults("the tablet").await;
}

#[tokio::test]
async fn host_on_a_phone_shows_the_next_product_and_starts_a_flash_sale_in_two_taps() {
    let show = HostShow::start().await;
    let host = show.host(Window::Mobile).await;
    let kept =
        "localStorage.setItem('livesouk.sale_choices', JSON.stringify({ percent: 50, quantity: 2, countdown_s: 10,
        duration_s: 60, per_buyer: 1, hold_s: 60, pin: true }))";
    host.script(kept, &[]).await;
    let pinned = "document.querySelector('[data-test=card]').dataset.offer";
    let before = host.until("a pinned product", pinned, SOON).await;
    host.press("thumb-next").await;
    host.until("the next product", &format!("{pinned} !== {before}"), SOON).await;
    let shown = host.script(&format!("return {pinned}"), &[]).await;
    host.screenshot("host-phone-thumb").await;

    host.press("thumb-flash").await;
    host.sees("confirm", "10 seconds").await;
    host.screenshot("host-phone-flash").await;
    host.assert_no_faults("the question").await;
    host.press("confirm-yes").await;
    let is_sale = "document.querySelector('[data-test=card]').dataset.kind === 'flash'";
    host.until("the sale, pinned", is_sale, SOON).await;
    let offers = show.offers().await;
    let sale = offers.iter().find(|it| it["kind"] == "flash").expect("a flash sale");
    let base = offers.iter().find(|it| it["id"] == shown).expect("the product that was shown");
    assert_eq!(sale["variant"], base["variant"]);
    assert_eq!(sale["price"].as_i64().unwrap() * 2, sale["old_price"].as_i64().unwrap());
    assert_eq!((&sale["quantity"], &sale["per_buyer"], &sale["hold_s"]), (&json!(2), &json!(1), &json!(60)));

    // Beside the camera the window is half as high, and Stop is still in reach, however far the page is scrolled.
    host.resize_to(390, 420, true).await;
    let in_reach = "(() => { const stop = document.querySelector('[data-test=now-stop]'), box = stop.getBoundingClientRect();
        return box.height >= 44 && box.bottom <= innerHeight && document.elementFromPoint(box.x + 20, box.y + 20)?.closest('button') === stop; })()";
    host.until("Stop", in_reach, std::time::Duration::from_secs(30)).await;
    host.script("document.scrollingElement.scrollTop = 9999", &[]).await;
    host.until("Stop after scrolling", in_reach, SOON).await;
    host.screenshot("host-phone-beside-the-camera").await;
    host.assert_no_faults("beside the camera").await;
}
