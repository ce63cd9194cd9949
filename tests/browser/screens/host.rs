//! What the host sees.

use serde_json::json;

use super::Walk;
use crate::support::browser::SOON;
use crate::support::outside::shop::id;
use crate::support::person::named;

#[tokio::test]
async fn the_console_through_an_evening() {
    let walk = Walk::begin().await;
    let token = format!("#token={}", walk.host_token());
    walk.open("/host", &token).await;
    walk.each(async |eye| eye.find("[data-test^=show-]").await).await;
    walk.first_screen("host-shows").await;
    walk.open(&format!("/host?stream={}", walk.server.stream()), &token).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.find("[data-test=rundown] li").await).await;
    walk.first_screen("host").await;
    walk.each(async |eye| eye.press("add-offer").await).await;
    walk.each(async |eye| eye.find("[data-test^=\"variant-\"]").await).await;
    walk.screen("host-catalogue").await;
    walk.each(async |eye| eye.click("[data-test^=\"variant-\"]").await).await;
    walk.each(async |eye| eye.choose("offer-kind-flash").await).await;
    walk.screen("host-flash").await;
    walk.each(async |eye| eye.fill(&named("offer-countdown"), "9").await).await;
    walk.each(async |eye| eye.fill(&named("offer-quantity"), "100000").await).await;
    walk.each(async |eye| eye.press("offer-start").await).await;
    walk.each(async |eye| eye.find(&named("error-offer-countdown")).await).await;
    walk.screen("host-flash-errors").await;
    walk.open(&format!("/host?stream={}", walk.server.stream()), &token).await;
    walk.each(async |eye| eye.is_live().await).await;

    let flash = walk.flash(0, json!({"countdown_s": 10})).await;
    walk.pin(&flash).await;
    walk.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    let running = "document.querySelector('[data-test=now-clock]')";
    walk.each(async |eye| drop(eye.until("the running sale", running, SOON).await)).await;
    walk.screen("host-sale").await;

    let badr = walk.somebody("بدر").await;
    let path = format!("/v1/streams/{}/messages", walk.server.stream());
    badr.post(&path, json!({"text": "هل يوجد لون أزرق؟"})).await.expect(201);
    walk.each(async |eye| {
        if eye.script("return innerWidth < 720", &[]).await == json!(true) {
            eye.press("part-people").await;
        }
        drop(eye.sees("chat-list", "أزرق").await);
    })
    .await;
    walk.screen("host-people").await;
    let offer = walk.server.started["offers"][1]["id"].as_str().expect("an offer").to_owned();
    let order = badr.post_keyed(&format!("/v1/offers/{offer}/orders"), "screens-badr", json!({"qty": 1})).await;
    let pay = format!("/v1/orders/{}/pay", id(&order.expect(201)));
    badr.post_keyed(&pay, "screens-badr-pays", json!({"token": "ok"})).await.expect(200);
    walk.each(async |eye| {
        if eye.script("return innerWidth < 720", &[]).await == json!(true) {
            eye.press("part-numbers").await;
        }
        eye.sees("feed", "بدر").await;
    })
    .await;
    walk.screen("host-numbers").await;
    walk.each(async |eye| eye.press("team-open").await).await;
    walk.screen("host-team").await;
    walk.host_does("end", json!({})).await;
    walk.open(&format!("/host?stream={}", walk.server.stream()), &token).await;
    walk.each(async |eye| eye.find("dialog[open]").await).await;
    walk.screen("host-report").await;
    walk.end().await;
}

#[tokio::test]
async fn the_talk_as_the_team_keeps_it() {
    let walk = Walk::begin().await;
    let token = format!("#token={}", walk.host_token());
    let chat = format!("/v1/streams/{}/chat", walk.server.stream());
    walk.host().put(&chat, json!({"hold_all": true})).await.expect(200);
    let path = format!("/v1/streams/{}/messages", walk.server.stream());
    let badr = walk.somebody("بدر").await;
    let waits = badr.post(&path, json!({"text": "هل يوجد لون أزرق؟"})).await;
    assert_eq!(waits.body["held"], json!(true), "{waits:?}");
    walk.host_does("messages", json!({"text": "Questions are read in a minute"})).await;
    walk.open(&format!("/host?stream={}", walk.server.stream()), &token).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| {
        if eye.script("return innerWidth < 720", &[]).await == json!(true) {
            eye.press("part-people").await;
        }
        eye.press("chat-tab-held").await;
        drop(eye.sees("held-list", "أزرق").await);
    })
    .await;
    walk.screen("host-held").await;
    walk.each(async |eye| eye.press("chat-tab-log").await).await;
    walk.screen("host-log").await;
    walk.each(async |eye| eye.press("rules").await).await;
    walk.each(async |eye| eye.find("dialog[open]").await).await;
    walk.screen("host-rules").await;
    walk.end().await;
}

