//! Chat: delivery of messages, rate limits, mutes and bans, and the stored history.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::Signal;
use crate::support::shop::{Shop, id, now_ms};
use crate::support::socket::Live;
use crate::support::{SOON, until_some};

fn say(text: &str) -> Value {
    json!({"do": "say", "text": text})
}

/// The texts of the next `count` chat messages that this connection receives, in order.
async fn lines(live: &mut Live, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        let frame = live.until("chat message", SOON, |frame| frame["events"].is_array()).await;
        let events = frame["events"].as_array().unwrap().iter().filter(|event| event["type"] == "chat");
        lines.extend(events.map(|event| event["text"].as_str().unwrap().to_owned()));
    }
    lines
}

async fn items(shop: &Shop) -> Vec<Value> {
    shop.host.get(&shop.path("messages?limit=100")).await.expect(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn messages_reach_every_viewer_in_order() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut anonymous, mut ann, mut host) =
        (shop.watch().await, shop.live("Ann", "viewer").await, shop.live("the-host", "host").await);
    let mut sent = Vec::new();
    for number in 0..20 {
        let text = format!("سطر {number}");
        let author = if number % 2 == 0 { &mut ann } else { &mut host };
        sent.push((id(&author.ask(say(&text)).await.unwrap()), text));
    }
    let rest = shop.rest("Bob", "viewer").post(&shop.path("messages"), json!({"text": "over REST"})).await.expect(201);
    sent.push((id(&rest), "over REST".to_owned()));
    let texts: Vec<&str> = sent.iter().map(|(_, text)| text.as_str()).collect();
    for live in [&mut anonymous, &mut ann, &mut host] {
        assert_eq!(lines(live, sent.len()).await, texts);
    }
    // The list is newest first and has the ids that the authors received.
    let stored: Vec<String> = items(&shop).await.iter().rev().map(id).collect();
    assert_eq!(stored, sent.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_have_a_length_limit_a_rate_limit_and_slow_mode() {
    let shop = Shop::demo(&[]).await;
    let (mut ann, mut anonymous, mut host) =
        (shop.live("Ann", "viewer").await, shop.watch().await, shop.live("the-host", "host").await);
    assert_eq!(ann.refused(say(&"ك".repeat(201))).await, "bad_request");
    assert_eq!(ann.refused(say(" \u{200b}\n")).await, "bad_request");
    ann.ask(say(&"كم".repeat(100))).await.unwrap();
    assert_eq!(anonymous.refused(say("hi")).await, "sign_in");
    assert_eq!(anonymous.refused(json!({"do": "react", "kind": "heart", "count": 1})).await, "sign_in");
    shop.server.rest().post(&shop.path("messages"), json!({"text": "hi"})).await.expect_problem(401, "sign_in");

    // A burst of five messages, then one per second.
    let mut bob = shop.live("Bob", "viewer").await;
    let mut error = Value::Null;
    for number in 0..20 {
        if let Err(refusal) = bob.ask(say(&format!("{number}"))).await {
            assert!(number >= 5, "refused number {number}: {refusal}");
            error = refusal;
            break;
        }
    }
    assert_eq!(error["code"], "chat_budget");
    assert!((1..=1_000).contains(&error["retry_ms"].as_i64().unwrap()), "{error}");

    assert_eq!(ann.refused(json!({"do": "slow_mode", "seconds": 30})).await, "forbidden");
    assert_eq!(host.refused(json!({"do": "slow_mode", "seconds": 301})).await, "bad_request");
    host.ask(json!({"do": "slow_mode", "seconds": 30})).await.unwrap();
    anonymous.until_state("slow mode", SOON, |state| state["chat"]["slow_ms"] == 30_000).await;
    let refusal = ann.ask(say("too soon")).await.unwrap_err();
    assert_eq!(refusal["code"], "slow_mode");
    assert!((1..=30_000).contains(&refusal["retry_ms"].as_i64().unwrap()), "{refusal}");
    let reply = shop.rest("Ann", "viewer").post(&shop.path("messages"), json!({"text": "REST"})).await;
    reply.expect_problem(429, "slow_mode");
    for number in 0..10 {
        host.ask(say(&format!("the team has no rate limit {number}"))).await.unwrap();
    }
    host.ask(json!({"do": "slow_mode", "seconds": 0})).await.unwrap();
    ann.ask(say("again")).await.unwrap();
}

#[tokio::test]
async fn mute_lasts_until_its_end_or_until_it_is_lifted() {
    let shop = Shop::demo(&[]).await;
    let (mut ann, mut moderator) = (shop.live("Ann", "viewer").await, shop.live("Mo", "moderator").await);
    ann.ask(say("first")).await.unwrap();
    assert_eq!(moderator.refused(json!({"do": "mute", "user": "Mo", "seconds": 10})).await, "bad_request");
    let before = now_ms();
    let until =
        moderator.ask(json!({"do": "mute", "user": "Ann", "seconds": 10})).await.unwrap()["mute"]["until"].clone();
    assert!((before + 10_000..=now_ms() + 10_000).contains(&until.as_i64().unwrap()), "{until} after {before}");
    let event = ann.event("mute", SOON, |event| event["type"] == "muted").await;
    assert_eq!((&event["user"], &event["name"], &event["until"]), (&json!("Ann"), &json!("Ann"), &until));

    let refusal = ann.ask(say("quiet?")).await.unwrap_err();
    assert_eq!(refusal["code"], "muted");
    assert!((1..=10_000).contains(&refusal["retry_ms"].as_i64().unwrap()), "{refusal}");
    let again = shop.live("Ann", "viewer").await;
    assert_eq!(again.hello["you"]["muted_until"], until);
    let listed = shop.host.get(&shop.path("mutes")).await.expect(200);
    assert_eq!((&listed["items"][0]["user"], &listed["items"][0]["kind"]), (&json!("Ann"), &json!("mute")));
    // A muted viewer may still buy.
    let offer = shop.on_sale(1, json!({})).await;
    ann.ask(json!({"do": "buy", "offer": offer, "qty": 1, "key": "muted-buys"})).await.unwrap();

    until_some("end of the mute", Duration::from_secs(13), async || ann.ask(say("free")).await.ok()).await;
    assert!(now_ms() >= until.as_i64().unwrap(), "a message was accepted before the mute ended");

    moderator.ask(json!({"do": "mute", "user": "Ann", "seconds": 600})).await.unwrap();
    assert_eq!(ann.refused(say("again?")).await, "muted");
    moderator.ask(json!({"do": "unmute", "user": "Ann"})).await.unwrap();
    ann.ask(say("lifted")).await.unwrap();
}

#[tokio::test]
async fn banned_user_is_disconnected_until_the_ban_is_lifted() {
    let shop = Shop::demo(&[]).await;
    let mut ann = [shop.live("Ann", "viewer").await, shop.live("Ann", "viewer").await];
    let mut bob = shop.live("Bob", "viewer").await;
    ann[0].ask(say("hello")).await.unwrap();
    shop.host.put(&shop.path("bans/Ann"), json!({"reason": "advertising"})).await.expect(200);
    for live in &mut ann {
        assert_eq!(live.closed(SOON).await.code, 4502);
    }
    let audit_log = shop.rest("Ann", "viewer").get(&shop.path("audit-log/mine")).await.expect(200);
    assert_eq!(audit_log["items"][0]["reason"], "advertising", "a banned user can still read the reason: {audit_log}");
    let event = bob.event("ban", SOON, |event| event["type"] == "banned").await;
    assert_eq!((&event["user"], &event["name"]), (&json!("Ann"), &json!("Ann")));
    let token = shop.token("Ann", "viewer");
    assert_eq!(shop.join(&token).await.unwrap_err().code, 4502);
    shop.rest("Ann", "viewer").post(&shop.path("messages"), json!({"text": "x"})).await.expect_problem(403, "banned");
    bob.ask(say("still here")).await.unwrap();

    let folder = shop.server.folder();
    drop(shop);
    let shop = Shop::demo_in(folder, &[]).await;
    assert_eq!(shop.join(&token).await.unwrap_err().code, 4502, "a ban survives a restart");
    shop.host.delete(&shop.path("bans/Ann")).await.expect(204);
    shop.join(&token).await.unwrap().ask(say("back")).await.unwrap();
}

#[tokio::test]
async fn banned_viewer_cannot_buy_but_can_pay_held_orders() {
    let shop = Shop::demo(&[]).await;
    let ann = shop.rest("Ann", "viewer");
    let offer = shop.server.started["offers"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/offers/{offer}/orders");
    let held = ann.post_keyed(&path, "ann-key-1", json!({"qty": 1})).await.expect(201);
    shop.host.put(&shop.path("bans/Ann"), json!({})).await.expect(200);
    ann.post_keyed(&path, "ann-key-2", json!({"qty": 1})).await.expect_problem(403, "banned");
    assert_eq!(ann.post_keyed(&path, "ann-key-1", json!({"qty": 1})).await.expect(200)["id"], held["id"]);
    let pay = format!("/v1/orders/{}/pay", held["id"].as_str().unwrap());
    assert_eq!(ann.post_keyed(&pay, "ann-key-3", json!({"token": "ok"})).await.expect(200)["status"], "paid");
}

#[tokio::test]
async fn moderator_cannot_ban_or_mute_the_host() {
    let shop = Shop::demo(&[]).await;
    let moderator = shop.rest("Mona", "moderator");
    // Nobody knows yet that this is a host. The ban keeps the rank of the moderator, so it does not bind a host.
    moderator.put(&shop.path("bans/Hana"), json!({})).await.expect(200);
    let mut host = shop.live("Hana", "host").await;
    moderator.put(&shop.path("bans/Hana"), json!({})).await.expect_problem(403, "outranked");
    host.ask(say("still here")).await.unwrap();
    shop.join(&shop.token("Hana", "host")).await.unwrap().ask(say("and here")).await.unwrap();
    // A user who has written as host cannot be muted, because a mute removes the messages of the user.
    moderator.put(&shop.path("mutes/Hana"), json!({"seconds": 60})).await.expect_problem(403, "outranked");
    let listed: Vec<Value> = items(&shop).await;
    assert!(listed.iter().all(|message| message["deleted"] == false) && listed.len() == 2, "{listed:#?}");
}

#[tokio::test]
async fn banned_helper_has_no_permissions_and_cannot_lift_their_own_mute() {
    let shop = Shop::demo(&[]).await;
    let (mona, paul) = (shop.rest("Mona", "moderator"), shop.rest("Paul", "producer"));
    shop.host.put(&shop.path("mutes/Mona"), json!({"seconds": 600})).await.expect(200);
    mona.delete(&shop.path("mutes/Mona")).await.expect_problem(400, "bad_request");
    for who in ["Mona", "Paul"] {
        shop.host.put(&shop.path(&format!("bans/{who}")), json!({})).await.expect(200);
    }
    mona.delete(&shop.path("bans/Mona")).await.expect_problem(403, "banned");
    mona.delete(&shop.path("bans/Paul")).await.expect_problem(403, "banned");
    mona.put(&shop.path("bans/Ann"), json!({})).await.expect_problem(403, "banned");
    mona.get(&shop.path("export/chat.csv")).await.expect_problem(403, "banned");
    mona.get(&shop.path("blocklist")).await.expect_problem(403, "banned");
    paul.get(&shop.path("report")).await.expect_problem(403, "banned");
    paul.delete(&shop.path("pin")).await.expect_problem(403, "banned");
    let offer = shop.server.started["offers"][0]["id"].as_str().unwrap();
    paul.post(&format!("/v1/offers/{offer}/close"), json!({})).await.expect_problem(403, "banned");
}

#[tokio::test]
async fn deleted_message_is_missing_from_new_joins_and_from_rest() {
    let shop = Shop::demo(&[]).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let kept = id(&ann.ask(say("kept")).await.unwrap());
    let gone = id(&ann.ask(say("gone")).await.unwrap());
    assert_eq!(ann.refused(json!({"do": "delete_message", "id": gone})).await, "forbidden");
    shop.host.delete(&shop.path(&format!("messages/{gone}"))).await.expect(204);
    let event = bob.event("deletion", SOON, |event| event["type"] == "deleted").await;
    assert_eq!(event["id"], gone.as_str());
    for _ in 0..2 {
        // A second deletion changes nothing.
        shop.host.delete(&shop.path(&format!("messages/{gone}"))).await;
    }
    let hello = shop.watch().await.hello;
    let seen: Vec<&Value> =
        hello["events"].as_array().unwrap().iter().filter(|event| event["type"] == "chat").collect();
    assert_eq!(seen.iter().map(|event| event["id"].as_str().unwrap()).collect::<Vec<_>>(), [kept.as_str()]);
    let listed = shop.rest("Bob", "viewer").get(&shop.path("messages")).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [kept]);
    let for_the_team = items(&shop).await;
    let deleted =
        for_the_team.iter().find(|message| id(message) == gone).expect("the team still sees the deleted message");
    assert_eq!(deleted["deleted"], true);
}

#[tokio::test]
async fn emoji_are_likes_and_their_kinds_reach_the_room() {
    let shop = Shop::demo(&[]).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    for (kind, count) in [("fire", 4), ("clap", 2), ("heart", 1)] {
        ann.ask(json!({"do": "react", "kind": kind, "count": count})).await.unwrap();
    }
    let sent = json!({"clap": 2, "fire": 4});
    bob.until_state("seven likes", SOON, |state| state["likes"] == 7 && state["reactions"] == sent).await;
    assert_eq!(bob.refused(json!({"do": "react", "kind": "skull", "count": 1})).await, "bad_request");
    // Who comes later learns the kinds from the hello, so that only new ones rise.
    let carol = shop.live("Carol", "viewer").await;
    assert_eq!(carol.hello["state"]["reactions"], sent);
}

#[tokio::test]
async fn messages_and_hearts_survive_a_restart() {
    let shop = Shop::demo(&["--chat-per-second", "0"]).await;
    let (mut ann, mut bob) = (shop.live("Ann", "viewer").await, shop.live("Bob", "viewer").await);
    let mut sent = Vec::new();
    for number in 0..45 {
        sent.push(id(&ann.ask(say(&format!("{number}"))).await.unwrap()));
    }
    for (live, counts) in [(&mut ann, [50, 1]), (&mut bob, [7, 2])] {
        for count in counts {
            live.ask(json!({"do": "react", "kind": "heart", "count": count})).await.unwrap();
        }
        for count in [0, 51, -1] {
            assert_eq!(live.refused(json!({"do": "react", "kind": "heart", "count": count})).await, "bad_request");
        }
    }
    bob.until_state("sixty hearts", SOON, |state| state["likes"] == 60).await;

    let folder = shop.server.folder();
    let mut server = shop.server;
    server.process.signal(Signal::Terminate);
    assert_eq!(server.process.end(SOON).await.code(), Some(0), "{}", server.process.stderr());
    let shop = Shop::demo_in(folder, &[]).await;

    let hello = shop.watch().await.hello;
    assert_eq!(hello["state"]["likes"], 60);
    let last: Vec<&str> =
        hello["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(last, sent[15..], "a new viewer sees the last thirty messages");
    assert!(hello["events"].as_array().unwrap().iter().all(|event| event["seq"] == 0));

    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = shop.host.get(&shop.path(&format!("messages?limit=20{after}"))).await.expect(200);
        paged.extend(page["items"].as_array().unwrap().iter().map(id));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(paged.len() % 20, 0, "a page that has a next page is full");
        after = format!("&after={next}");
    }
    paged.reverse();
    assert_eq!(paged, sent);
}
