//! Chat moderation in the pages: the moderated viewer, the team on a desktop and on a phone, and strings that try to break the
//! page. Screenshots go to `target/screens`.

use std::sync::Arc;

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::person::named;

async fn demo(more: &[&str]) -> Server {
    Server::demo_in(Arc::new(tempfile::tempdir().expect("a temporary folder")), more).await
}

/// Console errors that belong to refused messages.
const REFUSED: [&str; 3] = ["status of 422", "status of 403", "status of 429"];

/// Presses a button in the first row of a list, where several rows have buttons of the same name.
async fn press_first(browser: &Browser, row: &str, name: &str) {
    let css = format!("[data-test={row}]:first-child [data-test={name}]");
    browser.press_at(&css).await;
}

/// Opens the show of the demo as a signed-in viewer.
async fn viewer(driver: &Driver, server: &Server, name: &str, language: &str) -> Browser {
    let browser = Browser::open(driver, Window::Mobile, language).await;
    let token = server.rest().post("/v1/dev/tokens", json!({"name": name, "role": "viewer"})).await.expect(201);
    let token = token["token"].as_str().unwrap();
    browser.goto(&format!("{}/watch?stream={}&lang={language}#token={token}", server.url, server.stream())).await;
    browser.wait_until_live().await;
    browser.until("the sign-in", "document.querySelector('[data-test=chat-input]').readOnly === false", SOON).await;
    browser
}

async fn type_and_send(browser: &Browser, text: &str) {
    let is_enabled = "!document.querySelector('[data-test=chat-send]').disabled";
    browser.until("the send button", is_enabled, SOON).await;
    browser.fill(&named("chat-input"), text).await;
    browser.click_enabled(&named("chat-send")).await;
}

/// Opens the tools of the message with this text.
async fn tools(host: &Browser, text: &str) {
    let find =
        "[...document.querySelectorAll('#chat-list .line')].find((line) => line.innerText.includes(arguments[0]))";
    host.until(text, &find.replace("arguments[0]", &json!(text).to_string()), SOON).await;
    let open = format!(
        "const line = {find}; line.scrollIntoView({{ block: 'center' }}); line.querySelector('.line-more').click()"
    );
    host.script(&open, &[json!(text)]).await;
    host.find(".line-tools").await;
}

#[tokio::test]
async fn moderated_viewer_reads_the_reason_and_others_no_longer_see_the_messages() {
    let mut server = demo(&["--chat-per-second", "0"]).await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    host.goto(server.started["host_url"].as_str().unwrap()).await;
    host.wait_until_live().await;
    let ann = viewer(&driver, &server, "Ann", "en").await;
    let badr = viewer(&driver, &server, "بدر", "ar").await;

    // A question is answered and pinned.
    ann.say("is it cotton?").await;
    badr.say("كم السعر؟").await;
    badr.say("جميل").await;
    tools(&host, "is it cotton?").await;
    host.press("msg-reply").await;
    type_and_send(&host, "yes, all of it").await;
    ann.sees("chat-reply", "is it cotton?").await;
    tools(&host, "is it cotton?").await;
    host.screenshot("chat-tools").await;
    host.press("msg-pin").await;
    for browser in [&host, &ann, &badr] {
        browser.sees("pinned-comment", "is it cotton?").await;
    }
    host.press("chat-tab-questions").await;
    let shown = "[...document.querySelectorAll('#chat-list .line')].filter((line) => line.offsetParent).length === 2";
    host.until("the two questions alone", shown, SOON).await;
    host.screenshot("chat-questions").await;
    host.press("chat-tab-all").await;

    // Review: only the author sees the message, faded, until the team decides.
    host.press("rules").await;
    host.press("rule-review_all").await;
    host.press("blocked-word-add").await;
    host.fill(&named("blocked-word"), "scam").await;
    host.press("blocklist-save").await;
    host.find(&named("blocklist-saved")).await;
    host.screenshot("chat-rules").await;
    host.press("rules-sheet-close").await;
    type_and_send(&ann, "see my shop").await;
    ann.sees("chat-pending", "Waiting for review").await;
    ann.screenshot("chat-pending").await;
    type_and_send(&ann, "what a SCÂM").await;
    ann.sees("toast", "word").await;
    type_and_send(&badr, "اشتروا مني").await;
    host.until(
        "two messages in the review queue",
        "document.querySelector('[data-test=review-count]').innerText === '2'",
        SOON,
    )
    .await;
    assert!(!badr.text(&named("chat-list")).await.contains("see my shop"));
    host.press("chat-tab-review").await;
    host.screenshot("chat-review-host").await;
    press_first(&host, "review-row", "review-approve").await;
    badr.sees("chat-list", "see my shop").await;
    ann.until("the message to leave the review queue", "!document.querySelector('[data-test=chat-pending]')", SOON)
        .await;
    press_first(&host, "review-row", "review-reject").await;
    badr.sees("chat-list", "لم تتم الموافقة على رسالتك").await;

    // A mute with a reason removes the older messages, and the chat field shows the reason.
    host.press("chat-tab-all").await;
    tools(&host, "see my shop").await;
    host.fill(&named("msg-reason"), "no advertising").await;
    host.press("msg-mute-10").await;
    badr.until(
        "the messages of the muted viewer to go",
        "!document.querySelector('[data-test=chat-list]').innerText.includes('see my shop')",
        SOON,
    )
    .await;
    badr.until("the pinned comment to go", "!document.querySelector('[data-test=pinned-comment]')", SOON).await;
    let shows_reason = "document.querySelector('[data-test=chat-input]').placeholder.includes('no advertising')";
    ann.until("the reason in the field", shows_reason, SOON).await;
    ann.sees("chat-reason", "no advertising").await;
    ann.screenshot("chat-muted").await;
    let cem = viewer(&driver, &server, "Cem", "id").await;
    assert!(!cem.text(&named("chat-list")).await.contains("see my shop"));
    ann.reload().await;
    ann.until("the reason after a reload", shows_reason, SOON).await;
    host.press("chat-tab-audit").await;
    host.sees("audit-mute", "no advertising").await;
    host.screenshot("chat-audit-log").await;

    // The host turns the chat off on a phone, in Arabic.
    host.resize(Window::Mobile).await;
    host.goto(&format!("{}/host?stream={}&lang=ar", server.url, server.stream())).await;
    host.wait_until_live().await;
    host.press("part-people").await;
    host.screenshot("chat-host-phone-ar").await;
    host.press("rules").await;
    host.press("rule-off").await;
    host.screenshot("chat-rules-phone-ar").await;
    badr.until("the chat field to be read-only", "document.querySelector('[data-test=chat-input]').readOnly", SOON)
        .await;
    badr.screenshot("chat-off-ar").await;
    for (browser, who) in [(&host, "host"), (&ann, "Ann"), (&badr, "Badr"), (&cem, "Cem")] {
        browser.assert_no_faults_except(who, &REFUSED).await;
    }
    for browser in [host, ann, badr, cem] {
        browser.close().await;
    }
    server.stop().await;
}