#[tokio::test]
async fn what_a_host_does_before_and_after_an_evening() {
    let walk = Walk::begin().await;
    let token = format!("#token={}", walk.host_token());
    let titles = json!({"ar": "أمسية الخميس", "id": "Malam Kamis"});
    let made =
        walk.host().post("/v1/streams", json!({"title": "Thursday evening", "titles": titles})).await.expect(201);
    let stream = made["id"].as_str().expect("an id").to_owned();
    walk.open(&format!("/host?stream={stream}"), &token).await;
    walk.each(async |eye| eye.find("[data-test=check-video]").await).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.screen("host-before").await;
    walk.each(async |eye| eye.press("team-open").await).await;
    walk.each(async |eye| eye.press("team-invite").await).await;
    walk.each(async |eye| eye.find("[data-test=team-list] li").await).await;
    walk.screen("host-team").await;
    for verb in ["start", "end"] {
        walk.host().post(&format!("/v1/streams/{stream}/{verb}"), json!({})).await.expect(200);
    }
    walk.open(&format!("/host?stream={stream}"), &token).await;
    walk.each(async |eye| eye.find("[data-test=report-csv]").await).await;
    walk.screen("host-report-empty").await;
    walk.end().await;
}

#[tokio::test]
async fn a_helper_in_each_role_and_the_tools_of_a_message() {
    let walk = Walk::begin().await;
    let path = format!("/v1/streams/{}/messages", walk.server.stream());
    for (name, text) in [("بدر", "هل يوجد لون أزرق؟"), ("Ann", "Lovely"), ("Tom", "Does it shrink?")] {
        walk.somebody(name).await.post(&path, json!({"text": text})).await.expect(201);
    }
    for role in ["moderator", "analyst", "producer"] {
        let made = walk.host_does("invites", json!({"role": role})).await;
        let code = made["code"].as_str().unwrap_or_else(|| panic!("no invite: {made}")).to_owned();
        walk.open(&format!("/host?stream={}", walk.server.stream()), &format!("#invite={code}")).await;
        walk.each(async |eye| eye.find(&named("invite-name")).await).await;
        if role == "moderator" {
            walk.screen("host-invited").await;
        }
        walk.each(async |eye| eye.fill(&named("invite-name"), "Mo").await).await;
        walk.each(async |eye| eye.press("invite-accept").await).await;
        walk.each(async |eye| eye.is_live().await).await;
        let there = format!("document.body.dataset.role === '{role}'");
        walk.each(async |eye| drop(eye.until("the role", &there, SOON).await)).await;
        walk.screen(&format!("host-as-{role}")).await;
        if role != "moderator" {
            continue;
        }
        walk.each(async |eye| eye.press("chat-tab-questions").await).await;
        walk.screen("host-questions").await;
        walk.each(async |eye| {
            eye.press("chat-tab-all").await;
            let open = "const line = [...document.querySelectorAll('#chat-list .line')].find((it) => it.innerText.includes('shrink'));
                line.scrollIntoView({ block: 'center' }); line.querySelector('.line-more').click()";
            eye.script(open, &[]).await;
            eye.find(".line-tools").await;
        })
        .await;
        walk.screen("host-line-tools").await;
    }
    walk.end().await;
}

#[tokio::test]
async fn sales_that_wait_a_stop_and_a_rehearsal() {
    let walk = Walk::begin().await;
    let token = format!("#token={}", walk.host_token());
    let now = walk.host().get(&format!("/v1/streams/{}", walk.server.stream())).await.expect(200);
    let at = now["now"].as_i64().expect("a time") + 3_600_000;
    walk.flash(1, json!({"starts_at": at})).await;
    walk.flash(2, json!({})).await;
    walk.open(&format!("/host?stream={}", walk.server.stream()), &token).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.find("[data-test=queue] li").await).await;
    walk.screen("host-queue").await;
    let flash = walk.flash(0, json!({"countdown_s": 10})).await;
    walk.pin(&flash).await;
    walk.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    walk.each(async |eye| eye.find(&named("now-clock")).await).await;
    walk.each(async |eye| eye.press("now-stop").await).await;
    walk.each(async |eye| eye.find(&named("confirm-yes")).await).await;
    walk.screen("host-stop").await;

    let coming = walk.host().get("/v1/streams?status=scheduled").await.expect(200);
    let coming = coming["items"][0]["id"].as_str().expect("a show to come").to_owned();
    walk.open(&format!("/host?stream={coming}"), &token).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.press("rehearse-open").await).await;
    walk.each(async |eye| eye.find(&named("rehearse-begin")).await).await;
    walk.screen("rehearsal").await;
    walk.each(async |eye| eye.fill(&named("rehearse-viewers"), "0").await).await;
    walk.each(async |eye| eye.press("rehearse-begin").await).await;
    walk.screen("rehearsal-error").await;
    let path = format!("/v1/streams/{coming}/rehearsal");
    walk.host().post(&path, json!({"viewers": 10, "seconds": 24})).await;
    walk.open(&format!("/host?stream={coming}"), &token).await;
    walk.each(async |eye| eye.is_live().await).await;
    walk.each(async |eye| eye.press("rehearse-open").await).await;
    let status = |is: &str| format!("document.querySelector('[data-test=rehearse-status]')?.dataset.status === '{is}'");
    walk.each(async |eye| drop(eye.until("the rehearsal", &status("running"), SOON).await)).await;
    walk.screen("rehearsal-running").await;
    let over = "['passed', 'failed'].includes(document.querySelector('[data-test=rehearse-status]')?.dataset.status)";
    walk.each(async |eye| drop(eye.until("its end", over, 6 * SOON).await)).await;
    walk.screen("rehearsal-ended").await;
    walk.end().await;
}
