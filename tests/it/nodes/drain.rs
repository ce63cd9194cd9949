//! A node is asked to stop while viewers chat and buy: they move to another node, and nothing is lost.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Nodes, receives, say};
use crate::support::SOON;
use crate::support::process::Signal;
use crate::support::shop::{At, id, key};
use crate::support::socket::JoinOptions;

#[tokio::test]
async fn stopping_node_announces_it_before_it_closes_connections() {
    let mut nodes = Nodes::with(&["--grace-seconds", "2", "--drain-seconds", "1"]).await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    nodes.one.server.process.signal(Signal::Terminate);
    let rest = nodes.one.server.rest();
    crate::support::until_some("not ready", SOON, async || (rest.get("/readyz").await.status == 503).then_some(()))
        .await;
    // The load balancer may not have checked yet: new connections are served.
    let mut late = nodes.one.live("Bob", "viewer").await;
    ann.ask(say("still here")).await.unwrap();
    receives(&mut late, "still here").await;
    for live in [&mut ann, &mut late] {
        live.until("moving", SOON, |frame| frame["t"] == "moving").await;
        assert!(matches!(live.closed(SOON).await.code, 4000..=4499 | 1006));
    }
    assert_eq!(nodes.one.server.process.end(SOON).await.code(), Some(0));
}

/// Watches at one node. When asked to move, it joins the other node before it leaves. The socket panics if an event is
/// missing or repeated.
async fn watch_and_move(one: &At, two: &At, user: &str, texts: usize) {
    let join = JoinOptions { session: Some(format!("session-of-{user}")), ..JoinOptions::default() };
    let mut live = one.live_as(user, join.clone()).await;
    live.until("moving", Duration::from_secs(60), |frame| frame["t"] == "moving").await;
    let position = live.position.clone();
    let mut next = two.live_as(user, JoinOptions { position: Some(position), ..join }).await;
    assert_eq!(next.hello["recovered"], true, "{user}: {:#}", next.hello);
    receives(&mut next, &format!("text {}", texts - 1)).await;
    next.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_a_node_during_chat_and_a_flash_sale_loses_no_event_hold_or_order() {
    const TEXTS: usize = 120;
    const BUYERS: usize = 60;
    let mut nodes = Nodes::with(&["--drain-seconds", "2"]).await;
    let terms = json!({"kind": "flash", "countdown_s": 10, "duration_s": 300});
    let offer = nodes.one.on_sale(BUYERS as i64, terms).await;
    let is_open = async || (nodes.one.offer(&offer).await["status"] == "open").then_some(());
    crate::support::until_some("open sale", SOON, is_open).await;
    let mut author = nodes.two.live("Speaker", "viewer").await;
    let (one, two) = (nodes.one.at(), nodes.two.at());
    let viewers: Vec<_> = (0..20)
        .map(|n| {
            let (one, two) = (one.clone(), two.clone());
            tokio::spawn(async move { watch_and_move(&one, &two, &format!("viewer-{n}"), TEXTS).await })
        })
        .collect();
    let buyers: Vec<_> = (0..BUYERS)
        .map(|n| {
            let (one, two, offer) = (one.clone(), two.clone(), offer.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50 * n as u64)).await;
                let (buyer, key, path) = (format!("buyer-{n}"), key(), format!("/v1/offers/{offer}/orders"));
                // The same key at the other node when the first one is gone: one order, whichever node made it.
                let headers = [("idempotency-key", key.as_str())];
                let one_unit = Some(json!({"qty": 1}));
                let first = one.rest(&buyer).try_send(reqwest::Method::POST, &path, &headers, one_unit).await;
                let again = two.rest(&buyer).post_keyed(&path, &key, json!({"qty": 1})).await;
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
            nodes.one.server.process.signal(Signal::Terminate);
        }
        author.ask(say(&format!("text {n}"))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    for task in viewers.into_iter().chain(buyers) {
        task.await.unwrap();
    }
    assert_eq!(nodes.one.server.process.end(SOON).await.code(), Some(0), "{}", nodes.one.server.process.stderr());
    assert_eq!(nodes.two.number("select count(*) from reservations where status = 'held'").await, BUYERS as i64);
    nodes.two.assert_left(&offer, 0).await;
    nodes.two.assert_audited().await;
    let texts = "select count(*) from messages where body like 'text %'";
    crate::support::until_some("all messages in the store", SOON, async || {
        (nodes.two.number(texts).await == TEXTS as i64).then_some(())
    })
    .await;
}
