//! Redis hangs, dies, loses its data and comes back; the shop continues.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fixture::{Nodes, events_until, receives, say};
use crate::support::shop::{Shop, id, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

async fn buy(shop: &Shop, offer: &str, buyer: &str) {
    let path = format!("/v1/offers/{offer}/orders");
    shop.rest(buyer, "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
}

/// Waits until both viewers see this stock, about a second late at most.
async fn see_left(viewers: &mut [&mut Live], offer: &str, left: i64) {
    for live in viewers {
        live.until_state("count", Duration::from_secs(4), |state| state["offers"][offer]["left"] == left).await;
    }
}

#[tokio::test]
async fn without_redis_chat_answers_busy_and_buying_works() {
    let mut nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(20, json!({})).await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    let before = id(&ann.ask(say("before")).await.unwrap());
    receives(&mut bob, "before").await;

    nodes.redis.kill().await;
    for live in [&mut ann, &mut bob] {
        live.until_state("delay", SOON, |state| state["delayed"]["since"].is_i64()).await;
    }
    let asked = Instant::now();
    let refused = ann.ask(say("to no node")).await.expect_err("no node would receive it");
    assert_eq!(refused["code"], "busy");
    assert!(refused["retry_ms"].as_i64().unwrap() > 0 && asked.elapsed() < Duration::from_secs(1));
    for shop in nodes.both() {
        let ready = shop.server.rest().get("/readyz").await;
        assert_eq!((ready.status, &ready.body["broker"], &ready.body["store"]), (503, &json!("away"), &json!("ok")));
        assert_eq!(shop.server.rest().get("/readyz?only=store").await.status, 200);
        assert_eq!(shop.server.rest().get("/healthz").await.status, 200);
    }
    buy(&nodes.one, &offer, "Cem").await;
    buy(&nodes.two, &offer, "Dan").await;
    see_left(&mut [&mut ann, &mut bob], &offer, 18).await;
    // This cannot be published to the other node now: it is published later.
    nodes.two.host.delete(&nodes.two.path(&format!("messages/{before}"))).await.expect(204);
    // Joining works too: the state comes from the store, with a note that it may be late.
    let mut eve = nodes.two.live("Eve", "viewer").await;
    assert!(eve.state["delayed"]["since"].is_i64(), "{:#}", eve.hello);
    assert_eq!(eve.state["offers"][&offer]["left"], 18);

    // Redis comes back without its data.
    nodes.redis.restart().await;
    nodes.until_connected(true).await;
    for live in [&mut ann, &mut bob, &mut eve] {
        live.until_state("no delay", SOON, |state| state["delayed"].is_null()).await;
    }
    until_some("chat message", SOON, async || ann.ask(say("after")).await.ok()).await;
    for live in [&mut ann, &mut bob, &mut eve] {
        receives(live, "after").await;
    }
    until_some("deletion on the other node", SOON, async || {
        let late = nodes.one.watch().await;
        (!late.hello["events"].to_string().contains("before")).then_some(())
    })
    .await;
    until_some("one event log again", SOON, async || {
        ann.ask(say("more")).await.unwrap();
        for live in [&mut ann, &mut bob, &mut eve] {
            receives(live, "more").await;
        }
        (ann.position == bob.position && bob.position == eve.position).then_some(())
    })
    .await;
    nodes.two.assert_left(&offer, 18).await;
    nodes.two.assert_audited().await;
}

#[tokio::test]
async fn room_opened_without_redis_joins_the_others_when_it_is_back() {
    let mut nodes = Nodes::open().await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    ann.ask(say("before")).await.unwrap();
    receives(&mut ann, "before").await;
    // Written in the background within a second, so that the store has it.
    until_some("message in the store", SOON, async || {
        (nodes.one.number("select count(*) from messages").await == 1).then_some(())
    })
    .await;
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    let mut bob = nodes.two.live("Bob", "viewer").await;
    assert!(bob.hello.to_string().contains("before"), "{:#}", bob.hello);
    nodes.redis.restart().await;
    nodes.until_connected(true).await;
    until_some("chat message", SOON, async || ann.ask(say("after")).await.ok()).await;
    receives(&mut bob, "after").await;
    assert_eq!(ann.position.epoch, bob.position.epoch);
}

#[tokio::test]
async fn redis_frozen_for_two_seconds_loses_no_event() {
    let mut nodes = Nodes::open().await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    let mut sent = Vec::new();
    for n in 0..10 {
        if n == 3 {
            nodes.redis.freeze();
            let frozen = Instant::now();
            let text = format!("text {n}");
            let sending = ann.ask(say(&text));
            let thawing = async {
                tokio::time::sleep_until((frozen + Duration::from_millis(1_500)).into()).await;
                nodes.redis.thaw();
            };
            let (reply, ()) = tokio::join!(sending, thawing);
            if reply.is_ok() {
                sent.push(text);
            }
            continue;
        }
        let text = format!("text {n}");
        until_some("chat message", SOON, async || ann.ask(say(&text)).await.ok()).await;
        sent.push(text);
    }
    // In order, once each, and no room restarts.
    let events = events_until(&mut bob, "text 9").await;
    let received: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(received, sent);
    assert_eq!(bob.position.seq, 1 + sent.len() as u64, "the start of the show, then the messages");
}

#[tokio::test]
async fn redis_frozen_for_ten_seconds_is_detected_and_reconnected() {
    let mut nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(20, json!({})).await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    nodes.redis.freeze();
    let frozen = Instant::now();
    bob.until_state("delay", SOON, |state| state["delayed"]["since"].is_i64()).await;
    assert!(frozen.elapsed() < Duration::from_secs(5), "detected after {:?}", frozen.elapsed());
    buy(&nodes.one, &offer, "Cem").await;
    see_left(&mut [&mut ann, &mut bob], &offer, 19).await;
    tokio::time::sleep_until((frozen + Duration::from_secs(10)).into()).await;
    nodes.redis.thaw();
    nodes.until_connected(true).await;
    until_some("chat message", SOON, async || ann.ask(say("after")).await.ok()).await;
    for live in [&mut ann, &mut bob] {
        receives(live, "after").await;
        live.until_state("no delay", SOON, |state| state["delayed"].is_null()).await;
    }
    buy(&nodes.two, &offer, "Dan").await;
    see_left(&mut [&mut ann, &mut bob], &offer, 18).await;
}
