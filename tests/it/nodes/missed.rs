//! What could not be told while the bus was away is found in the store when it is back.

use serde_json::json;

use super::fixture::{Town, hears, say, until_broker};
use crate::support::process::Signal;
use crate::support::shop::{Shop, id, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

async fn holds(shop: &Shop, offer: &str, who: &str) -> String {
    let path = format!("/v1/offers/{offer}/orders");
    id(&shop.rest(who, "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201))
}

async fn pays(shop: &Shop, order: &str, who: &str) {
    let path = format!("/v1/orders/{order}/pay");
    shop.rest(who, "viewer").post_keyed(&path, &key(), json!({"token": "ok"})).await.expect(200);
}

async fn is_told(buyer: &mut Live, order: &str, status: &str) {
    let its = |frame: &serde_json::Value| frame["t"] == "order" && frame["order"]["id"] == order;
    buyer.until(status, SOON, |frame| its(frame) && frame["order"]["status"] == status).await;
}

#[tokio::test]
async fn a_buyer_learns_of_their_order_whichever_node_was_cut_off() {
    let (town, ways) = Town::apart().await;
    let offer = town.one.on_sale(9, json!({})).await;
    let mut ann = town.one.live("Ann", "viewer").await;
    // The one that sells, then the one that the buyer is on.
    for (cut_off, way) in [(&town.two, &ways[1]), (&town.one, &ways[0])] {
        let order = holds(&town.two, &offer, "Ann").await;
        is_told(&mut ann, &order, "held").await;
        way.cut();
        until_broker(cut_off, "away").await;
        pays(&town.two, &order, "Ann").await;
        way.restore();
        is_told(&mut ann, &order, "paid").await;
        until_broker(cut_off, "ok").await;
    }
}

#[tokio::test]
async fn buyers_learn_of_their_orders_after_redis_was_away_for_all() {
    let mut town = Town::open().await;
    let offer = town.one.on_sale(9, json!({})).await;
    let (mut ann, mut bob) = (town.one.live("Ann", "viewer").await, town.two.live("Bob", "viewer").await);
    town.redis.kill().await;
    town.until_heard(false).await;
    let anns = holds(&town.two, &offer, "Ann").await;
    let bobs = holds(&town.one, &offer, "Bob").await;
    pays(&town.one, &bobs, "Bob").await;
    town.redis.restart().await;
    is_told(&mut ann, &anns, "held").await;
    is_told(&mut bob, &bobs, "paid").await;
}

#[tokio::test]
async fn what_was_taken_from_the_talk_leaves_every_screen_even_if_nobody_is_left_to_tell_it() {
    let mut town = Town::open().await;
    let (mut ann, mut bob) = (town.one.live("Ann", "viewer").await, town.two.live("Bob", "viewer").await);
    let mut rude = town.two.live("Rude", "viewer").await;
    let spam = id(&ann.ask(say("spam")).await.unwrap());
    rude.ask(say("insult")).await.unwrap();
    ann.ask(say("fine")).await.unwrap();
    hears(&mut bob, "fine").await;
    town.redis.kill().await;
    town.until_heard(false).await;
    town.one.host.delete(&town.one.path(&format!("messages/{spam}"))).await.expect(204);
    let mut host = town.one.live("the-host", "host").await;
    host.ask(json!({"do": "ban", "user": "Rude"})).await.unwrap();
    // The only node that could tell it later is gone before the bus is back, and the bus has forgotten everything.
    town.one.server.process.signal(Signal::Kill);
    town.redis.restart().await;
    // As a client shows it: a snapshot that did not recover begins the talk anew, a deletion takes from it.
    let mut talk: Option<Vec<serde_json::Value>> = None;
    until_some("screen without both messages", SOON, async || {
        let frame = bob.until("frame", SOON, |_| true).await;
        if frame["t"] == "snapshot" && frame["recovered"] == false {
            talk = Some(Vec::new());
        }
        let shown = talk.as_mut()?;
        for event in frame["events"].as_array().into_iter().flatten() {
            shown.retain(|other| event["type"] != "deleted" || other["id"] != event["id"]);
            shown.extend((event["type"] == "chat").then(|| event.clone()));
        }
        let texts: Vec<&str> = shown.iter().filter_map(|event| event["text"].as_str()).collect();
        (texts == ["fine"]).then_some(())
    })
    .await;
    assert_eq!(rude.closed(SOON).await.code, 4502);
    let late = town.two.watch().await.hello["events"].to_string();
    assert!(late.contains("fine") && !late.contains("spam") && !late.contains("insult"), "{late}");
}

#[tokio::test]
async fn one_who_comes_late_is_not_shown_what_a_banned_person_said() {
    let town = Town::open().await;
    let mut rude = town.two.live("Rude", "viewer").await;
    let mut bob = town.two.live("Bob", "viewer").await;
    rude.ask(say("insult")).await.unwrap();
    bob.ask(say("fine")).await.unwrap();
    hears(&mut bob, "fine").await;
    let mut host = town.one.live("the-host", "host").await;
    host.ask(json!({"do": "ban", "user": "Rude"})).await.unwrap();
    for live in [&mut bob, &mut host] {
        live.event("ban", SOON, |event| event["type"] == "banned").await;
    }
    // In the rooms that heard it.
    for shop in [&town.two, &town.one] {
        let late = shop.watch().await.hello["events"].to_string();
        assert!(late.contains("fine") && !late.contains("insult"), "{late}");
    }
    // And in one that opens now and finds the talk in the store alone.
    until_some("both in the store", SOON, async || {
        (town.one.number("select count(*) from messages").await == 2).then_some(())
    })
    .await;
    town.redis.command("FLUSHALL").await;
    let third = town.one.at_another_node(&["--broker", &town.redis.url()]).await;
    let late = third.watch().await.hello["events"].to_string();
    assert!(late.contains("fine") && !late.contains("insult"), "{late}");
}
