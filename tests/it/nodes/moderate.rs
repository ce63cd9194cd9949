//! A moderator's decision about chat on one node holds on all both, and the users concerned are notified on every
//! node.

use serde_json::json;

use super::fixture::{Nodes, receives, say};
use crate::support::shop::id;
use crate::support::{SOON, until_some};

#[tokio::test]
async fn blocklist_applies_on_the_other_node() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.two.live("Ann", "viewer").await;
    ann.ask(say("no scam")).await.unwrap();
    let blocklist = json!({"words": [{"word": "scam", "action": "refuse"}]});
    nodes.one.host.put(&nodes.one.path("blocklist"), blocklist).await.expect(200);
    let mut tries = 0;
    until_some("the blocklist on the other node", SOON, async || {
        tries += 1;
        let refused = ann.ask(say(&format!("a scam {tries}"))).await.err();
        refused.filter(|error| error["code"] == "blocked_word")
    })
    .await;
    nodes.one.host.put(&nodes.one.path("blocklist"), json!({"words": []})).await.expect(200);
    until_some("the empty blocklist on the other node", SOON, async || ann.ask(say("a scam at last")).await.ok()).await;
}

#[tokio::test]
async fn review_queue_is_shown_to_moderators_on_every_node() {
    let nodes = Nodes::open().await;
    let (mut ann, mut bob) = (nodes.two.live("Ann", "viewer").await, nodes.one.live("Bob", "viewer").await);
    let (mut here, mut there) = (nodes.one.live("Mo", "moderator").await, nodes.two.live("Mia", "moderator").await);
    here.ask(json!({"do": "chat_rules", "review_all": true})).await.unwrap();
    ann.until_state("the rule", SOON, |state| state["chat"]["review_all"] == true).await;
    let mut tries = 0;
    let pending = until_some("the rule on the other node", SOON, async || {
        tries += 1;
        ann.ask(say(&format!("is it cotton? {tries}"))).await.ok().filter(|reply| reply["pending_review"] == true)
    })
    .await;
    for team in [&mut here, &mut there] {
        team.until("the message", SOON, |frame| frame["message"]["id"] == pending["id"]).await;
    }
    here.ask(json!({"do": "approve", "id": pending["id"], "reason": "fine"})).await.unwrap();
    receives(&mut bob, &format!("is it cotton? {tries}")).await;
    there.until("the end of the review", SOON, |frame| frame["reviewed"] == pending["id"]).await;
    let notice = ann.until("the notice to the author", SOON, |frame| frame["t"] == "audit").await;
    assert_eq!((&notice["entry"]["kind"], &notice["entry"]["reason"]), (&json!("approve"), &json!("fine")));
}

#[tokio::test]
async fn mute_removes_recent_messages_sent_on_another_node() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.two.live("Ann", "viewer").await;
    let mut bob = nodes.two.live("Bob", "viewer").await;
    for round in 0..3 {
        // Broadcast, and most likely not written to the store yet.
        ann.ask(say(&format!("rude {round}"))).await.unwrap();
        let path = nodes.one.path("mutes/Ann");
        nodes.one.host.put(&path, json!({"seconds": 600, "reason": "rude"})).await.expect(200);
        bob.event("the mute", SOON, |event| event["type"] == "muted").await;
        for node in nodes.both() {
            // Another node learns of it a moment later; from then on no hello contains the message.
            let gone = async || (!node.watch().await.hello.to_string().contains("rude")).then_some(());
            until_some("a hello without the message", SOON, gone).await;
        }
        until_some("the messages written and hidden", SOON, async || {
            let all = nodes.one.host.get(&nodes.one.path("messages")).await.expect(200);
            let of_ann = all["items"].as_array().unwrap().len();
            let seen = nodes.two.server.rest().get(&nodes.two.path("messages")).await.expect(200);
            (of_ann == round + 1 && seen["items"].as_array().unwrap().is_empty()).then_some(())
        })
        .await;
        nodes.one.host.delete(&path).await.expect(204);
        until_some("the end of the mute", SOON, async || {
            let mute = nodes.two.host.get(&nodes.two.path("mutes")).await.expect(200);
            mute["items"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn reply_quotes_a_recent_message_of_another_node() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    let mut bob = nodes.two.live("Bob", "viewer").await;
    let asked = id(&ann.ask(say("how much?")).await.unwrap());
    receives(&mut bob, "how much?").await;
    bob.ask(json!({"do": "say", "text": "ten", "reply_to": asked})).await.unwrap();
    let event = receives(&mut ann, "ten").await;
    assert_eq!(event["reply"], json!({"id": asked, "user": "Ann", "name": "Ann", "text": "how much?"}));
}
