//! The video of a show: it plays in every browser, and comes back by itself for as long as the show is live.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::firefox::Firefox;
use crate::support::outside::live_video::{Encoder, LiveVideo};
use crate::support::outside::shop::{Shop, id, key, now_ms};
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
async fn video_whose_picture_stops_is_loaded_again_although_its_sound_goes_on() {
    let shop = Shop::demo(&[]).await;
    let video = LiveVideo::start().await;
    video.set(Encoder::Live);
    let (address, show) = show_with(&shop, &video.sound_without_picture()).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    phone.goto(&address).await;
    phone.until("the video", PLAYS, RETURNS).await;
    let sound = "document.querySelector('video').currentTime > 6";
    phone.press("tap-sound").await;
    phone.until("the sound to go on without the picture", sound, RETURNS).await;
    phone.until("words at the stall", &words("paused"), RETURNS).await;
    let counted = async || {
        let report = shop.host.get(&format!("/v1/streams/{show}/report")).await.expect(200);
        (report["video_faults"]["stall"].as_u64() > Some(0)).then_some(())
    };
    until_some("the fault in the report", SOON, counted).await;
    phone.until("the video again", PLAYS, RETURNS).await;
    let again = "document.querySelector('video').currentTime < 6 && !document.querySelector('video').muted";
    phone.until("its beginning, and the sound as it was", again, RETURNS).await;
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

/// Notes the moment, and the time code of the picture, at which the card of each offer is on the screen, and that of the chip.
const NOTE_TIMES: &str = "
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [180, 320];
    const sheet = canvas.getContext('2d', { willReadFrequently: true });
    window.codeMs = () => {
        const page = document.querySelector('[data-test=preview-page]')?.contentDocument ?? document;
        sheet.drawImage(page.querySelector('video'), 0, 0, 180, 320);
        const isOn = (place) => sheet.getImageData(12 + 24 * place, 12, 1, 1).data[1] > 127;
        return [0, 1, 2, 3, 4, 5, 6].reduce((sum, place) => sum + (isOn(place) ? 2 ** place : 0), 0) * 100;
    };
    window.cards = {};
    const card = document.querySelector('[data-test=card]'), chip = document.querySelector('[data-test=sale-chip]');
    const note = () => {
        const at = Date.now();
        if (!chip.hidden) window.chipAt ??= at;
        window.cards[card.dataset.offer] ??= { at, code: window.codeMs(), price: card.querySelector('.price').innerText };
    };
    new MutationObserver(note).observe(document.querySelector('#layout'), { attributes: true, subtree: true });";

/// The card of an offer, as the page noted it: when, at which time code, with which price.
async fn card_of(phone: &Browser, offer: &str) -> Value {
    phone.until("the card", &format!("window.cards['{offer}'] ?? null"), RETURNS).await
}

#[tokio::test]
async fn video_and_pin_are_in_time_and_nothing_else_waits() {
    let mut shop = Shop::demo(&["--hls-js", &hls_js()]).await;
    let video = LiveVideo::with_times().await;
    video.set(Encoder::Live);
    let address;
    (address, shop.stream) = show_with(&shop, &video.url).await;
    let first = shop.on_sale(9, json!({})).await;
    let sale = shop.draft(5, json!({"kind": "flash", "price": 123_400, "countdown_s": 10, "duration_s": 600})).await;
    let pin = async |offer: &str| shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    pin(&first).await;

    // This browser plays HLS itself, but would not tell when a picture was taken.
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    phone.goto(&address).await;
    phone.until("the video", PLAYS, RETURNS).await;
    phone.sees("card-left", "9 left").await;
    phone.script(NOTE_TIMES, &[]).await;

    let before = now_ms();
    shop.host.post(&format!("/v1/offers/{sale}/open"), json!({})).await.expect(200);
    pin(&sale).await;
    let after = now_ms();
    let buyer = shop.rest("ann", "viewer");
    buyer.post_keyed(&format!("/v1/offers/{first}/orders"), &key(), json!({"qty": 1})).await.expect(201);
    phone.sees("card-left", "8 left").await; // The card of before counts while the new one waits.
    let card = card_of(&phone, &sale).await;
    let seen_at = card["at"].as_i64().unwrap();
    let taken_at = video.taken_at(card["code"].as_i64().unwrap(), seen_at);
    println!(
        "the picture is {} ms behind, the card comes {} ms after its pin in the picture",
        seen_at - taken_at,
        taken_at - after
    );
    assert!(seen_at - after > 1_500, "the picture is seconds behind the camera, and the card is not: {card}");
    assert!(
        (before - 500..=after + 500).contains(&taken_at),
        "pinned at {before}–{after}, shown at {taken_at}: {card}"
    );
    assert!(card["price"].as_str().unwrap().contains("1,234"), "{card}");
    let chip_at = phone.script("return window.chipAt", &[]).await.as_i64().unwrap();
    assert!(
        chip_at - after < 1_000 && chip_at < seen_at,
        "an opening does not wait: {chip_at}, opened at {before}–{after}"
    );
    phone.until("the note of the pin", "document.querySelector('[data-test=note-pinned]')", SOON).await;
    phone.assert_no_faults("the phone").await;
    phone.close().await;

    // The console says how far the picture is behind.
    let host_page = shop.server.started["host_url"].as_str().unwrap().to_owned();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    host.goto(&host_page.replace(shop.server.stream(), &shop.stream)).await;
    let plays = PLAYS.replace("document.", "document.querySelector('[data-test=preview-page]').contentDocument.");
    host.until("the video in the preview", &plays, RETURNS).await;
    host.sees("picture-delay", "behind the camera").await;
    host.script(NOTE_TIMES.split("window.cards").next().unwrap(), &[]).await;
    let shown = "return { at: Date.now(), code: codeMs(), text: document.querySelector('[data-test=picture-delay]').innerText }";
    let shown = host.script(shown, &[]).await;
    let at = shown["at"].as_i64().unwrap();
    let measured = (at - video.taken_at(shown["code"].as_i64().unwrap(), at)) as f64 / 1000.0;
    let text = shown["text"].as_str().unwrap();
    let said: f64 =
        text.split(' ').find_map(|word| word.trim_matches(['\u{2068}', '\u{2069}']).parse().ok()).expect(text);
    assert!((said - measured).abs() <= 0.6, "the picture is {measured} s behind; the console: {text}");
    host.screenshot("host-picture-delay").await;
    host.assert_no_faults_except("the host", &["status of 404"]).await;
    host.close().await;
}

#[tokio::test]
async fn video_that_is_far_behind_holds_a_pin_for_ten_seconds_and_one_without_times_holds_none() {
    let mut shop = Shop::demo(&["--hls-js", &hls_js()]).await;
    let video = LiveVideo::start().await;
    video.set(Encoder::Live);
    let address;
    (address, shop.stream) = show_with(&shop, &video.url).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    // As Safari tells the time of a picture that it plays itself.
    let safari = "window.behindMs = NaN; HTMLMediaElement.prototype.getStartDate = function () {
        return new Date(Date.now() - window.behindMs - this.currentTime * 1000); };";
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": safari })).await;
    phone.goto(&address).await;
    phone.until("the video", PLAYS, RETURNS).await;
    let note = "window.cards = {}; const card = document.querySelector('[data-test=card]');
        new MutationObserver(() => (window.cards[card.dataset.offer] ??= Date.now())).observe(card, { attributes: true });";
    phone.script(note, &[]).await;
    for (behind, least, most) in [("NaN", 0, 1_500), ("3000", 2_500, 3_500), ("60000", 9_500, 11_000)] {
        phone.script(&format!("window.behindMs = {behind}"), &[]).await;
        let offer = shop.on_sale(3, json!({})).await;
        let pinned_at = now_ms();
        shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
        let waited = card_of(&phone, &offer).await.as_i64().unwrap() - pinned_at;
        assert!((least..=most).contains(&waited), "{behind} ms behind: the card came after {waited} ms");
    }
    let loaded = "return performance.getEntriesByType('resource').some((it) => it.name.includes('hls.js'))";
    assert_eq!(phone.script(loaded, &[]).await, json!(false), "a browser that tells the time loads no hls.js");
    phone.close().await;
}
