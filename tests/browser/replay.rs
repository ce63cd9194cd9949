//! The recording of a show: the host names it, the page plays it, and the card, the chat and the prices follow its position.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id, key};
use crate::support::person::named;

const NONE: [String; 0] = [];
/// The clip of the demo has 14 seconds.
const CLIP: &str = "/assets/demo/show.mp4";
/// Where the show begins in the recording, in seconds.
const BEGIN_S: i64 = 11;
/// A picture that nearly stands still, so that a test can look at one moment for as long as it needs.
const SLOWLY: &str = "document.querySelector('video').playbackRate = 0.0625";

fn texts() -> &'static str {
    "[...document.querySelectorAll('[data-test=chat-line] .text')].map((it) => it.textContent).join('|')"
}

/// Moves the slider as a hand does.
async fn move_to(page: &Browser, seconds: i64) {
    let slider = "const slider = document.querySelector('[data-test=replay-position]'); slider.value = arguments[0];
        for (const kind of ['input', 'change']) slider.dispatchEvent(new Event(kind, { bubbles: true }));";
    page.script(slider, &[json!(seconds)]).await;
}

/// A show of which two offers were pinned, each with some words and seconds of its own; it has ended. Gives the offers, and the order
/// of the first one.
async fn ended_show() -> (Shop, [String; 2], String) {
    let mut shop = Shop::demo(&[]).await;
    shop.stream = id(&shop.host.post("/v1/streams", json!({"title": "Lamps and rugs"})).await.expect(201));
    shop.host.post(&shop.path("start"), json!({})).await.expect(200);
    let ann = shop.rest("ann", "viewer");
    let mut offers = Vec::new();
    for words in ["about the first", "about the second"] {
        let offer = shop.on_sale(5, json!({})).await;
        shop.host.put(&shop.path("pin"), json!({"offer": offer})).await.expect(200);
        ann.post(&shop.path("messages"), json!({"text": words})).await.expect(201);
        offers.push(offer);
    }
    let buy = format!("/v1/offers/{}/orders", offers[0]);
    let order = id(&ann.post_keyed(&buy, &key(), json!({"qty": 1})).await.expect(201));
    ann.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
    shop.host.get(&shop.path("messages")).await.expect(200);
    shop.host.post(&shop.path("end"), json!({})).await.expect(200);
    for longer in [
        "update pins set at = at - 8000, until = until - 4000 where until is not null",
        "update pins set at = at - 4000 where until is null",
        "update messages set at = at - 7500 where body = 'about the first'",
        "update messages set at = at - 3500 where body = 'about the second'",
    ] {
        shop.change(longer).await;
    }
    let [first, second] = offers.try_into().unwrap();
    (shop, [first, second], order)
}

/// The host names the recording in the form of the show.
async fn name_recording(host: &Browser, shop: &Shop) {
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/host?lang=en#token={token}", shop.server.url)).await;
    host.press(&format!("more-{}", shop.stream)).await;
    host.press(&format!("edit-{}", shop.stream)).await;
    host.fill(&named("show-replay"), CLIP).await;
    host.fill(&named("show-replay-begin"), "soon").await;
    host.press("show-save").await;
    host.sees("error-show-replay-begin", "0:12").await;
    host.fill(&named("show-replay-begin"), &format!("0:{BEGIN_S}")).await;
    host.screenshot("show-edit-replay").await;
    assert_eq!(host.faults(Window::Desktop, false).await, NONE, "the form");
    host.press("show-save").await;
    host.find(&named("show-saved")).await;
    let show = shop.host.get(&format!("/v1/streams/{}", shop.stream)).await.expect(200);
    let begins = show["started_at"].as_i64().unwrap() - BEGIN_S * 1_000;
    assert_eq!((&show["replay"], &show["replay_started_at"]), (&json!(CLIP), &json!(begins)));
}

/// The seconds of the recording in the middle of each pin.
async fn middles(shop: &Shop) -> Vec<i64> {
    let show = shop.host.get(&format!("/v1/streams/{}", shop.stream)).await.expect(200);
    let log = shop.host.get(&shop.path("log")).await.expect(200);
    let begins = show["replay_started_at"].as_i64().unwrap();
    let middle = |pin: &Value| ((pin["at"].as_i64().unwrap() + pin["until"].as_i64().unwrap()) / 2 - begins) / 1_000;
    log["pins"].as_array().unwrap().iter().map(middle).collect()
}

