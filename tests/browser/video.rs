//! The video of a show: it plays in every browser, and comes back by itself for as long as the show is live.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::firefox::Firefox;
use crate::support::outside::live_video::{Encoder, LiveVideo};
use crate::support::outside::shop::{Shop, id};
use crate::support::outside::until_some;

/// A stall is noticed after eight seconds, and the pauses between the attempts grow to fifteen.
const RETURNS: Duration = Duration::from_secs(60);
const PLAYS: &str = "document.querySelector('#player').dataset.video === 'playing'";
/// For Chromium, which plays HLS itself: a browser that cannot.
const WITHOUT_HLS: &str = "HTMLMediaElement.prototype.canPlayType = (kind) => (/mpegurl/i.test(kind) ? '' : 'maybe')";

/// The file of hls.js that `scripts/hls-js` fetches.
fn hls_js() -> String {
    let path = std::env::var_os("LIVESOUK_TEST_HLS_JS").map(PathBuf::from);
    path.expect("LIVESOUK_TEST_HLS_JS names the file of hls.js; see scripts/test").display().to_string()
}

/// A live show with this video; returns its address.
async fn show_with(shop: &Shop, video: &str) -> (String, String) {
    let show = id(&shop.host.post("/v1/streams", json!({"title": "With a video", "video": video})).await.expect(201));
    shop.host.post(&format!("/v1/streams/{show}/start"), json!({})).await.expect(200);
    (format!("{}/watch?stream={show}&lang=en", shop.server.url), show)
}

fn words(part: &str) -> String {
    format!(
        "!document.querySelector('[data-test=video-words]').hidden
            && document.querySelector('[data-test=video-words]').innerText.includes('{part}')"
    )
}

/// A phone, before its first page, that plays HLS only with hls.js.
async fn phone_without_hls(driver: &Driver) -> Browser {
    let phone = Browser::open(driver, Window::Mobile, "en").await;
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WITHOUT_HLS })).await;
    phone
}

/// The encoder starts late, stops for a while, and returns; viewers do nothing.
async fn starts_late_stalls_and_returns(phone: &Browser, shop: &Shop, name: &str) {
    let video = LiveVideo::start().await;
    let (address, show) = show_with(shop, &video.url).await;
    phone.goto(&address).await;
    phone.until("words before the first picture", &words("starts in a moment"), SOON).await;
    video.set(Encoder::Live);
    phone.until("the video", PLAYS, RETURNS).await;
    phone.until("no words", "document.querySelector('[data-test=video-words]').hidden", SOON).await;
    let covers = "getComputedStyle(document.querySelector('video')).objectFit === 'cover'";
    phone.until("an upright picture to cover the phone", covers, SOON).await;
    phone.screenshot(&format!("video-plays-{name}")).await;

    video.freeze();
    phone.until("words at the stall", &words("paused"), RETURNS).await;
    phone.screenshot(&format!("video-stalled-{name}")).await;
    video.set(Encoder::Absent);
    let faults = async || {
        let report = shop.host.get(&format!("/v1/streams/{show}/report")).await.expect(200);
        let faults = &report["video_faults"];
        (faults["playlist"].as_u64() > Some(0) && faults["stall"].as_u64() > Some(0)).then_some(())
    };
    until_some("faults in the report of the host", RETURNS, faults).await;
    video.set(Encoder::Live);
    phone.until("the video to come back", PLAYS, RETURNS).await;
    phone.press("tap-sound").await;
    phone.until("sound after one tap", "!document.querySelector('video').muted", SOON).await;
}

#[tokio::test]
async fn video_with_hls_js_starts_late_stalls_and_returns() {
    let shop = Shop::demo(&["--hls-js", &hls_js()]).await;
    let driver = Driver::start();
    let phone = phone_without_hls(&driver).await;
    starts_late_stalls_and_returns(&phone, &shop, "hls-js").await;
    let loaded = "performance.getEntriesByType('resource').some((it) => it.name.includes('/assets/hls.js?v='))";
    phone.until("hls.js to be what plays", loaded, SOON).await;
    phone.assert_no_faults_except("the phone", &["net::ERR_", "WebSocket", "status of 404"]).await;
    phone.close().await;
}

#[tokio::test]
async fn video_of_the_browser_itself_starts_late_stalls_and_returns() {
    let shop = Shop::demo(&["--hls-js", &hls_js()]).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    starts_late_stalls_and_returns(&phone, &shop, "native").await;
    let loaded = "return performance.getEntriesByType('resource').some((it) => it.name.includes('hls.js'))";
    assert_eq!(phone.script(loaded, &[]).await, json!(false), "a browser that plays HLS loads no hls.js");
    phone.close().await;
}

#[tokio::test]
async fn video_plays_in_firefox() {
    let shop = Shop::demo(&["--hls-js", &hls_js()]).await;
    let video = LiveVideo::start().await;
    video.set(Encoder::Live);
    let (address, _) = show_with(&shop, &video.url).await;
    let mut firefox = Firefox::open().await;
    firefox.goto(&address).await;
    firefox.until("the video", PLAYS, RETURNS).await;
    let moves = "document.querySelector('video').currentTime > 1 && document.querySelector('video').videoWidth === 180";
    firefox.until("a picture that moves", moves, SOON).await;
    video.freeze();
    firefox.until("words at the stall", &words("paused"), RETURNS).await;
    video.set(Encoder::Live);
    firefox.until("the video to come back", PLAYS, RETURNS).await;
}

#[tokio::test]
async fn video_without_hls_js_is_words_and_a_link() {
    let shop = Shop::demo(&[]).await;
    let video = LiveVideo::start().await;
    video.set(Encoder::Live);
    let (address, show) = show_with(&shop, &video.url).await;
    let driver = Driver::start();
    let phone = phone_without_hls(&driver).await;
    phone.goto(&address).await;
    phone.until("words", &words("can’t play the video here"), SOON).await;
    let link = "return document.querySelector('[data-test=video-link]').href";
    assert_eq!(phone.script(link, &[]).await, json!(video.url));
    phone.screenshot("video-link").await;
    let counted = async || {
        let report = shop.host.get(&format!("/v1/streams/{show}/report")).await.expect(200);
        (report["video_faults"]["unsupported"] == 1).then_some(())
    };
    until_some("the fault in the report", SOON, counted).await;
    phone.close().await;
}

#[tokio::test]
async fn video_is_given_up_when_the_show_has_ended() {
    let shop = Shop::demo(&["--hls-js", &hls_js()]).await;
    let video = LiveVideo::start().await;
    let (address, show) = show_with(&shop, &video.url).await;
    let driver = Driver::start();
    let phone = phone_without_hls(&driver).await;
    phone.goto(&address).await;
    phone.until("words", &words("starts in a moment"), SOON).await;
    shop.host.post(&format!("/v1/streams/{show}/end"), json!({})).await.expect(200);
    let rests = "document.querySelector('#player').dataset.video === 'none'
        && document.querySelector('[data-test=video-words]').hidden";
    phone.until("the placeholder", rests, SOON).await;
    phone.close().await;
}
