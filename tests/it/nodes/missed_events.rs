//! What could not be published while the broker was unavailable is read from the store when it is back.

use serde_json::json;

use super::fixture::{Nodes, receives, say, until_broker};
use crate::support::process::Signal;
use crate::support::shop::{Shop, id, key};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

async fn reserve(shop: &Shop, offer: &str, buyer: &str) -> String {
    let path = format!("/v1/offers/{offer}/orders");
    id(&shop.rest(buyer, "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201))
}

async fn pay(shop: &Shop, order: &str, buyer: &str) {
    let path = format!("/v1/orders/{order}/pay");
    shop.rest(buyer, "viewer").post_keyed(&path, &key(), json!({"token": "ok"})).await.expect(200);
}

async fn receives_order(buyer: &mut Live, order: &str, status: &str) {
    let its = |frame: &serde_json::Value| frame["t"] == "order" && frame["order"]["id"] == order;
    buyer.until(status, SOON, |frame| its(frame) && frame["order"]["status"] == status).await;
}

#[tokio::test]
async fn buyer_receives_the_order_after_either_node_was_cut_off() {
    let (nodes, proxies) = Nodes::behind_proxies().await;
    let offer = nodes.one.on_sale(9, json!({})).await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    // First the node that sells is cut off, then the node that the buyer is on.
    for (cut_off, proxy) in [(&nodes.two, &proxies[1]), (&nodes.one, &proxies[0])] {
        let order = reserve(&nodes.two, &offer, "Ann").await;
        receives_order(&mut ann, &order, "held").await;
        proxy.cut();
        until_broker(cut_off, "away").await;
        pay(&nodes.two, &order, "Ann").await;
        proxy.restore();
        receives_order(&mut ann, &order, "paid").await;
        until_broker(cut_off, "ok").await;
    }
}

#[tokio::test]
async fn buyers_receive_their_orders_after_a_redis_outage() {
    let mut nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(9, json!({})).await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    let anns = reserve(&nodes.two, &offer, "Ann").await;
    let bobs = reserve(&nodes.one, &offer, "Bob").await;
    pay(&nodes.one, &bobs, "Bob").await;
    nodes.redis.restart().await;
    receives_order(&mut ann, &anns, "held").await;
    receives_order(&mut bob, &bobs, "paid").await;
}

#[tokio::test]
async fn removed_messages_leave_every_screen_even_if_the_publishing_node_dies() {
    let mut nodes = Nodes::open().await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    let mut rude = nodes.two.live("Rude", "viewer").await;
    let spam = id(&ann.ask(say("spam")).await.unwrap());
    rude.ask(say("insult")).await.unwrap();
    ann.ask(say("fine")).await.unwrap();
    receives(&mut bob, "fine").await;
    nodes.redis.kill().await;
    nodes.until_connected(false).await;
    nodes.one.host.delete(&nodes.one.path(&format!("messages/{spam}"))).await.expect(204);
    let mut host = nodes.one.live("the-host", "host").await;
    host.ask(json!({"do": "ban", "user": "Rude"})).await.unwrap();
    // The only node that could publish it later is killed before the broker is back, and Redis has lost its data.
    nodes.one.server.process.signal(Signal::Kill);
    nodes.redis.restart().await;
    // As a client shows it: a snapshot that did not recover replaces the chat, a deletion removes a message.
    let mut chat: Option<Vec<serde_json::Value>> = None;
    until_some("screen without both messages", SOON, async || {
        let frame = bob.until("frame", SOON, |_| true).await;
        if frame["t"] == "snapshot" && frame["recovered"] == false {
            chat = Some(Vec::new());
        }
        let shown = chat.as_mut()?;
        for event in frame["events"].as_array().into_iter().flatten() {
            shown.retain(|other| event["type"] != "deleted" || other["id"] != event["id"]);
            shown.extend((event["type"] == "chat").then(|| event.clone()));
        }
        let texts: Vec<&str> = shown.iter().filter_map(|event| event["text"].as_str()).collect();
        (texts == ["fine"]).then_some(())
    })
    .await;
    assert_eq!(rude.closed(SOON).await.code, 4502);
    let late = nodes.two.watch().await.hello["events"].to_string();
    assert!(late.contains("fine") && !late.contains("spam") && !late.contains("insult"), "{late}");
}

#[tokio::test]
async fn late_viewer_sees_no_messages_of_a_banned_user() {
    let nodes = Nodes::open().await;
    let mut rude = nodes.two.live("Rude", "viewer").await;
    let mut bob = nodes.two.live("Bob", "viewer").await;
    rude.ask(say("insult")).await.unwrap();
    bob.ask(say("fine")).await.unwrap();
    receives(&mut bob, "fine").await;
    let mut host = nodes.one.live("the-host", "host").await;
    host.ask(json!({"do": "ban", "user": "Rude"})).await.unwrap();
    for live in [&mut bob, &mut host] {
        live.event("ban", SOON, |event| event["type"] == "banned").await;
    }
    // In the rooms that received the ban.
    for shop in [&nodes.two, &nodes.one] {
        let late = shop.watch().await.hello["events"].to_string();
        assert!(late.contains("fine") && !late.contains("insult"), "{late}");
    }
    // And in a room that opens now and reads the chat from the store alone.
    until_some("both in the store", SOON, async || {
        (nodes.one.number("select count(*) from messages").await == 2).then_some(())
    })
    .await;
    nodes.redis.command("FLUSHALL").await;
    let third = nodes.one.at_another_node(&["--broker", &nodes.redis.url()]).await;
    let late = third.watch().await.hello["events"].to_string();
    assert!(late.contains("fine") && !late.contains("insult"), "{late}");
}
