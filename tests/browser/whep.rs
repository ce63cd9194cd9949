//! Video with low delay: the page plays it by WebRTC, falls back to HLS, and comes back.

use std::time::Duration;

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::outside::until_some;
use crate::support::outside::whep_server::WhepServer;

/// A fault is noticed after some seconds, and the page tries again with growing pauses.
const RETURNS: Duration = Duration::from_secs(60);
const PLAYS: &str = "document.querySelector('#player').dataset.video === 'playing'";
const BY_WEBRTC: &str =
    "document.querySelector('video').srcObject !== null && document.querySelector('video').videoWidth === 180";
/// What plays where WHEP does not. A file starts at once, also by a clock that runs fast.
const CLIP: &str = "/assets/demo/show.mp4";
/// The pauses before WHEP is tried again, made short: the page measures them by this clock.
const HASTE: &str = "const now = performance.now.bind(performance); performance.now = () => now() * 8;";

async fn show_with(shop: &Shop, media: &WhepServer, video: Option<&str>) -> String {
    let show =
        id(&shop.host.post("/v1/streams", json!({"title": "Close to the camera", "video": video})).await.expect(201));
    let form = json!({"version": 1, "whep": media.url(&show)});
    shop.host.send(reqwest::Method::PATCH, &format!("/v1/streams/{show}"), &[], Some(form)).await.expect(200);
    shop.host.post(&format!("/v1/streams/{show}/start"), json!({})).await.expect(200);
    show
}

#[tokio::test]
async fn video_with_low_delay_falls_back_to_the_other_address_and_comes_back() {
    let shop = Shop::demo(&[]).await;
    let media = WhepServer::start(&shop.server.url).await;
    let show = show_with(&shop, &media, Some(CLIP)).await;
    media.set_live(true).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": HASTE })).await;
    phone.goto(&format!("{}/watch?stream={show}&lang=en", shop.server.url)).await;
    phone.until("the video", PLAYS, RETURNS).await;
    phone.until("the picture by WebRTC", BY_WEBRTC, SOON).await;
    phone.screenshot("video-whep").await;
    assert_eq!(media.sessions().await, 1);

    media.set_live(false).await;
    phone.until("the other address", "document.querySelector('video').srcObject === null", RETURNS).await;
    phone.until("the other video", PLAYS, RETURNS).await;
    media.set_live(true).await;
    phone.until("WebRTC again", BY_WEBRTC, RETURNS).await;
    phone.goto("about:blank").await;
    let ended = async || (media.sessions().await == 0).then_some(());
    until_some("end of the session", RETURNS, ended).await;
    phone.close().await;
}

/// A network that lets a browser reach TURN servers only: it has no other candidates.
const ONLY_RELAYED: &str = "const Peer = RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
        constructor(settings) { super({ ...settings, iceTransportPolicy: 'relay' }); }
    };";

#[tokio::test]
async fn video_with_low_delay_comes_by_the_turn_server_that_the_answer_names() {
    let shop = Shop::demo(&[]).await;
    let media = WhepServer::start(&shop.server.url).await;
    let show = show_with(&shop, &media, Some(CLIP)).await;
    media.set_live(true).await;
    media.name_a_turn_server().await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    phone.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": ONLY_RELAYED })).await;
    phone.goto(&format!("{}/watch?stream={show}&lang=en", shop.server.url)).await;
    phone.until("the picture by WebRTC", BY_WEBRTC, RETURNS).await;
    phone.until("the video", PLAYS, RETURNS).await;
    assert!(media.relayed().await > 0, "the picture came by the server that the answer named");
    assert_eq!(media.sessions().await, 1, "the session of the first offer was ended");
    phone.close().await;
}

#[tokio::test]
async fn video_with_low_delay_whose_picture_stops_falls_back_although_its_sound_goes_on() {
    let shop = Shop::demo(&[]).await;
    let media = WhepServer::start(&shop.server.url).await;
    let show = show_with(&shop, &media, Some(CLIP)).await;
    media.set_live(true).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "en").await;
    phone.goto(&format!("{}/watch?stream={show}&lang=en", shop.server.url)).await;
    phone.until("the picture by WebRTC", BY_WEBRTC, RETURNS).await;
    let tracks = "document.querySelector('video').srcObject.getTracks().map((it) => it.kind).sort().join()";
    phone.until("picture and sound", &format!("{tracks} === 'audio,video'"), SOON).await;
    phone.press("tap-sound").await;
    phone.until("sound after one tap", "!document.querySelector('video').muted", SOON).await;
    media.stop_the_picture().await;
    phone.until("the other address", "document.querySelector('video').srcObject === null", RETURNS).await;
    phone.until("the other video", PLAYS, RETURNS).await;
    phone.until("the sound as it was", "!document.querySelector('video').muted", SOON).await;
    phone.close().await;
}

#[tokio::test]
async fn video_with_low_delay_is_refused_to_who_has_no_token() {
    let shop = Shop::demo(&[]).await;
    let media = WhepServer::start(&shop.server.url).await;
    media.set_live(true).await;
    let show = show_with(&shop, &media, None).await;
    let http = reqwest::Client::new();
    let ask = async |token: &str| {
        let request = http.post(media.url(&show)).header("content-type", "application/sdp");
        let request = request.header("authorization", format!("Bearer {token}")).body("v=0");
        request.send().await.expect("the media server answers").status().as_u16()
    };
    let token = shop.server.rest().post(&format!("/v1/streams/{show}/viewer-token"), json!({})).await.expect(201);
    let key = shop.host.post(&format!("/v1/streams/{show}/publish-key"), json!({})).await.expect(201);
    for wrong in ["", "view_0", key["key"].as_str().unwrap()] {
        assert_eq!(ask(wrong).await, 401, "{wrong}");
    }
    assert_ne!(ask(token["key"].as_str().unwrap()).await, 401, "the token is valid, and the offer is not");
}
