//! Screens of the host.

use serde_json::json;

use super::ScreenTest;
use crate::support::browser::SOON;
use crate::support::outside::shop::id;
use crate::support::person::named;

#[tokio::test]
async fn console_before_during_and_after_a_sale() {
    let run = ScreenTest::start_on_a_desktop().await;
    let token = format!("#token={}", run.host_token());
    run.open("/host", &token).await;
    run.each(async |device| device.find("#shows:not([hidden]) [data-test^=show-]").await).await;
    run.first_screen("host-shows").await;
    run.open(&format!("/host?stream={}", run.server.stream()), &token).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.find("[data-test=lineup] li").await).await;
    run.first_screen("host").await;
    run.each(async |device| device.press("add-offer").await).await;
    run.each(async |device| device.find("[data-test^=\"variant-\"]").await).await;
    run.screen("host-catalogue").await;
    run.each(async |device| device.click("[data-test^=\"variant-\"]").await).await;
    run.each(async |device| device.choose("offer-kind-flash").await).await;
    run.screen("host-flash").await;
    run.each(async |device| device.fill(&named("offer-countdown"), "9").await).await;
    run.each(async |device| device.fill(&named("offer-quantity"), "100000").await).await;
    run.each(async |device| device.press("offer-start").await).await;
    run.each(async |device| device.find(&named("error-offer-countdown")).await).await;
    run.screen("host-flash-errors").await;
    run.open(&format!("/host?stream={}", run.server.stream()), &token).await;
    run.each(async |device| device.wait_until_live().await).await;

    let flash = run.flash(0, json!({"countdown_s": 10})).await;
    run.pin(&flash).await;
    run.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    let running = "document.querySelector('[data-test=now-clock]')";
    run.each(async |device| drop(device.until("the clock of the running sale", running, SOON).await)).await;
    run.screen("host-sale").await;

    let badr = run.new_viewer("بدر").await;
    let path = format!("/v1/streams/{}/messages", run.server.stream());
    badr.post(&path, json!({"text": "هل يوجد لون أزرق؟"})).await.expect(201);
    run.each(async |device| {
        if device.script("return innerWidth < 720", &[]).await == json!(true) {
            device.press("part-people").await;
        }
        drop(device.sees("chat-list", "أزرق").await);
    })
    .await;
    run.screen("host-people").await;
    let offer = run.server.started["offers"][1]["id"].as_str().expect("an offer").to_owned();
    let order = badr.post_keyed(&format!("/v1/offers/{offer}/orders"), "screens-badr", json!({"qty": 1})).await;
    let pay = format!("/v1/orders/{}/pay", id(&order.expect(201)));
    badr.post_keyed(&pay, "screens-badr-pays", json!({"token": "ok"})).await.expect(200);
    run.each(async |device| {
        if device.script("return innerWidth < 720", &[]).await == json!(true) {
            device.press("part-numbers").await;
        }
        device.sees("activity", "بدر").await;
    })
    .await;
    run.screen("host-numbers").await;
    run.each(async |device| device.press("team-open").await).await;
    run.screen("host-team").await;
    run.host_post("end", json!({})).await;
    run.open(&format!("/host?stream={}", run.server.stream()), &token).await;
    run.each(async |device| device.find("dialog[open]").await).await;
    run.screen("host-report").await;
    run.end().await;
}

#[tokio::test]
async fn chat_moderation_screens_of_the_team() {
    let run = ScreenTest::start_on_a_desktop().await;
    let token = format!("#token={}", run.host_token());
    let chat = format!("/v1/streams/{}/chat", run.server.stream());
    run.host().put(&chat, json!({"review_all": true})).await.expect(200);
    let path = format!("/v1/streams/{}/messages", run.server.stream());
    let badr = run.new_viewer("بدر").await;
    let pending = badr.post(&path, json!({"text": "هل يوجد لون أزرق؟"})).await;
    assert_eq!(pending.body["pending_review"], json!(true), "{pending:?}");
    run.host_post("messages", json!({"text": "Questions are read in a minute"})).await;
    run.open(&format!("/host?stream={}", run.server.stream()), &token).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| {
        if device.script("return innerWidth < 720", &[]).await == json!(true) {
            device.press("part-people").await;
        }
        device.press("chat-tab-review").await;
        drop(device.sees("review-list", "أزرق").await);
    })
    .await;
    run.screen("host-review").await;
    run.each(async |device| device.press("chat-tab-audit").await).await;
    run.screen("host-audit-log").await;
    run.each(async |device| device.press("rules").await).await;
    run.each(async |device| device.find("dialog[open]").await).await;
    run.screen("host-rules").await;
    run.end().await;
}

#[tokio::test]
async fn console_of_a_scheduled_and_of_an_ended_show() {
    let run = ScreenTest::start_on_a_desktop().await;
    let token = format!("#token={}", run.host_token());
    let titles = json!({"ar": "أمسية الخميس", "id": "Malam Kamis"});
    let made = run.host().post("/v1/streams", json!({"title": "Thursday evening", "titles": titles})).await.expect(201);
    let stream = made["id"].as_str().expect("an id").to_owned();
    run.open(&format!("/host?stream={stream}"), &token).await;
    run.each(async |device| device.find("[data-test=check-video]").await).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.screen("host-checklist").await;
    run.each(async |device| device.press("team-open").await).await;
    run.each(async |device| device.press("team-invite").await).await;
    run.each(async |device| device.find("[data-test=team-list] li").await).await;
    run.screen("host-team").await;
    for verb in ["start", "end"] {
        run.host().post(&format!("/v1/streams/{stream}/{verb}"), json!({})).await.expect(200);
    }
    run.open(&format!("/host?stream={stream}"), &token).await;
    run.each(async |device| device.find("[data-test=report-csv]").await).await;
    run.screen("host-report-empty").await;
    run.end().await;
}

