//! Hearts, emoji, the page of a host, and the choice among variants, on the page of a viewer.

use serde_json::json;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::person::named;

#[tokio::test]
async fn emoji_of_one_viewer_rise_for_another() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let people = [("Ann", Window::Mobile), ("Bob", Window::Desktop)].map(async |(name, window)| {
        let page = Browser::open_with_motion(&driver, window, "en").await;
        let token = shop.token(name, "viewer");
        page.goto(&format!("{}/watch?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
        page.wait_until_live().await;
        page
    });
    let [ann, bob] = futures_util::future::join_all(people).await.try_into().ok().unwrap();
    ann.press("heart").await;
    ann.find(&format!("{}:not([hidden])", named("emoji"))).await;
    bob.until("the heart of Ann", "document.querySelector('#likes').innerText === '1'", SOON).await;
    // What rises is gone after a moment, so it is remembered.
    let remember = "window.rose = []; new MutationObserver((all) => all.forEach((it) => it.addedNodes.forEach((node) =>
        window.rose.push(node.dataset.kind)))).observe(document.querySelector('#hearts'), { childList: true })";
    bob.script(remember, &[]).await;
    for _ in 0..3 {
        ann.press("emoji-fire").await;
    }
    bob.until("three flames", "window.rose.filter((kind) => kind === 'fire').length === 3", SOON).await;
    bob.until("all of them in the count", "document.querySelector('#likes').innerText === '4'", SOON).await;
    assert_eq!(
        bob.script("return window.rose.includes('heart')", &[]).await,
        json!(false),
        "no flame rises as a heart"
    );
    ann.screenshot("reactions-phone").await;
    for (who, page) in [("Ann", ann), ("Bob", bob)] {
        page.assert_no_faults(who).await;
        page.close().await;
    }
}

/// What is at the middle of each of these, of those that are on the screen.
const AT: &str = "return arguments[0].filter((css) => {
    const node = document.querySelector(css), box = node.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return !top || !(node.contains(top) || top.contains(node));
});";

#[tokio::test]
async fn emoji_stand_beside_the_chat_and_cover_neither_its_field_nor_buy() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let page = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    let mut faults = Vec::new();
    for language in first_or_all(["ar", "en"]) {
        for (width, height, is_phone) in [(390, 844, true), (320, 568, true), (844, 390, true), (1440, 900, false)] {
            page.resize_to(width, height, is_phone).await;
            page.goto("about:blank").await;
            let address = format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream);
            page.goto(&address).await;
            page.wait_until_live().await;
            page.find(&named("card-buy")).await;
            page.press("heart").await;
            page.find(&format!("{}:not([hidden])", named("emoji"))).await;
            page.settle().await;
            let wanted = [
                "emoji-clap",
                "emoji-fire",
                "emoji-laugh",
                "emoji-wow",
                "chat-input",
                "chat-send",
                "card-buy",
                "heart",
            ];
            let covered = page.script(AT, &[json!(wanted.map(named))]).await;
            if covered != json!([]) {
                faults.push(format!("{language} {width} × {height}: {covered}"));
            }
            page.screenshot(&format!("emoji-{language}-{width}")).await;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // By keyboard: the heart, and the emoji above it.
    page.script("document.querySelector('#heart').focus()", &[]).await;
    let key = json!({"type": "keyDown", "key": "ArrowUp", "code": "ArrowUp"});
    page.devtools("Input.dispatchKeyEvent", key).await;
    page.until("the first emoji", "document.activeElement.dataset.test === 'emoji-clap'", SOON).await;
    page.assert_no_faults("the page").await;
    page.close().await;
}

#[tokio::test]
async fn show_leads_to_the_other_shows_of_its_host() {
    let shop = Shop::demo(&[]).await;
    let form = json!({"title": "Night of lamps", "host": "Someone else"});
    let other = id(&shop.host.post("/v1/streams", form).await.expect(201));
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.goto(&format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream)).await;
    ann.wait_until_live().await;
    ann.press("host-link").await;
    ann.find(&named(&format!("show-{}", shop.stream))).await;
    let name = shop.server.rest().get(&format!("/v1/streams/{}", shop.stream)).await.expect(200)["host"].clone();
    ann.sees("host-name", name.as_str().unwrap()).await;
    let others = ann.count(&named(&format!("show-{other}"))).await;
    assert_eq!(others, 0, "the shows of other hosts are not there");
    ann.screenshot("host-shows").await;
    ann.assert_no_faults("Ann").await;
    ann.goto(&format!("{}/hosts/Nobody?lang=en", shop.server.url)).await;
    ann.sees("host-empty", "There are no shows with").await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}

#[tokio::test]
async fn variants_of_a_product_are_one_row_with_a_choice() {
    let shop = Shop::demo(&[]).await;
    let products = shop.host.get("/v1/products").await.expect(200);
    let mug =
        products["items"].as_array().unwrap().iter().find(|it| it["variants"].as_array().unwrap().len() > 1).unwrap();
    let mut offers = Vec::new();
    for (index, variant) in mug["variants"].as_array().unwrap().iter().take(2).enumerate() {
        let price = 1_000 + 500 * index;
        let form = json!({"variant": variant["id"], "kind": "regular", "price": price, "quantity": 1, "per_buyer": 1});
        let offer = id(&shop.host.post(&shop.path("offers"), form).await.expect(201));
        shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        offers.push(offer);
    }
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    let token = shop.token("Ann", "viewer");
    ann.goto(&format!("{}/watch?stream={}&lang=en#token={token}", shop.server.url, shop.stream)).await;
    ann.wait_until_live().await;
    ann.press("product-list-open").await;
    let choice = named(&format!("variants-{}", mug["id"].as_str().unwrap()));
    let row = |offer: &str| format!("{}:not([hidden])", named(&format!("offer-{offer}")));
    ann.find(&choice).await;
    assert!(ann.count(&row(&offers[0])).await + ann.count(&row(&offers[1])).await <= 1, "one row for both");
    let pick = "const [css, id] = arguments; const list = document.querySelector(css); list.value = id;
        list.dispatchEvent(new Event('change'))";
    ann.script(pick, &[json!(choice), json!(offers[1])]).await;
    ann.find(&row(&offers[1])).await;
    ann.sees(&format!("offer-{}", offers[1]), "15").await;
    // Another buyer takes the last one: the list says so, and the row offers the stock alert.
    let path = format!("/v1/offers/{}/orders", offers[1]);
    shop.rest("Bob", "viewer").post_keyed(&path, "bob-takes-the-last-one", json!({"qty": 1})).await.expect(201);
    let option =
        format!("document.querySelector('{choice} option[value=\"{}\"]').text.includes('All reserved')", offers[1]);
    ann.until("the option that is gone", &option, SOON).await;
    ann.screenshot("variants-phone").await;
    ann.assert_no_faults("Ann").await;
    ann.close().await;
}
