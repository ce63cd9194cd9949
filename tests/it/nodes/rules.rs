//! What a moderator decides on one node holds on all both.

use serde_json::json;

use super::fixture::{Nodes, receives, say};
use crate::support::shop::id;
use crate::support::{SOON, until_some};

#[tokio::test]
async fn mute_and_ban_and_their_end_apply_on_every_node() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.two.live("Ann", "viewer").await;
    ann.ask(say("hello")).await.unwrap();
    let mut host = nodes.one.live("the-host", "host").await;
    host.ask(json!({"do": "mute", "user": "Ann", "seconds": 600})).await.unwrap();
    ann.event("mute", SOON, |event| event["type"] == "muted").await;
    let muted = async |ann: &mut crate::support::socket::Live| match ann.ask(say("still here")).await {
        Ok(_) => None,
        Err(error) => (error["code"] == "muted").then_some(()),
    };
    until_some("mute on the other node", SOON, async || muted(&mut ann).await).await;
    let listed = nodes.two.host.get(&nodes.two.path("mutes")).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed:#}");
    host.ask(json!({"do": "unmute", "user": "Ann"})).await.unwrap();
    until_some("end of the mute", SOON, async || ann.ask(say("back")).await.ok()).await;

    host.ask(json!({"do": "ban", "user": "Ann"})).await.unwrap();
    assert_eq!(ann.closed(SOON).await.code, 4502);
    let refused = nodes.two.join(&nodes.two.token("Ann", "viewer")).await.expect_err("banned");
    assert_eq!(refused.code, 4502);
}

#[tokio::test]
async fn slow_mode_counts_messages_sent_on_another_node() {
    let nodes = Nodes::open().await;
    let (mut here, mut there) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Ann", "viewer").await);
    let mut host = nodes.one.live("the-host", "host").await;
    host.ask(json!({"do": "slow_mode", "seconds": 60})).await.unwrap();
    for live in [&mut here, &mut there] {
        live.until_state("slow mode", SOON, |state| state["chat"]["slow_ms"] == 60_000).await;
    }
    // The rule is read again from the store when the value arrives, a moment later.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    here.ask(say("one")).await.unwrap();
    receives(&mut there, "one").await;
    assert_eq!(there.refused(say("two")).await, "slow_mode");
    assert_eq!(here.refused(say("three")).await, "slow_mode");
    let mut bob = nodes.two.live("Bob", "viewer").await;
    bob.ask(say("mine")).await.unwrap();
}

#[tokio::test]
async fn recent_message_of_another_node_can_be_deleted() {
    let nodes = Nodes::open().await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    for round in 0..5 {
        let message = id(&ann.ask(say(&format!("rude {round}"))).await.unwrap());
        // The other node's host is faster than the background writer.
        nodes.two.host.delete(&nodes.two.path(&format!("messages/{message}"))).await.expect(204);
        for live in [&mut ann, &mut bob] {
            live.event("deletion", SOON, |event| event["type"] == "deleted" && event["id"] == message.as_str()).await;
        }
        let late = nodes.one.watch().await;
        assert!(!late.hello.to_string().contains(&format!("rude {round}")), "{:#}", late.hello);
    }
}

#[tokio::test]
async fn node_polls_the_store_for_changes_it_was_not_sent() {
    let nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(5, json!({})).await;
    let mut bob = nodes.two.live("Bob", "viewer").await;
    // A node without the shared broker: nobody is notified of what it does.
    let alone = nodes.one.at_another_node(&[]).await;
    alone.host.put(&alone.path("pin"), json!({"offer": offer})).await.expect(200);
    bob.until_state("pin", SOON, |state| state["pin"]["offer"] == offer.as_str()).await;
    let mut host = alone.live("the-host", "host").await;
    host.ask(json!({"do": "announce", "text": "soon"})).await.unwrap();
    host.ask(json!({"do": "slow_mode", "seconds": 30})).await.unwrap();
    bob.until_state("rules", SOON, |state| state["chat"]["slow_ms"] == 30_000 && state["chat"]["notice"] == "soon")
        .await;
    alone.host.post(&format!("/v1/offers/{offer}/restock"), json!({"add": 1})).await;
    host.ask(json!({"do": "close", "offer": offer})).await.unwrap();
    bob.until_state("closed", SOON, |state| state["offers"][&offer]["status"] == "closed").await;
}