#[tokio::test]
async fn replay_follows_its_position_and_sells() {
    let (shop, [first, second], order) = ended_show().await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    name_recording(&host, &shop).await;
    let [early, late] = middles(&shop).await.try_into().unwrap();

    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ben", "viewer");
    let page = format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream);
    phone.goto(&format!("{page}#token={token}")).await;
    phone.until("the recording", "document.querySelector('#player').dataset.video === 'playing'", SOON).await;
    phone.script(SLOWLY, &[]).await;
    move_to(&phone, early).await;
    phone.watch_pinned(&first).await;
    phone.until("the chat of then", &format!("{} === 'about the first'", texts()), SOON).await;
    phone.until("two chapters", "document.querySelectorAll('.chapters li').length === 2", SOON).await;
    move_to(&phone, late).await;
    phone.watch_pinned(&second).await;
    phone.until("the chat of later", &format!("{} === 'about the first|about the second'", texts()), SOON).await;
    let chapter = "document.querySelectorAll('.chapters button')[1].getAttribute('aria-current') === 'true'";
    phone.until("the second chapter", chapter, SOON).await;
    phone.sees("card-buy", "Ended").await;
    phone.click(".chapters li:first-child button").await;
    phone.watch_pinned(&first).await;
    phone.until("the chat of before", &format!("{} === 'about the first'", texts()), SOON).await;

    // What costs another price now shows it, and what is on sale again is bought.
    let offers = shop.host.get(&shop.path("offers")).await.expect(200);
    let variant_of = |id: &str| offers["items"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap().clone();
    let dearer = variant_of(&second);
    let product = format!("/v1/products/{}", dearer["product"].as_str().unwrap());
    let mut form = shop.host.get(&product).await.expect(200);
    let version = form["version"].clone();
    let mut variants = form["variants"].take();
    variants[0]["price"] = json!(7_700);
    let changed = json!({"version": version, "variants": [{"id": variants[0]["id"], "name": variants[0]["name"], "price": 7_700}]});
    shop.host.send(Method::PATCH, &product, &[], Some(changed)).await.expect(200);
    let terms = json!({"variant": variant_of(&first)["variant"], "kind": "regular", "price": 900, "quantity": 2});
    let again = id(&shop.host.post(&shop.path("offers"), terms).await.expect(201));
    shop.host.post(&format!("/v1/offers/{again}/open"), json!({})).await.expect(200);
    phone.watch_pinned(&again).await;
    // The button changes its colour when the offer has arrived.
    phone.until("Buy is enabled", "document.querySelector('[data-test=card-buy]')?.disabled === false", SOON).await;
    phone.screenshot("replay-phone").await;
    assert_eq!(phone.faults(Window::Mobile, false).await, NONE, "the recording on a phone");
    phone.reserve().await;
    phone.reload().await;
    phone.until("the recording", "document.querySelector('#player').dataset.video === 'playing'", SOON).await;
    phone.script(SLOWLY, &[]).await;
    move_to(&phone, late).await;
    phone.watch_pinned(&second).await;
    phone.sees("card-price", "77").await;
    phone.assert_no_faults("the phone").await;
    phone.close().await;

    // The desk says the second of the order, and its link plays from there.
    let detail = shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200);
    let second_of_order = detail["replay_ms"].as_i64().unwrap() / 1_000;
    host.goto(&format!("{}/admin?lang=en", shop.server.url)).await;
    host.press(&format!("order-{order}")).await;
    host.sees("order-replay", &format!("00:{second_of_order:02}")).await;
    host.screenshot("desk-order-replay").await;
    let link = host.script("return document.querySelector('[data-test=order-replay-watch]').href", &[]).await;
    host.goto(link.as_str().unwrap()).await;
    let begins = format!("document.querySelector('video')?.currentTime >= {second_of_order}");
    host.until("the moment of the order", &begins, SOON).await;
    host.goto(&page.replace("lang=en", "lang=ar")).await;
    host.until("the recording", "document.querySelector('#player').dataset.video === 'playing'", SOON).await;
    host.until("the chapters", "document.querySelectorAll('.chapters li').length === 2", SOON).await;
    host.screenshot("replay-ar-desktop").await;
    assert_eq!(host.faults(Window::Desktop, false).await, NONE, "the recording on a desktop");
    host.close().await;
}

