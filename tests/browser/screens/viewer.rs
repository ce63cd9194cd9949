//! What viewers see.

use serde_json::json;

use super::Walk;
use crate::support::browser::SOON;
use crate::support::person::named;

/// Talk as it is: short, long, mixed, in both directions.
const TALK: [(&str, &str); 7] = [
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
async fn the_shop_and_a_show_that_is_watched() {
    let walk = Walk::begin().await;
    walk.open("/", "").await;
    walk.each(async |eye| eye.find("[data-test^=show-]").await).await;
    walk.first_screen("shop").await;

    walk.open(&format!("/watch?stream={}", walk.server.stream()), "").await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.find(&named("card-title")).await).await;
    walk.first_screen("show").await;

    // Talk: the mixed, the long and the short.
    let path = format!("/v1/streams/{}/messages", walk.server.stream());
    for (name, text) in TALK {
        walk.somebody(name).await.post(&path, json!({"text": text})).await.expect(201);
    }
    walk.host_does("messages", json!({"text": "Yes, all cotton, from Izmir."})).await;
    walk.host_does("announcements", json!({"text": "Free delivery until midnight, everywhere"})).await;
    walk.each(async |eye| drop(eye.sees("chat-list", "Izmir").await)).await;
    walk.screen("show-talk").await;

    walk.each(async |eye| eye.press("card-buy").await).await;
    walk.each(async |eye| eye.find(&named("signin-name")).await).await;
    walk.screen("sign-in").await;

    walk.open_as_viewers(&format!("/watch?stream={}", walk.server.stream())).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.screen("show-signed-in").await;
    walk.host().put(&format!("/v1/streams/{}/chat", walk.server.stream()), json!({"slow_s": 30})).await.expect(200);
    walk.each(async |eye| eye.say("Slowly does it").await).await;
    walk.screen("slow-mode").await;
    walk.host().put(&format!("/v1/streams/{}/chat", walk.server.stream()), json!({"slow_s": 0})).await.expect(200);
    let said = walk.host().get(&format!("{path}?limit=3")).await.expect(200);
    for line in said["items"].as_array().unwrap().iter().filter(|line| line["text"] == "Slowly does it") {
        let mute = format!("/v1/streams/{}/mutes/{}", walk.server.stream(), line["from"]["id"].as_str().unwrap());
        walk.host().put(&mute, json!({"seconds": 600, "reason": "Please let others ask too"})).await.expect(200);
    }
    let muted = "document.querySelector('[data-test=chat-reason]')";
    walk.each(async |eye| drop(eye.until("the reason", muted, SOON).await)).await;
    walk.screen("muted").await;
    walk.each(async |eye| eye.press("share").await).await;
    walk.each(async |eye| eye.find(&named("share-sheet")).await).await;
    walk.screen("share").await;
    let coming = walk.server.rest().get("/v1/streams?status=scheduled").await.expect(200);
    let coming = coming["items"][0]["id"].as_str().unwrap().to_owned();
    walk.open(&format!("/watch?stream={coming}"), "").await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.first_screen("show-to-come").await;
    walk.end().await;
}

