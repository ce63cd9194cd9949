//! Screens of viewers.

use serde_json::json;

use super::ScreenTest;
use crate::support::browser::SOON;
use crate::support::person::named;

/// Chat messages as viewers write them: short, long, mixed, in both writing directions.
const MESSAGES: [(&str, &str); 7] = [
    ("Ann", "Is it real cotton?"),
    ("بدر الدين", "كم السعر؟"),
    ("Sari", "Bisa COD ke Bandung?"),
    (
        "A very long name that hardly fits a line",
        "The last one I bought is still like new, two winters and forty washes later",
    ),
    ("ليلى", "هل يوجد مقاس XL باللون الأزرق؟"),
    ("Tom", "👍🏽👍🏽👍🏽"),
    ("Mina", "shop.example is not a link here, is it?"),
];

fn phase(phase: &str) -> String {
    format!("document.querySelector('[data-test=card]')?.dataset.phase === '{phase}'")
}

#[tokio::test]
async fn shop_page_and_a_live_show() {
    let run = ScreenTest::start().await;
    run.open("/", "").await;
    run.each(async |device| device.find("[data-test^=show-]").await).await;
    run.first_screen("shop").await;

    run.open(&format!("/watch?stream={}", run.server.stream()), "").await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.find(&named("card-title")).await).await;
    run.first_screen("show").await;

    let path = format!("/v1/streams/{}/messages", run.server.stream());
    for (name, text) in MESSAGES {
        run.new_viewer(name).await.post(&path, json!({"text": text})).await.expect(201);
    }
    run.host_post("messages", json!({"text": "Yes, all cotton, from Izmir."})).await;
    run.host_post("announcements", json!({"text": "Free delivery until midnight, everywhere"})).await;
    run.each(async |device| drop(device.sees("chat-list", "Izmir").await)).await;
    run.screen("show-chat").await;

    run.each(async |device| device.press("card-buy").await).await;
    run.each(async |device| device.find(&named("signin-name")).await).await;
    run.screen("sign-in").await;

    run.open_as_viewers(&format!("/watch?stream={}", run.server.stream())).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.screen("show-signed-in").await;
    run.follow_link_of(["Salma", "سلمى"], &format!("/watch?stream={}", run.server.stream())).await;
    run.each(async |device| device.find(&named("switch-stay")).await).await;
    run.screen("switch-person").await;
    run.each(async |device| device.press("switch-stay").await).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.host().put(&format!("/v1/streams/{}/chat", run.server.stream()), json!({"slow_s": 30})).await.expect(200);
    run.each(async |device| device.say("Slowly does it").await).await;
    run.screen("slow-mode").await;
    run.host().put(&format!("/v1/streams/{}/chat", run.server.stream()), json!({"slow_s": 0})).await.expect(200);
    let messages = run.host().get(&format!("{path}?limit=3")).await.expect(200);
    for line in messages["items"].as_array().unwrap().iter().filter(|line| line["text"] == "Slowly does it") {
        let mute = format!("/v1/streams/{}/mutes/{}", run.server.stream(), line["from"]["id"].as_str().unwrap());
        run.host().put(&mute, json!({"seconds": 600, "reason": "Please let others ask too"})).await.expect(200);
    }
    let muted = "document.querySelector('[data-test=chat-reason]')";
    run.each(async |device| drop(device.until("the reason", muted, SOON).await)).await;
    run.screen("muted").await;
    run.each(async |device| device.press("share").await).await;
    run.each(async |device| device.find(&named("share-sheet")).await).await;
    run.screen("share").await;
    let coming = run.server.rest().get("/v1/streams?status=scheduled").await.expect(200);
    let coming = coming["items"][0]["id"].as_str().unwrap().to_owned();
    run.open(&format!("/watch?stream={coming}"), "").await;
    run.each(async |device| device.wait_until_live().await).await;
    run.first_screen("show-scheduled").await;
    run.end().await;
}

