//! Limits of one user and of one connection: sockets, viewers, frames, and what a flood writes to the log.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::metrics::Metrics;
use crate::support::shop::Shop;
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

async fn until_viewers(shop: &Shop, wanted: u64) {
    let viewers = async || shop.host.get(&shop.path("report")).await.expect(200)["viewers"].as_u64().unwrap();
    until_some(&format!("count of {wanted}"), SOON, async || (viewers().await == wanted).then_some(())).await;
}

#[tokio::test]
async fn one_user_has_a_limited_number_of_sockets_and_is_one_viewer() {
    let shop = Shop::demo(&[]).await;
    let token = shop.token("Ann", "viewer");
    let _anonymous = shop.watch().await;
    let mut sockets: Vec<Live> = Vec::new();
    for number in 0..68 {
        match shop.join(&token).await {
            Ok(socket) => sockets.push(socket),
            Err(closed) => {
                assert!(number >= 64, "socket {number} was refused: {closed:?}");
                assert_eq!(closed.code, 4013);
                let retry_ms = serde_json::from_str::<serde_json::Value>(&closed.reason).unwrap()["retry_ms"].clone();
                assert!(retry_ms.as_i64().unwrap() >= 30_000, "{retry_ms}");
            }
        }
    }
    assert_eq!(sockets.len(), 64);
    until_viewers(&shop, 2).await;
    // Another user is not affected, and the count follows who is really there.
    let bob = shop.live("Bob", "viewer").await;
    until_viewers(&shop, 3).await;
    while sockets.len() > 1 {
        sockets.remove(0).leave().await;
    }
    let open = async || Metrics::of(&shop.host).await.get("livesouk_websocket_connections");
    until_some("three connections", SOON, async || (open().await == 3.0).then_some(())).await;
    until_viewers(&shop, 3).await;
    shop.join(&token).await.expect("there is space again").leave().await;
    sockets.remove(0).leave().await;
    until_viewers(&shop, 2).await;
    bob.leave().await;
    until_viewers(&shop, 1).await;
}

/// How long 400 frames take, all sent at once.
async fn time_of_frames(shop: &Shop) -> Duration {
    let mut live = shop.live("Ann", "viewer").await;
    let started = Instant::now();
    for number in 0..400 {
        live.send(Message::text(json!({"do": "fly", "ref": number.to_string()}).to_string())).await;
    }
    live.until("the last reply", SOON, |frame| frame["ref"] == "399").await;
    started.elapsed()
}

#[tokio::test]
async fn connection_that_sends_too_many_frames_is_read_slower() {
    let (limited, unlimited) = tokio::join!(Shop::demo(&[]), Shop::demo(&["--request-limits", "false"]));
    let (slow, fast) = tokio::join!(time_of_frames(&limited), time_of_frames(&unlimited));
    assert!(slow > Duration::from_millis(3_800), "400 frames, 200 of them at once and then 50 a second: {slow:?}");
    assert!(fast < slow / 2, "{fast:?} without the limit");
    assert!(Metrics::of(&limited.host).await.get("livesouk_limited_total{what=\"frames\"}") > 0.0);
    let off = [&limited, &unlimited]
        .map(|shop| async { shop.server.rest().get("/readyz").await.expect(200)["limits"].clone() });
    let [on, off] = off;
    assert_eq!((on.await, off.await), (json!(null), json!("off")));
}

#[tokio::test]
async fn flood_of_refused_tokens_writes_few_lines() {
    let shop = Shop::demo(&[]).await;
    let lines = || shop.server.process.stderr().matches("a token was refused").count();
    let bad = shop.server.rest().with_token("not-a-token");
    for _ in 0..400 {
        bad.get("/v1/orders").await.expect_problem(401, "token_invalid");
    }
    assert!((1..80).contains(&lines()), "{} lines for 400 refusals", lines());
}