#[tokio::test]
async fn a_purchase_from_the_card_to_the_order() {
    let walk = Walk::begin().await;
    walk.open_as_viewers(&format!("/watch?stream={}", walk.server.stream())).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.click(".card-face").await).await;
    walk.each(async |eye| eye.find(&named("product-buy")).await).await;
    walk.screen("product").await;
    walk.each(async |eye| eye.press("product-buy").await).await;
    walk.each(async |eye| eye.find(&named("order-place")).await).await;
    walk.screen("checkout").await;
    walk.each(async |eye| eye.press("pay").await).await;
    walk.screen("checkout-address-missing").await;
    walk.each(async |eye| eye.fill_address().await).await;
    walk.each(async |eye| eye.choose("payment-declined").await).await;
    walk.each(async |eye| eye.press("pay").await).await;
    walk.each(async |eye| eye.find(&named("pay-error")).await).await;
    walk.screen("checkout-declined").await;
    walk.each(async |eye| eye.choose("payment-ok").await).await;
    walk.each(async |eye| eye.press("pay").await).await;
    let paid = "document.querySelector('[data-test=order-status]')?.dataset.status === 'paid'";
    walk.each(async |eye| drop(eye.until("a paid order", paid, SOON).await)).await;
    walk.screen("order-paid").await;
    walk.each(async |eye| eye.press("order-done").await).await;
    walk.each(async |eye| {
        // The bag is a sheet on a phone and always open on a desktop.
        let shut =
            "return !document.querySelector('[data-test=tab-mine]').checkVisibility({ visibilityProperty: true })";
        if eye.script(shut, &[]).await == json!(true) {
            eye.press("bag").await;
        }
        eye.press("tab-all").await;
    })
    .await;
    walk.screen("bag").await;
    walk.each(async |eye| eye.press("tab-mine").await).await;
    walk.screen("my-orders").await;
    walk.open("/orders", "").await;
    walk.each(async |eye| eye.find("[data-test^=order-]").await).await;
    walk.first_screen("orders").await;
    walk.end().await;
}

#[tokio::test]
async fn a_flash_sale_from_the_countdown_to_the_end() {
    let walk = Walk::begin().await;
    walk.open(&format!("/watch?stream={}", walk.server.stream()), "").await;
    walk.each(async |eye| eye.is_live().await).await;
    let flash = walk.flash(0, json!({"countdown_s": 20})).await;
    walk.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    walk.pin(&flash).await;
    walk.each(async |eye| drop(eye.until("the countdown", &phase("soon"), SOON).await)).await;
    walk.screen("flash-soon").await;
    walk.each(async |eye| drop(eye.until("the sale", &phase("live"), 2 * SOON).await)).await;
    walk.screen("flash-live").await;

    let buy = format!("/v1/offers/{flash}/orders");
    let mut held = Vec::new();
    for n in 0..4 {
        let buyer = walk.somebody(&format!("Buyer {n}")).await;
        let qty = if n == 3 { 4 } else { 5 };
        let order = buyer.post_keyed(&buy, &format!("screens-{n}"), json!({"qty": qty})).await.expect(201);
        held.push((buyer, order["id"].as_str().unwrap().to_owned()));
    }
    walk.each(async |eye| drop(eye.until("the last ones", &phase("low"), SOON).await)).await;
    walk.screen("flash-low").await;
    let last = walk.somebody("Last").await;
    let order = last.post_keyed(&buy, "screens-last", json!({"qty": 1})).await.expect(201);
    held.push((last, order["id"].as_str().unwrap().to_owned()));
    walk.each(async |eye| drop(eye.until("sold out for now", &phase("sold_out_for_now"), SOON).await)).await;
    walk.screen("flash-sold-out-for-now").await;
    for (n, (buyer, order)) in held.iter().enumerate() {
        let pay = format!("/v1/orders/{order}/pay");
        buyer.post_keyed(&pay, &format!("screens-pay-{n}"), json!({"token": "ok"})).await.expect(200);
    }
    walk.each(async |eye| drop(eye.until("sold out", &phase("sold_out"), SOON).await)).await;
    walk.screen("flash-sold-out").await;
    walk.host().post(&format!("/v1/offers/{flash}/close"), json!({})).await.expect(200);
    walk.each(async |eye| drop(eye.until("the end of the sale", &phase("ended"), SOON).await)).await;
    walk.screen("flash-ended").await;
    walk.host_does("end", json!({})).await;
    walk.each(async |eye| {
        let ended = "document.querySelector('[data-test=live-badge]').dataset.status === 'ended'";
        drop(eye.until("the end of the show", ended, SOON).await);
    })
    .await;
    walk.screen("show-ended").await;
    walk.end().await;
}
