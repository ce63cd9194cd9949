//! A helper joins by an invite link and is disconnected when it is revoked; and the report of a show that has ended.

use serde_json::json;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::outside::rest::Rest;
use crate::support::outside::shop::id;
use crate::support::person::named;

/// The elements of sales figures on the screen; a moderator must see none of them.
const SALES: &str = "[...document.querySelectorAll('[data-test^=figure-orders], [data-test^=figure-sales], [data-test=lineup], \
    [data-test=trend], [data-test=activity], [data-test=report-open], [data-test=start-end], [data-test=team-open]')]\
    .filter((it) => it.checkVisibility()).map((it) => it.dataset.test)";

#[tokio::test]
async fn moderator_sees_no_sales_and_is_disconnected_when_the_invite_is_revoked() {
    let server = Server::demo().await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    host.goto(server.started["host_url"].as_str().unwrap()).await;
    host.wait_until_live().await;
    host.press("team-open").await;
    host.press("team-invite").await;
    host.find(&named("invite-link")).await;
    let link = host.script("return document.querySelector('[data-test=invite-link]').value", &[]).await;
    host.screenshot("host-team").await;

    let mo = Browser::open(&driver, Window::Mobile, "en").await;
    mo.goto(link.as_str().unwrap()).await;
    mo.find(&named("invite-name")).await;
    mo.screenshot("team-invite").await;
    assert_eq!(mo.script("return location.hash", &[]).await, json!(""), "the invite code is removed from the address");
    mo.fill(&named("invite-name"), "Mo").await;
    mo.press("invite-accept").await;
    mo.wait_until_live().await;
    mo.until("the role of the moderator", "document.body.dataset.role === 'moderator'", SOON).await;
    assert_eq!(mo.script(&format!("return {SALES}"), &[]).await, json!([]));
    mo.say("I am here to help").await;
    // The tools of a message say why a moderator cannot mute a producer.
    let pia = server.rest().with_token(&server.token("Pia", "producer").await);
    let path = format!("/v1/streams/{}/messages", server.started["stream"].as_str().unwrap());
    pia.post(&path, json!({"text": "I sell here"})).await.expect(201);
    mo.sees("chat-list", "I sell here").await;
    let tools = "[...document.querySelectorAll('#chat-list .line')].find((it) => it.innerText.includes('I sell here'))\
        .querySelector('.line-more').click()";
    mo.script(tools, &[]).await;
    mo.sees("msg-outranked", "rank below you").await;
    assert_eq!(mo.script("return document.querySelectorAll('[data-test=msg-ban]').length", &[]).await, json!(0));
    mo.screenshot("team-moderator").await;
    mo.resize(Window::Desktop).await;
    assert_eq!(mo.script(&format!("return {SALES}"), &[]).await, json!([]));
    mo.screenshot("team-moderator-desktop").await;
    mo.resize(Window::Mobile).await;
    mo.assert_no_faults("the moderator").await;

    host.press("team-close").await;
    host.press("team-open").await;
    host.sees("team-list", "Mo").await;
    host.sees("team-used", "used 1 of 1").await;
    host.screenshot("host-team-helper").await;
    let revoke = "document.querySelector('[data-test^=\"revoke-\"]').dataset.test";
    let revoke = host.until("the invite", revoke, SOON).await;
    host.press(revoke.as_str().unwrap()).await;
    host.press("confirm-yes").await;
    mo.until(
        "the end of the connection",
        "document.querySelector('[data-test=conn]').dataset.status === 'closed'",
        SOON,
    )
    .await;
    mo.screenshot("team-out").await;
    mo.goto(link.as_str().unwrap()).await;
    mo.press("switch-go").await;
    mo.find(&named("invite-name")).await;
    mo.fill(&named("invite-name"), "Mo").await;
    mo.press("invite-accept").await;
    mo.sees("invite-alert", "no longer valid").await;
    host.assert_no_faults("the host").await;
}

