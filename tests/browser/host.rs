//! The host at the console: the order of the run-down, the sale's form, a sale at a time, and an evening on a phone.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::outside::rest::Rest;
use crate::support::person::named;

struct Evening {
    server: Server,
    driver: Driver,
}

impl Evening {
    async fn begin() -> Evening {
        Evening { server: Server::demo().await, driver: Driver::start() }
    }

    async fn host(&self, window: Window) -> Browser {
        let host = Browser::open(&self.driver, window, "en").await;
        host.goto(self.server.started["host_url"].as_str().unwrap()).await;
        host.is_live().await;
        host.find("[data-test=rundown] li").await;
        host
    }

    async fn viewer(&self) -> Browser {
        let viewer = Browser::open(&self.driver, Window::Desktop, "en").await;
        viewer.goto(&format!("{}/watch?stream={}", self.server.url, self.server.stream())).await;
        viewer.is_live().await;
        viewer
    }

    fn rest(&self) -> Rest {
        self.server.rest().with_token(self.server.started["host_token"].as_str().unwrap())
    }

    async fn offers(&self) -> Vec<Value> {
        let path = format!("/v1/streams/{}/offers", self.server.stream());
        self.rest().get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }

    /// A draft of a flash sale of the first variant, or planned.
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

/// What is written on the rows, top to bottom.
const ROWS: &str = "[...document.querySelectorAll('[data-test=rundown] li')].map((row) => row.dataset.id)";

async fn rows(host: &Browser) -> Vec<String> {
    serde_json::from_value(host.script(&format!("return {ROWS}"), &[]).await).unwrap()
}

/// A key of the keyboard, pressed where the focus is.
async fn strike(browser: &Browser, key: &str, modifiers: u8) {
    for kind in ["keyDown", "keyUp"] {
        let text = if kind == "keyDown" && key.len() == 1 { key } else { "" };
        let event = json!({"type": kind, "key": key, "code": key, "text": text, "modifiers": modifiers,
            "windowsVirtualKeyCode": if key == "Enter" { 13 } else { 0 }});
        browser.devtools("Input.dispatchKeyEvent", event).await;
    }
}

const ALT: u8 = 1;

#[tokio::test]
async fn a_piece_moved_by_keyboard_stands_there_for_viewers_too() {
    let evening = Evening::begin().await;
    let (host, viewer) = (evening.host(Window::Desktop).await, evening.viewer().await);
    let before = rows(&host).await;
    assert!(before.len() > 2, "{before:?}");
    let (first, second) = (&before[0], &before[1]);
    host.script("document.querySelector(arguments[0]).focus()", &[json!(named(&format!("move-{second}")))]).await;
    strike(&host, "ArrowUp", ALT).await;
    host.until("the new order", &format!("{ROWS}[0] === '{second}'"), SOON).await;
    host.sees("spoken", "place 1 of").await;
    let focus = host.script("return document.activeElement.dataset.test", &[]).await;
    assert_eq!(focus, json!(format!("move-{second}")), "the focus goes with it");
    let bag = |id: &str| format!("document.querySelector('[data-test=\"offer-{id}\"]').getBoundingClientRect().top");
    // What is pinned stands first in the bag whatever its place; the two others tell.
    let third = &before[2];
    let pinned = viewer.script("return document.querySelector('[data-test=card]').dataset.offer ?? ''", &[]).await;
    let (upper, lower) = if pinned == json!(first) || pinned == json!(second) {
        host.script("document.querySelector(arguments[0]).focus()", &[json!(named(&format!("move-{}", before[3])))])
            .await;
        strike(&host, "ArrowUp", 0).await;
        (&before[3], third)
    } else {
        (second, first)
    };
    viewer.until("the bag in the new order", &format!("{} < {}", bag(upper), bag(lower)), SOON).await;

    // By the mouse: the last above the first.
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
        while evening.offers().await[0]["id"] != mover.as_str() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, kept).await.expect("the server keeps the order");
    host.shot("host-rundown").await;

    // Search shows the rows that match; Escape brings the others back.
    host.script("document.activeElement.blur()", &[]).await;
    strike(&host, "/", 0).await;
    host.fill(&named("rundown-search"), "zzz").await;
    host.until("no row", "![...document.querySelectorAll('[data-test=rundown] li')].some((row) => !row.hidden)", SOON)
        .await;
    strike(&host, "Escape", 0).await;
    host.until("all rows", "![...document.querySelectorAll('[data-test=rundown] li')].some((row) => row.hidden)", SOON)
        .await;
    host.is_sound("host").await;
    viewer.is_sound("viewer").await;
}

