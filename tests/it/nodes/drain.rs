//! A node is asked to stop while people talk and buy: they move to another, and nothing is lost on the way.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Town, hears, say};
use crate::support::SOON;
use crate::support::process::Signal;
use crate::support::shop::{At, id, key};
use crate::support::socket::Join;

#[tokio::test]
async fn a_node_that_stops_says_so_before_it_sends_anybody_away() {
    let mut town = Town::with(&["--grace-seconds", "2", "--drain-seconds", "1"]).await;
    let mut ann = town.one.live("Ann", "viewer").await;
    town.one.server.process.signal(Signal::Terminate);
    let rest = town.one.server.rest();
    crate::support::until_some("not ready", SOON, async || (rest.get("/readyz").await.status == 503).then_some(()))
        .await;
    // The balancer may not have looked yet: who comes is served.
    let mut late = town.one.live("Bob", "viewer").await;
    ann.ask(say("still here")).await.unwrap();
    hears(&mut late, "still here").await;
    for live in [&mut ann, &mut late] {
        live.until("moving", SOON, |frame| frame["t"] == "moving").await;
        assert!(matches!(live.closed(SOON).await.code, 4000..=4499 | 1006));
    }
    assert_eq!(town.one.server.process.end(SOON).await.code(), Some(0));
}

/// Watches at one node and, told to move, goes on at the other before it leaves; the number of frames told it twice or not
/// at all is none, or the socket panics.
async fn moves(one: &At, two: &At, user: &str, texts: usize) {
    let join = Join { session: Some(format!("session-of-{user}")), ..Join::default() };
    let mut live = one.live_as(user, join.clone()).await;
    live.until("moving", Duration::from_secs(60), |frame| frame["t"] == "moving").await;
    let position = live.position.clone();
    let mut next = two.live_as(user, Join { position: Some(position), ..join }).await;
    assert_eq!(next.hello["recovered"], true, "{user}: {:#}", next.hello);
    hears(&mut next, &format!("text {}", texts - 1)).await;
    next.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_a_node_during_chat_and_a_flash_sale_loses_no_event_no_hold_and_no_order() {
    const TEXTS: usize = 120;
    const BUYERS: usize = 60;
    let mut town = Town::with(&["--drain-seconds", "2"]).await;
    let terms = json!({"kind": "flash", "countdown_s": 10, "duration_s": 300});
    let offer = town.one.on_sale(BUYERS as i64, terms).await;
    let is_open = async || (town.one.offer(&offer).await["status"] == "open").then_some(());
    crate::support::until_some("open sale", SOON, is_open).await;
    let mut speaker = town.two.live("Speaker", "viewer").await;
    let (one, two) = (town.one.at(), town.two.at());
    let viewers: Vec<_> = (0..20)
        .map(|n| {
            let (one, two) = (one.clone(), two.clone());
            tokio::spawn(async move { moves(&one, &two, &format!("viewer-{n}"), TEXTS).await })
        })
        .collect();
    let buyers: Vec<_> = (0..BUYERS)
        .map(|n| {
            let (one, two, offer) = (one.clone(), two.clone(), offer.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50 * n as u64)).await;
                let (who, key, path) = (format!("buyer-{n}"), key(), format!("/v1/offers/{offer}/orders"));
                // The same key at the other node when the first one is gone: one order, whichever of them made it.
                let headers = [("idempotency-key", key.as_str())];
                let one_unit = Some(json!({"qty": 1}));
                let first = one.rest(&who).try_send(reqwest::Method::POST, &path, &headers, one_unit).await;
                let again = two.rest(&who).post_keyed(&path, &key, json!({"qty": 1})).await;
                assert!(matches!(again.status, 200 | 201), "{again:?}");
                if let Ok(first) = first
                    && first.status == 201
                {
                    assert_eq!(id(&first.body), id(&again.body));
                }
            })
        })
        .collect();
    for n in 0..TEXTS {
        if n == 30 {
            town.one.server.process.signal(Signal::Terminate);
        }
        speaker.ask(say(&format!("text {n}"))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    for task in viewers.into_iter().chain(buyers) {
        task.await.unwrap();
    }
    assert_eq!(town.one.server.process.end(SOON).await.code(), Some(0), "{}", town.one.server.process.stderr());
    assert_eq!(town.two.number("select count(*) from orders where status = 'held'").await, BUYERS as i64);
    town.two.assert_left(&offer, 0).await;
    town.two.assert_audited().await;
    let texts = "select count(*) from messages where body like 'text %'";
    crate::support::until_some("all that was said in the books", SOON, async || {
        (town.two.number(texts).await == TEXTS as i64).then_some(())
    })
    .await;
}