/// Runs a show with one pin, one paid order and one message, and ends it.
async fn ended_show(server: &Server) -> (String, String) {
    let token = server.started["host_token"].as_str().unwrap().to_owned();
    let host = server.rest().with_token(&token);
    let stream =
        id(&host.post("/v1/streams", json!({"title": "Evening", "titles": {"ar": "أمسية"}})).await.expect(201));
    let path = |rest: &str| format!("/v1/streams/{stream}/{rest}");
    host.post(&path("start"), json!({})).await.expect(200);
    let product =
        json!({"title": "Lamp", "titles": {"ar": "سراج"}, "variants": [{"name": "Blue", "price": 4_900, "stock": 9}]});
    let variant = id(&host.post("/v1/products", product).await.expect(201)["variants"][0]);
    let form = json!({"variant": variant, "kind": "regular", "price": 4_900, "quantity": 5});
    let offer = id(&host.post(&path("offers"), form).await.expect(201));
    host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    host.put(&path("pin"), json!({"offer": offer})).await.expect(200);
    place_and_pay(&server.rest().with_token(&server.token("Ann", "viewer").await), &offer).await;
    host.post(&path("messages"), json!({"text": "Thank you all"})).await.expect(201);
    host.post(&path("end"), json!({})).await.expect(200);
    (stream, token)
}

async fn place_and_pay(buyer: &Rest, offer: &str) {
    let held = buyer.post_keyed(&format!("/v1/offers/{offer}/orders"), "key-00001", json!({"qty": 2})).await;
    let order = held.body["order"]["id"].as_str().or(held.body["id"].as_str()).unwrap().to_owned();
    buyer.post_keyed(&format!("/v1/orders/{order}/pay"), "key-00002", json!({"token": "ok"})).await.expect(200);
}

#[tokio::test]
async fn host_reads_the_report_of_an_ended_show() {
    let server = Server::demo().await;
    let driver = Driver::start();
    let (stream, token) = ended_show(&server).await;
    let console = format!("{}/host?stream={stream}#token={token}", server.url);
    for (window, language, shot) in first_or_all([
        (Window::Mobile, "ar", "host-report-ar"),
        (Window::Mobile, "en", "host-report-phone"),
        (Window::Desktop, "en", "host-report"),
    ]) {
        let host = Browser::open(&driver, window, language).await;
        host.goto(&console).await;
        // The console of an ended show opens its report without a press.
        host.find(&named("report-plot")).await;
        host.settle().await;
        host.screenshot(shot).await;
        assert_eq!(host.text(&named("report-orders")).await, "1");
        assert_eq!(host.text(&named("report-units")).await, "2");
        assert!(host.text(&named("report-sales")).await.contains("98"));
        host.sees("report-offers", if language == "ar" { "سراج" } else { "Lamp" }).await;
        host.sees("report-pins", if language == "ar" { "سراج" } else { "Lamp" }).await;
        host.press("report-csv").await;
        let pressed = "!document.querySelector('[data-test=report-csv]').disabled";
        host.until("the download", pressed, SOON).await;
        assert_eq!(host.text(&named("toasts")).await, "", "no error message");
        host.assert_no_faults("the host").await;
        host.press("report-sheet-close").await;
        host.press("report-open").await;
        host.find(&named("report-plot")).await;
    }
}

#[tokio::test]
async fn producer_of_one_show_sees_why_products_are_locked() {
    let server = Server::demo().await;
    let driver = Driver::start();
    let host = server.rest().with_token(server.started["host_token"].as_str().unwrap());
    let stream = server.started["stream"].as_str().unwrap();
    let made = host.post(&format!("/v1/streams/{stream}/invites"), json!({"role": "producer"})).await.expect(201);
    let pia = Browser::open(&driver, Window::Desktop, "en").await;
    pia.goto(&format!("{}/host?stream={stream}#invite={}", server.url, made["code"].as_str().unwrap())).await;
    pia.fill(&named("invite-name"), "Pia").await;
    pia.press("invite-accept").await;
    pia.wait_until_live().await;
    pia.until("the role of the producer", "document.body.dataset.role === 'producer'", SOON).await;
    pia.press_at("#add-offer").await;
    pia.sees("catalogue-locked", "whole shop").await;
    let locked = "return document.querySelector('[data-test=new-product]').disabled";
    assert_eq!(pia.script(locked, &[]).await, json!(true));
    pia.screenshot("team-producer-catalogue").await;
    pia.assert_no_faults("the producer").await;
}