#[tokio::test]
async fn the_sale_form_says_what_is_wrong_beside_its_field_and_makes_a_row_of_each_variant() {
    let evening = Evening::begin().await;
    let host = evening.host(Window::Desktop).await;
    let products = evening.rest().get("/v1/products").await.expect(200);
    let many = |product: &&Value| product["variants"].as_array().unwrap().len() > 1;
    let product = products["items"].as_array().unwrap().iter().find(many).expect("a product of several variants");
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
    host.shot("host-sale-form-errors").await;

    // What only the server knows is said in the same place: the pool was emptied meanwhile.
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
    let taken =
        evening.draft(json!({"variant": id(1), "kind": "regular", "quantity": pool, "countdown_s": null})).await;
    let count = evening.offers().await.len();
    host.press("offer-save").await;
    host.sees("error-offer-quantity-2", "stock").await;
    assert_eq!(evening.offers().await.len(), count + 1, "the first row is in, once");
    evening.rest().post(&format!("/v1/offers/{taken}/close"), json!({})).await.expect(200);
    host.press("offer-save").await;
    host.until("the form to close", "!document.querySelector('[data-test=offer-form]')", SOON).await;
    let offers = evening.offers().await;
    let drafts: Vec<_> = offers.iter().filter(|it| it["kind"] == "flash" && it["status"] == "draft").collect();
    assert_eq!(drafts.len(), 2, "{drafts:#?}");
    assert_eq!(drafts[1]["variant"], id(1).as_str());
    host.until("both wait", "document.querySelectorAll('[data-test=queue] li').length === 2", SOON).await;
}

#[tokio::test]
async fn a_sale_at_a_time_counts_down_by_itself() {
    let evening = Evening::begin().await;
    let (host, viewer) = (evening.host(Window::Desktop).await, evening.viewer().await);
    let now = evening.rest().get(&format!("/v1/streams/{}", evening.server.stream())).await.expect(200);
    let at = now["now"].as_i64().unwrap() + 20_000;
    let sale = evening.draft(json!({"starts_at": at})).await;
    host.goto(evening.server.started["host_url"].as_str().unwrap()).await;
    host.script("location.reload()", &[]).await;
    host.sees("queue", "Begins").await;
    host.shot("host-queue").await;
    let row = named(&format!("offer-{sale}"));
    viewer.until("the countdown in the bag", &format!("document.querySelector('{row}')"), SOON).await;
    host.until("the clock", "document.querySelector('[data-test=now-clock]')?.offsetParent", SOON).await;
    let open = format!("document.querySelector('{row}')?.dataset.phase === 'live'");
    viewer.until("the sale", &open, std::time::Duration::from_secs(30)).await;
    let shown = evening.rest().get(&format!("/v1/offers/{sale}")).await.expect(200);
    assert_eq!(shown["opens_at"], at);
}

#[tokio::test]
async fn a_host_with_a_phone_pins_starts_and_stops_with_the_stop_always_in_sight() {
    let evening = Evening::begin().await;
    let sale = evening.draft(json!({})).await;
    let (host, viewer) = (evening.host(Window::Mobile).await, evening.viewer().await);
    host.press("start-prepared").await;
    host.press("confirm-yes").await;
    host.press(&format!("pin-{sale}")).await;
    viewer
        .until("the card", &format!("document.querySelector('[data-test=card]').dataset.offer === '{sale}'"), SOON)
        .await;
    let stands = "['[data-test=now-stop]', '[data-test=card]', '[data-test=part-sell]'].every((css) => {
        const box = document.querySelector(css).getBoundingClientRect();
        return box.height >= 44 && box.top >= 0 && box.bottom <= innerHeight
            && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.closest(css) !== undefined; })";
    for part in ["numbers", "people", "sell"] {
        host.press(&format!("part-{part}")).await;
        host.until(&format!("stop and card in {part}"), stands, SOON).await;
        host.shot(&format!("host-phone-{part}")).await;
        host.is_sound("host").await;
    }
    host.press("now-stop").await;
    host.sees("confirm", "viewer").await;
    host.press("confirm-yes").await;
    viewer.until("the end", "document.querySelector('[data-test=card]').dataset.phase === 'ended'", SOON).await;
}
