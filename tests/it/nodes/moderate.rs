//! What the team decides about talk on one node holds on all, and who is concerned hears of it wherever they are.

use serde_json::json;

use super::fixture::{Town, hears, say};
use crate::support::shop::id;
use crate::support::{SOON, until_some};

#[tokio::test]
async fn muted_words_hold_on_the_other_node() {
    let town = Town::open().await;
    let mut ann = town.two.live("Ann", "viewer").await;
    ann.ask(say("no scam")).await.unwrap();
    let words = json!({"words": [{"word": "scam", "act": "refuse"}]});
    town.one.host.put(&town.one.path("words"), words).await.expect(200);
    let mut tries = 0;
    until_some("the words on the other node", SOON, async || {
        tries += 1;
        let refused = ann.ask(say(&format!("a scam {tries}"))).await.err();
        refused.filter(|error| error["code"] == "word_refused")
    })
    .await;
    town.one.host.put(&town.one.path("words"), json!({"words": []})).await.expect(200);
    until_some("no words on the other node", SOON, async || ann.ask(say("a scam at last")).await.ok()).await;
}

#[tokio::test]
async fn what_waits_is_shown_to_the_team_of_every_node_and_said_to_all() {
    let town = Town::open().await;
    let (mut ann, mut bob) = (town.two.live("Ann", "viewer").await, town.one.live("Bob", "viewer").await);
    let (mut here, mut there) = (town.one.live("Mo", "moderator").await, town.two.live("Mia", "moderator").await);
    here.ask(json!({"do": "chat_rules", "hold_all": true})).await.unwrap();
    ann.until_state("the rule", SOON, |state| state["chat"]["hold_all"] == true).await;
    let mut tries = 0;
    let held = until_some("the rule on the other node", SOON, async || {
        tries += 1;
        ann.ask(say(&format!("is it cotton? {tries}"))).await.ok().filter(|said| said["held"] == true)
    })
    .await;
    for team in [&mut here, &mut there] {
        team.until("the message", SOON, |frame| frame["message"]["id"] == held["id"]).await;
    }
    here.ask(json!({"do": "approve", "id": held["id"], "reason": "fine"})).await.unwrap();
    hears(&mut bob, &format!("is it cotton? {tries}")).await;
    there.until("it waits no more", SOON, |frame| frame["settled"] == held["id"]).await;
    let told = ann.until("the one concerned", SOON, |frame| frame["t"] == "action").await;
    assert_eq!((&told["action"]["kind"], &told["action"]["reason"]), (&json!("approve"), &json!("fine")));
}

#[tokio::test]
async fn a_mute_takes_away_what_was_said_a_moment_ago_on_another_node() {
    let town = Town::open().await;
    let mut ann = town.two.live("Ann", "viewer").await;
    let mut bob = town.two.live("Bob", "viewer").await;
    for round in 0..3 {
        // Told, and most likely not written yet.
        ann.ask(say(&format!("rude {round}"))).await.unwrap();
        let path = town.one.path("mutes/Ann");
        town.one.host.put(&path, json!({"seconds": 600, "reason": "rude"})).await.expect(200);
        bob.event("the mute", SOON, |event| event["type"] == "muted").await;
        for node in town.nodes() {
            // A node hears of it when it hears of it; from then on nobody who comes sees any of it.
            let gone = async || (!node.watch().await.hello.to_string().contains("rude")).then_some(());
            until_some("a hello without it", SOON, gone).await;
        }
        until_some("all of it written and gone", SOON, async || {
            let all = town.one.host.get(&town.one.path("messages")).await.expect(200);
            let of_ann = all["items"].as_array().unwrap().len();
            let seen = town.two.server.rest().get(&town.two.path("messages")).await.expect(200);
            (of_ann == round + 1 && seen["items"].as_array().unwrap().is_empty()).then_some(())
        })
        .await;
        town.one.host.delete(&path).await.expect(204);
        until_some("the end of the mute", SOON, async || {
            let mute = town.two.host.get(&town.two.path("mutes")).await.expect(200);
            mute["items"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_finds_what_another_node_told_a_moment_ago() {
    let town = Town::open().await;
    let mut ann = town.one.live("Ann", "viewer").await;
    let mut bob = town.two.live("Bob", "viewer").await;
    let asked = id(&ann.ask(say("how much?")).await.unwrap());
    hears(&mut bob, "how much?").await;
    bob.ask(json!({"do": "say", "text": "ten", "reply_to": asked})).await.unwrap();
    let event = hears(&mut ann, "ten").await;
    assert_eq!(event["reply"], json!({"id": asked, "user": "Ann", "name": "Ann", "text": "how much?"}));
}
