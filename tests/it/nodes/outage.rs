//! Redis stands still, dies, forgets and comes back; the shop goes on.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fixture::{Town, events_until, hears, say};
use crate::support::shop::{Shop, id, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

async fn buys(shop: &Shop, offer: &str, who: &str) {
    let path = format!("/v1/offers/{offer}/orders");
    shop.rest(who, "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
}

/// Both viewers see that there are so many left, about a second late at most.
async fn see_left(viewers: &mut [&mut Live], offer: &str, left: i64) {
    for live in viewers {
        live.until_state("count", Duration::from_secs(4), |state| state["offers"][offer]["left"] == left).await;
    }
}

#[tokio::test]
async fn without_redis_chat_answers_busy_and_buying_goes_on() {
    let mut town = Town::open().await;
    let offer = town.one.on_sale(20, json!({})).await;
    let (mut ann, mut bob) = (town.one.live("Ann", "viewer").await, town.two.live("Bob", "viewer").await);
    let before = id(&ann.ask(say("before")).await.unwrap());
    hears(&mut bob, "before").await;

    town.redis.kill().await;
    for live in [&mut ann, &mut bob] {
        live.until_state("delay", SOON, |state| state["delayed"]["since"].is_i64()).await;
    }
    let asked = Instant::now();
    let refused = ann.ask(say("into the void")).await.expect_err("nobody would hear it");
    assert_eq!(refused["code"], "busy");
    assert!(refused["retry_ms"].as_i64().unwrap() > 0 && asked.elapsed() < Duration::from_secs(1));
    for shop in town.nodes() {
        let ready = shop.server.rest().get("/readyz").await;
        assert_eq!((ready.status, &ready.body["broker"], &ready.body["store"]), (503, &json!("away"), &json!("ok")));
        assert_eq!(shop.server.rest().get("/readyz?only=store").await.status, 200);
        assert_eq!(shop.server.rest().get("/healthz").await.status, 200);
    }
    buys(&town.one, &offer, "Cem").await;
    buys(&town.two, &offer, "Dan").await;
    see_left(&mut [&mut ann, &mut bob], &offer, 18).await;
    // The other node cannot be told of this one now: it is told later.
    town.two.host.delete(&town.two.path(&format!("messages/{before}"))).await.expect(204);
    // Coming in works too: from the store, and told that something is late.
    let mut eve = town.two.live("Eve", "viewer").await;
    assert!(eve.state["delayed"]["since"].is_i64(), "{:#}", eve.hello);
    assert_eq!(eve.state["offers"][&offer]["left"], 18);

    // It comes back with nothing of what it knew.
    town.redis.restart().await;
    town.until_heard(true).await;
    for live in [&mut ann, &mut bob, &mut eve] {
        live.until_state("no delay", SOON, |state| state["delayed"].is_null()).await;
    }
    until_some("voice", SOON, async || ann.ask(say("after")).await.ok()).await;
    for live in [&mut ann, &mut bob, &mut eve] {
        hears(live, "after").await;
    }
    until_some("deletion on the other node", SOON, async || {
        let late = town.one.watch().await;
        (!late.hello["events"].to_string().contains("before")).then_some(())
    })
    .await;
    until_some("one log again", SOON, async || {
        ann.ask(say("more")).await.unwrap();
        for live in [&mut ann, &mut bob, &mut eve] {
            hears(live, "more").await;
        }
        (ann.position == bob.position && bob.position == eve.position).then_some(())
    })
    .await;
    town.two.assert_left(&offer, 18).await;
    town.two.assert_audited().await;
}

#[tokio::test]
async fn a_room_opened_without_redis_joins_the_others_when_it_is_back() {
    let mut town = Town::open().await;
    let mut ann = town.one.live("Ann", "viewer").await;
    ann.ask(say("before")).await.unwrap();
    hears(&mut ann, "before").await;
    // Written behind within a second, so that the store knows it.
    until_some("message in the store", SOON, async || {
        (town.one.number("select count(*) from messages").await == 1).then_some(())
    })
    .await;
    town.redis.kill().await;
    town.until_heard(false).await;
    let mut bob = town.two.live("Bob", "viewer").await;
    assert!(bob.hello.to_string().contains("before"), "{:#}", bob.hello);
    town.redis.restart().await;
    town.until_heard(true).await;
    until_some("voice", SOON, async || ann.ask(say("after")).await.ok()).await;
    hears(&mut bob, "after").await;
    assert_eq!(ann.position.epoch, bob.position.epoch);
}

#[tokio::test]
async fn a_redis_that_stands_still_for_two_seconds_costs_no_event() {
    let mut town = Town::open().await;
    let (mut ann, mut bob) = (town.one.live("Ann", "viewer").await, town.two.live("Bob", "viewer").await);
    let mut told = Vec::new();
    for n in 0..10 {
        if n == 3 {
            town.redis.freeze();
            let frozen = Instant::now();
            let text = format!("text {n}");
            let saying = ann.ask(say(&text));
            let thawing = async {
                tokio::time::sleep_until((frozen + Duration::from_millis(1_500)).into()).await;
                town.redis.thaw();
            };
            let (said, ()) = tokio::join!(saying, thawing);
            if said.is_ok() {
                told.push(text);
            }
            continue;
        }
        let text = format!("text {n}");
        until_some("voice", SOON, async || ann.ask(say(&text)).await.ok()).await;
        told.push(text);
    }
    // In order, once each, and nobody has to start over.
    let events = events_until(&mut bob, "text 9").await;
    let heard: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(heard, told);
    assert_eq!(bob.position.seq, 1 + told.len() as u64, "the show began, then they talked");
}

#[tokio::test]
async fn a_redis_that_stands_still_for_ten_seconds_is_found_dead_and_heard_again() {
    let mut town = Town::open().await;
    let offer = town.one.on_sale(20, json!({})).await;
    let (mut ann, mut bob) = (town.one.live("Ann", "viewer").await, town.two.live("Bob", "viewer").await);
    town.redis.freeze();
    let frozen = Instant::now();
    bob.until_state("delay", SOON, |state| state["delayed"]["since"].is_i64()).await;
    assert!(frozen.elapsed() < Duration::from_secs(5), "found dead after {:?}", frozen.elapsed());
    buys(&town.one, &offer, "Cem").await;
    see_left(&mut [&mut ann, &mut bob], &offer, 19).await;
    tokio::time::sleep_until((frozen + Duration::from_secs(10)).into()).await;
    town.redis.thaw();
    town.until_heard(true).await;
    until_some("voice", SOON, async || ann.ask(say("after")).await.ok()).await;
    for live in [&mut ann, &mut bob] {
        hears(live, "after").await;
        live.until_state("no delay", SOON, |state| state["delayed"].is_null()).await;
    }
    buys(&town.two, &offer, "Dan").await;
    see_left(&mut [&mut ann, &mut bob], &offer, 18).await;
}