#[tokio::test]
async fn replay_comes_and_goes_while_a_viewer_is_there() {
    let (shop, [first, _], _) = ended_show().await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "id").await;
    phone.goto(&format!("{}/watch?stream={}&lang=id", shop.server.url, shop.stream)).await;
    phone.find(&named("show-end")).await;
    let change = async |form: Value| {
        let path = format!("/v1/streams/{}", shop.stream);
        shop.host.send(Method::PATCH, &path, &[], Some(form)).await.expect(200)
    };
    let show = change(json!({"version": 1, "replay": CLIP})).await;
    let begins = show["started_at"].as_i64().unwrap() - BEGIN_S * 1_000;
    change(json!({"version": 2, "replay_started_at": begins})).await;
    phone.until("the recording", "document.querySelector('#player').dataset.video === 'playing'", SOON).await;
    phone.script(SLOWLY, &[]).await;
    move_to(&phone, middles(&shop).await[0]).await;
    phone.watch_pinned(&first).await;
    phone.sees("live-badge", "Rekaman").await;
    let is_hidden = "document.querySelector('[data-test=show-end]').hidden";
    phone.until("the end to make room", is_hidden, SOON).await;
    change(json!({"version": 3, "replay": null})).await;
    phone.until("the end", &format!("!{is_hidden}"), SOON).await;
    phone.until("no bar", "!document.querySelector('[data-test=replay-bar]')", SOON).await;
    phone.close().await;
}

#[tokio::test]
async fn replay_is_found_on_the_front_page_and_on_the_page_of_its_product() {
    let (shop, [first, _], _) = ended_show().await;
    let path = format!("/v1/streams/{}", shop.stream);
    let change = async |form: Value| shop.host.send(Method::PATCH, &path, &[], Some(form)).await.expect(200);
    let show = change(json!({"version": 1, "replay": CLIP})).await;
    let begins = show["started_at"].as_i64().unwrap() - BEGIN_S * 1_000;
    change(json!({"version": 2, "replay_started_at": begins})).await;
    let offer = shop.offer(&first).await;
    let (product, variant) = (offer["product"].as_str().unwrap().to_owned(), offer["variant"].clone());

    // Nothing is on sale in it: the page of the product links the moment that shows it.
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    phone.goto(&format!("{}/products/{product}?lang=en", shop.server.url)).await;
    let moment = named(&format!("moment-{}", shop.stream));
    phone.find(&moment).await;
    phone.screenshot("product-recording").await;
    assert_eq!(phone.faults(Window::Mobile, false).await, NONE, "the page of the product");
    let first_pin = shop.host.get(&shop.path("log")).await.expect(200)["pins"][0]["at"].as_i64().unwrap();
    let second = (first_pin - begins) / 1_000;
    phone.click(&moment).await;
    let plays = format!("document.querySelector('video')?.currentTime >= {second}");
    phone.until("the moment that shows the product", &plays, SOON).await;

    // It is on sale again, in the recording.
    let terms = json!({"variant": variant, "kind": "regular", "price": 900, "quantity": 2});
    let again = id(&shop.host.post(&shop.path("offers"), terms).await.expect(201));
    shop.host.post(&format!("/v1/offers/{again}/open"), json!({})).await.expect(200);
    phone.goto(&format!("{}/?lang=en", shop.server.url)).await;
    phone.find(&format!("section.recordings {}", named(&format!("show-{}", shop.stream)))).await;
    phone.sees(&format!("product-{again}"), "In a recording").await;
    phone.screenshot("shop-recordings").await;
    assert_eq!(phone.faults(Window::Mobile, false).await, NONE, "the front page");
    phone.goto(&format!("{}/products/{product}?lang=en", shop.server.url)).await;
    phone.sees(&format!("sale-{again}"), "Buy in the recording").await;
    phone.press(&format!("sale-{again}")).await;
    phone.until("the recording", "document.querySelector('#player').dataset.video === 'playing'", SOON).await;
    phone.find(&named("product-buy")).await;
    phone.assert_no_faults("the phone").await;
    phone.close().await;
}