/// Strings that people type in order to break a page.
const NASTY: &str = include_str!("../corpus/strings.json");

#[tokio::test]
async fn no_string_breaks_the_page_or_its_chat_line() {
    let mut server = demo(&["--chat-per-second", "0", "--room-chat-per-second", "0"]).await;
    let host = server.rest().with_token(server.started["host_token"].as_str().unwrap());
    let driver = Driver::start();
    let strings: Vec<String> = serde_json::from_str(NASTY).unwrap();
    let page = Browser::open(&driver, Window::Mobile, "en").await;
    for language in ["en", "ar"] {
        page.goto("about:blank").await;
        page.goto(&format!("{}/watch?stream={}&lang={language}", server.url, server.stream())).await;
        page.wait_until_live().await;
        page.script("window.harmed = 0; window.alert = () => { window.harmed++; }", &[]).await;
        let path = format!("/v1/streams/{}/messages", server.stream());
        for (n, text) in strings.iter().enumerate() {
            let answer = host.post(&path, json!({ "text": text })).await;
            assert!(answer.status == 201 || answer.status == 400, "{text:?}: {answer:?}");
            if answer.status == 400 {
                continue;
            }
            let id = answer.body["id"].as_str().unwrap().to_owned();
            let line = format!("[data-id=\"{id}\"]");
            page.find(&line).await;
            let measured = page
                .script(
                    "const line = document.querySelector(arguments[0]); const list = line.parentNode;
                    const text = line.querySelector('.text');
                    const height = parseFloat(getComputedStyle(line).lineHeight);
                    return {
                        lines: line.getBoundingClientRect().height / height, children: text.children.length,
                        wide: list.scrollWidth - list.clientWidth, page: document.documentElement.scrollWidth - innerWidth,
                        spills: getComputedStyle(line).overflow, harmed: window.harmed, characters: text.textContent.length,
                    }",
                    &[json!(line)],
                )
                .await;
            let number = |name: &str| measured[name].as_f64().unwrap_or(f64::MAX);
            // 200 wide characters on a phone need about 14 lines; a chat line is cut off at 14 em.
            assert!(number("lines") <= 12.0, "{n} {text:?} is {measured}");
            assert_eq!((number("children"), number("harmed")), (0.0, 0.0), "{n} {text:?} became markup: {measured}");
            assert!(number("wide") <= 0.0 && number("page") <= 0.0, "{n} {text:?} is too wide: {measured}");
            assert!(measured["spills"] != "visible" && number("characters") > 0.0, "{n} {text:?}: {measured}");
        }
        page.screenshot(&format!("chat-nasty-{language}")).await;
        page.assert_no_faults_except(language, &REFUSED).await;
    }
    page.close().await;
    server.stop().await;
}
