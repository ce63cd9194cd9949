//! What somebody sees who only starts the demo: a video that plays on and on, and simulated viewers who talk.

use std::time::Duration;

use serde_json::json;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::firefox::Firefox;
use crate::support::outside::process::Process;
use crate::support::outside::shop::{Shop, id};

const PLAYS: &str = "document.querySelector('#player').dataset.video === 'playing'";
const NEAR_THE_END: &str = "const video = document.querySelector('video'); video.currentTime = video.duration - 0.4";
const BEGAN_AGAIN: &str = "(({ currentTime, duration }) => currentTime > 0.5 && currentTime < duration / 2)\
    (document.querySelector('video'))";
const TALK: Duration = Duration::from_secs(60);

#[tokio::test]
async fn demo_opens_with_a_video_that_repeats_and_viewers_who_talk() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["demo", "--listen", "127.0.0.1:0", "--data", "data"];
    let mut process = Process::livesouk(&args, folder.path());
    let address = |line: &str| line.trim().strip_prefix("Viewer ").map(|link| link.trim().to_owned());
    let address = process.line("address for viewers", SOON, address).await;
    let driver = Driver::start();
    for (window, language, name) in
        first_or_all([(Window::Mobile, "ar", "phone-ar"), (Window::Desktop, "en", "desktop-en")])
    {
        let browser = Browser::open(&driver, window, language).await;
        browser.goto(&format!("{address}&lang={language}")).await;
        browser.until("the video", PLAYS, SOON).await;
        browser.until("a simulated viewer", "/\\((demo|تجريبي)\\)/.test(document.body.innerText)", TALK).await;
        browser.screenshot(&format!("demo-{name}")).await;
        browser.script(NEAR_THE_END, &[]).await;
        browser.until("the video from its beginning", BEGAN_AGAIN, SOON).await;
        assert_eq!(browser.script(&format!("return {PLAYS}"), &[]).await, json!(true));
        browser.close().await;
    }
}

#[tokio::test]
async fn video_of_the_demo_repeats_in_firefox_without_a_fault() {
    let shop = Shop::demo(&[]).await;
    let show = json!({"title": "With the video of the demo", "video": "/assets/demo/show.mp4"});
    let show = id(&shop.host.post("/v1/streams", show).await.expect(201));
    shop.host.post(&format!("/v1/streams/{show}/start"), json!({})).await.expect(200);
    let mut firefox = Firefox::open().await;
    firefox.goto(&format!("{}/watch?stream={show}&lang=en", shop.server.url)).await;
    firefox.until("the video", PLAYS, SOON).await;
    let again = format!("(() => {{ {NEAR_THE_END}; return true; }})()");
    firefox.until("a jump to the end", &again, SOON).await;
    firefox.until("the video from its beginning", BEGAN_AGAIN, SOON).await;
    let report = shop.host.get(&format!("/v1/streams/{show}/report")).await.expect(200);
    assert!(report["video_faults"].as_object().unwrap().values().all(|count| count == 0), "{report}");
}