#[tokio::test]
async fn helper_in_each_role_and_the_message_tools() {
    let run = ScreenTest::start_on_a_desktop().await;
    let path = format!("/v1/streams/{}/messages", run.server.stream());
    for (name, text) in [("بدر", "هل يوجد لون أزرق؟"), ("Ann", "Lovely"), ("Tom", "Does it shrink?")] {
        run.new_viewer(name).await.post(&path, json!({"text": text})).await.expect(201);
    }
    for role in ["moderator", "analyst", "producer"] {
        let made = run.host_post("invites", json!({"role": role, "uses": 20})).await;
        let code = made["code"].as_str().unwrap_or_else(|| panic!("no invite: {made}")).to_owned();
        run.open(&format!("/host?stream={}", run.server.stream()), &format!("#invite={code}")).await;
        run.each(async |device| device.find(&named("invite-name")).await).await;
        if role == "moderator" {
            run.screen("host-invited").await;
        }
        run.each(async |device| device.fill(&named("invite-name"), "Mo").await).await;
        run.each(async |device| device.press("invite-accept").await).await;
        run.each(async |device| device.wait_until_live().await).await;
        let has_role = format!("document.body.dataset.role === '{role}'");
        run.each(async |device| drop(device.until("the role", &has_role, SOON).await)).await;
        run.screen(&format!("host-as-{role}")).await;
        if role != "moderator" {
            continue;
        }
        run.each(async |device| device.press("chat-tab-questions").await).await;
        run.screen("host-questions").await;
        run.each(async |device| {
            device.press("chat-tab-all").await;
            let open = "const line = [...document.querySelectorAll('#chat-list .line')].find((it) => it.innerText.includes('shrink'));
                line.scrollIntoView({ block: 'center' }); line.querySelector('.line-more').click()";
            device.script(open, &[]).await;
            device.find(".line-tools").await;
        })
        .await;
        run.screen("host-line-tools").await;
    }
    run.end().await;
}

#[tokio::test]
async fn upcoming_sales_a_stopped_sale_and_a_rehearsal() {
    let run = ScreenTest::start_on_a_desktop().await;
    let token = format!("#token={}", run.host_token());
    let now = run.host().get(&format!("/v1/streams/{}", run.server.stream())).await.expect(200);
    let at = now["now"].as_i64().expect("a time") + 3_600_000;
    run.flash(1, json!({"starts_at": at})).await;
    run.flash(2, json!({})).await;
    run.open(&format!("/host?stream={}", run.server.stream()), &token).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.find("[data-test=upcoming-sales] li").await).await;
    run.screen("host-upcoming-sales").await;
    let flash = run.flash(0, json!({"countdown_s": 10})).await;
    run.pin(&flash).await;
    run.host().post(&format!("/v1/offers/{flash}/open"), json!({})).await.expect(200);
    run.each(async |device| device.find(&named("now-clock")).await).await;
    run.each(async |device| device.press("now-stop").await).await;
    run.each(async |device| device.find(&named("confirm-yes")).await).await;
    run.screen("host-stop").await;

    let coming = run.host().get("/v1/streams?status=scheduled").await.expect(200);
    let coming = coming["items"][0]["id"].as_str().expect("a scheduled show").to_owned();
    run.open(&format!("/host?stream={coming}"), &token).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.press("rehearse-open").await).await;
    run.each(async |device| device.find(&named("rehearse-begin")).await).await;
    run.screen("rehearsal").await;
    run.each(async |device| device.fill(&named("rehearse-viewers"), "0").await).await;
    run.each(async |device| device.press("rehearse-begin").await).await;
    run.screen("rehearsal-error").await;
    let path = format!("/v1/streams/{coming}/rehearsal");
    run.host().post(&path, json!({"viewers": 10, "seconds": 24})).await;
    run.open(&format!("/host?stream={coming}"), &token).await;
    run.each(async |device| device.wait_until_live().await).await;
    run.each(async |device| device.press("rehearse-open").await).await;
    let status = |is: &str| format!("document.querySelector('[data-test=rehearse-status]')?.dataset.status === '{is}'");
    run.each(async |device| drop(device.until("the rehearsal", &status("running"), SOON).await)).await;
    run.screen("rehearsal-running").await;
    let over = "['passed', 'failed'].includes(document.querySelector('[data-test=rehearse-status]')?.dataset.status)";
    run.each(async |device| drop(device.until("the end of the rehearsal", over, 6 * SOON).await)).await;
    let said = "(() => { const it = document.querySelector('[data-test=rehearse-status]');
        return it.dataset.status === 'failed' || it.innerText.includes('10'); })()";
    run.each(async |device| drop(device.until("how many viewers the result is about", said, SOON).await)).await;
    let time = "/\\d/.test(document.querySelector('.rehearsal-figures dd').innerText)";
    run.each(async |device| drop(device.until("how long it took", time, SOON).await)).await;
    run.each(async |device| device.click(".rehearsal-checked summary").await).await;
    run.screen("rehearsal-ended").await;
    run.end().await;
}