#[tokio::test]
async fn purchase_from_the_card_to_the_paid_order() {
    let run = ScreenTest::start().await;
    run.open_as_viewers(&format!("/watch?stream={}", run.server.stream())).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.click(".card-face").await).await;
    run.each(async |device| device.find(&named("product-buy")).await).await;
    run.screen("product").await;
    run.each(async |device| device.press("product-buy").await).await;
    run.each(async |device| device.find(&named("order-place")).await).await;
    run.screen("checkout").await;
    run.each(async |device| device.press("pay").await).await;
    run.screen("checkout-address-missing").await;
    run.each(async |device| device.fill_address().await).await;
    run.each(async |device| device.choose("payment-declined").await).await;
    run.each(async |device| device.press("pay").await).await;
    run.each(async |device| device.find(&named("pay-error")).await).await;
    run.screen("checkout-declined").await;
    run.each(async |device| device.choose("payment-ok").await).await;
    run.each(async |device| device.press("pay").await).await;
    let paid = "document.querySelector('[data-test=order-status]')?.dataset.status === 'paid'";
    run.each(async |device| drop(device.until("a paid order", paid, SOON).await)).await;
    run.screen("order-paid").await;
    run.each(async |device| device.press("order-done").await).await;
    run.each(async |device| {
        // The product list is a sheet on a phone and always open on a desktop.
        let is_closed =
            "return !document.querySelector('[data-test=tab-mine]').checkVisibility({ visibilityProperty: true })";
        if device.script(is_closed, &[]).await == json!(true) {
            device.press("product-list-open").await;
        }
        device.press("tab-all").await;
    })
    .await;
    run.screen("product-list").await;
    run.each(async |device| device.press("tab-mine").await).await;
    run.screen("my-orders").await;
    run.open("/orders", "").await;
    run.each(async |device| device.find("[data-test^=order-]").await).await;
    run.first_screen("orders").await;
    run.end().await;
}

#[tokio::test]
async fn flash_sale_from_the_countdown_to_the_end() {
    let run = ScreenTest::start().await;
    run.open(&format!("/watch?stream={}", run.server.stream()), "").await;
    run.each(async |device| device.wait_until_live().await).await;
    let flash = run.flash(0, json!({"countdown_s": 20})).await;
    run.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    run.pin(&flash).await;
    run.each(async |device| drop(device.until("the countdown", &phase("soon"), SOON).await)).await;
    run.screen("flash-soon").await;
    run.each(async |device| drop(device.until("the sale", &phase("live"), 2 * SOON).await)).await;
    run.screen("flash-live").await;

    let buy = format!("/v1/offers/{flash}/orders");
    let mut held = Vec::new();
    for n in 0..4 {
        let buyer = run.new_viewer(&format!("Buyer {n}")).await;
        let qty = if n == 3 { 4 } else { 5 };
        let order = buyer.post_keyed(&buy, &format!("screens-{n}"), json!({"qty": qty})).await.expect(201);
        held.push((buyer, order["id"].as_str().unwrap().to_owned()));
    }
    run.each(async |device| drop(device.until("low stock", &phase("low"), SOON).await)).await;
    run.screen("flash-low").await;
    let last = run.new_viewer("Last").await;
    let order = last.post_keyed(&buy, "screens-last", json!({"qty": 1})).await.expect(201);
    held.push((last, order["id"].as_str().unwrap().to_owned()));
    run.each(async |device| drop(device.until("sold out for now", &phase("sold_out_for_now"), SOON).await)).await;
    run.screen("flash-sold-out-for-now").await;
    for (n, (buyer, order)) in held.iter().enumerate() {
        let pay = format!("/v1/orders/{order}/pay");
        buyer.post_keyed(&pay, &format!("screens-pay-{n}"), json!({"token": "ok"})).await.expect(200);
    }
    run.each(async |device| drop(device.until("sold out", &phase("sold_out"), SOON).await)).await;
    run.screen("flash-sold-out").await;
    run.host().post(&format!("/v1/offers/{flash}/close"), json!({})).await.expect(200);
    run.each(async |device| drop(device.until("the end of the sale", &phase("ended"), SOON).await)).await;
    run.screen("flash-ended").await;
    run.host_post("end", json!({})).await;
    run.each(async |device| {
        let ended = "document.querySelector('[data-test=live-badge]').dataset.status === 'ended'";
        drop(device.until("the end of the show", ended, SOON).await);
    })
    .await;
    run.screen("show-ended").await;
    run.end().await;
}
