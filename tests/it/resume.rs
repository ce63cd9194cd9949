//! Resuming: after a lost connection, on another screen, too slow, after a restart of the server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::SOON;
use crate::support::process::Signal;
use crate::support::proxy::Proxy;
use crate::support::shop::{Shop, id};
use crate::support::socket::{JoinOptions, Live};
use client::ClientPosition;

fn say(text: &str) -> Value {
    json!({"do": "say", "text": text})
}

fn texts(events: &Value) -> Vec<&str> {
    let chat = events.as_array().expect("events").iter().filter(|event| event["type"] == "chat");
    chat.map(|event| event["text"].as_str().unwrap()).collect()
}

fn at(position: &ClientPosition) -> JoinOptions {
    JoinOptions { position: Some(position.clone()), ..JoinOptions::default() }
}

#[tokio::test]
async fn disconnected_viewer_gets_exactly_what_was_missed() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({})).await;
    let proxy = Proxy::start(shop.server.address()).await;
    let mut host = shop.live("the-host", "host").await;
    let mut viewer = Live::connect(&proxy.url(), &shop.stream, Some(&shop.token("Ann", "viewer"))).await;
    host.ask(say("before")).await.unwrap();
    viewer.event("chat", SOON, |event| event["text"] == "before").await;

    proxy.cut();
    assert_eq!(viewer.closed(SOON).await.code, 1006);
    let missed: Vec<String> = (0..20).map(|number| format!("missed {number}")).collect();
    for text in &missed {
        host.ask(say(text)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await; // disconnected for a few seconds: many ticks, not one
    }
    host.ask(json!({"do": "buy", "offer": offer, "qty": 4, "key": "while-away"})).await.unwrap();
    host.ask(json!({"do": "pin", "offer": offer})).await.unwrap();
    let gone = Live::join(&proxy.url(), &shop.stream, at(&viewer.position)).await;
    assert_eq!(gone.unwrap_err().code, 1006, "the proxy refuses connections");
    proxy.restore();

    let mut back = Live::join(&proxy.url(), &shop.stream, at(&viewer.position)).await.unwrap();
    assert_eq!(back.hello["recovered"], true);
    assert_eq!(texts(&back.hello["events"]), missed);
    let events = back.hello["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[20]["type"]), (21, &json!("pinned")));
    assert_eq!(back.state["pin"]["offer"], offer.as_str());
    back.until_state("five left", SOON, |state| state["offers"][&offer]["left"] == 5).await;
    // If nothing was missed, hello has no events; and the room continues from there.
    let position = back.position.clone();
    let again = Live::join(&shop.server.url, &shop.stream, at(&position)).await.unwrap();
    assert_eq!((&again.hello["recovered"], again.hello["events"].as_array().unwrap().len()), (&json!(true), 0));
    host.ask(say("after")).await.unwrap();
    back.event("chat", SOON, |event| event["text"] == "after").await;
}

#[tokio::test]
async fn unknown_position_gives_a_snapshot() {
    let shop = Shop::demo(&[]).await;
    let mut host = shop.live("the-host", "host").await;
    for number in 0..40 {
        host.ask(say(&format!("{number}"))).await.unwrap();
    }
    host.event("the last message", SOON, |event| event["text"] == "39").await;
    let head = shop.watch().await.position;
    for (name, position) in [
        ("another epoch", ClientPosition { epoch: "nobody-knows".to_owned(), seq: head.seq }),
        ("a seq from the future", ClientPosition { seq: head.seq + 1_000, ..head.clone() }),
        ("a malformed epoch", ClientPosition { epoch: "%22%3E".to_owned(), seq: 0 }),
    ] {
        let live = Live::join(&shop.server.url, &shop.stream, at(&position)).await.unwrap();
        assert_eq!(live.hello["recovered"], false, "{name}");
        assert_eq!(live.position, head, "{name}");
        assert_eq!(texts(&live.hello["events"]).len(), 30, "{name}");
        assert!(live.state["offers"].is_object() && live.state["chat"].is_object(), "{name}: {:#}", live.state);
    }
    // From the very start there is no hole either.
    let start = ClientPosition { seq: 0, ..head.clone() };
    let live = Live::join(&shop.server.url, &shop.stream, at(&start)).await.unwrap();
    assert_eq!(live.position, head);
    if live.hello["recovered"] == true {
        assert_eq!(texts(&live.hello["events"]).len(), 40);
    }
}

#[tokio::test]
async fn newest_connection_of_a_session_wins() {
    let shop = Shop::demo(&[]).await;
    let token = shop.token("Ann", "viewer");
    let join = |session: &str| JoinOptions {
        token: Some(token.clone()),
        session: Some(session.to_owned()),
        ..JoinOptions::default()
    };
    let mut first = Live::join(&shop.server.url, &shop.stream, join("tab-one")).await.unwrap();
    let mut other = Live::join(&shop.server.url, &shop.stream, join("tab-two")).await.unwrap();
    let mut second = Live::join(&shop.server.url, &shop.stream, join("tab-one")).await.unwrap();
    assert_eq!(first.closed(SOON).await.code, 4509);
    second.ask(say("it is me now")).await.unwrap();
    other.event("chat", SOON, |event| event["text"] == "it is me now").await;
    // Two tabs of one user are one viewer.
    other.until_state("one viewer", SOON, |state| state["viewers"] == 1).await;
    // Knowing a session's id is not enough to close another user's connection.
    let mut bob = join("tab-one");
    bob.token = Some(shop.token("Bob", "viewer"));
    let _bob = Live::join(&shop.server.url, &shop.stream, bob).await.unwrap();
    second.ask(say("still me")).await.unwrap();
}

#[tokio::test]
async fn viewer_who_stops_reading_is_closed_and_nobody_notices() {
    let shop = Shop::demo(&[]).await;
    let mut fast = shop.live("Bob", "viewer").await;
    let mut host = shop.live("the-host", "host").await;
    let proxy = Proxy::narrow(shop.server.address()).await;
    let mut slow = Live::connect(&proxy.url(), &shop.stream, None).await;
    fast.until_state("two viewers", SOON, |state| state["viewers"] == 2).await;
    proxy.black_hole();
    // More than the kernel and the server buffer for a viewer, while the fast one receives every message at once.
    let mut slowest = Duration::ZERO;
    let text = "ن".repeat(190);
    let mut sent = 0;
    while fast.state["viewers"] == 2 {
        let started = std::time::Instant::now();
        let line = format!("{sent} {text}");
        host.ask(say(&line)).await.unwrap();
        fast.event("chat", SOON, |event| event["text"] == line.as_str()).await;
        slowest = slowest.max(started.elapsed());
        sent += 1;
        assert!(sent < 20_000, "the slow one is still counted after {sent} messages");
    }
    assert_eq!(fast.state["viewers"], 1);
    assert!(slowest < Duration::from_secs(2), "a message took {slowest:?}");
    proxy.restore();
    let closed = slow.closed(SOON).await;
    assert!(matches!(closed.code, 4008 | 1006), "{closed:?}");
    // It resumes from its position, or gets a snapshot; the test client checks that there is no hole.
    let back = Live::join(&shop.server.url, &shop.stream, at(&slow.position)).await.unwrap();
    assert_eq!(back.position, fast.position);
}

#[tokio::test]
async fn viewer_count_goes_up_and_down() {
    let shop = Shop::demo(&[]).await;
    let mut watcher = shop.watch().await;
    watcher.until_state("one viewer", SOON, |state| state["viewers"] == 1).await;
    let mut others = Vec::new();
    for number in 0..5 {
        others.push(shop.live(&format!("viewer-{number}"), "viewer").await);
    }
    let _host = shop.live("the-host", "host").await;
    watcher.until_state("six viewers", SOON, |state| state["viewers"] == 6).await;
    let stream = shop.host.get(&format!("/v1/streams/{}", shop.stream)).await.expect(200);
    assert_eq!(stream["viewers"], 6, "the host is not part of the audience");
    others.pop().unwrap().leave().await;
    drop(others.pop());
    watcher.until_state("four viewers", SOON, |state| state["viewers"] == 4).await;
    drop(others);
    watcher.until_state("one viewer", SOON, |state| state["viewers"] == 1).await;
    let report = shop.host.get(&shop.path("report")).await.expect(200);
    assert_eq!((&report["viewers"], &report["viewers_peak"]), (&json!(1), &json!(6)));
}

#[tokio::test]
async fn restarted_server_gives_every_viewer_a_correct_snapshot() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({"offer": offer})).await.expect(200);
    shop.host.post(&shop.path("announcements"), json!({"text": "back at nine"})).await.expect(200);
    let mut ann = shop.live("Ann", "viewer").await;
    let bought = ann.ask(json!({"do": "buy", "offer": offer, "qty": 2, "key": "before-restart"})).await.unwrap();
    ann.ask(say("before")).await.unwrap();
    ann.event("chat", SOON, |event| event["text"] == "before").await;
    let (position, token) = (ann.position.clone(), shop.token("Ann", "viewer"));
    let v = |state: &Value| {
        let v = state["offers"][&offer]["v"].as_array().unwrap().iter().map(|part| part.as_u64().unwrap());
        v.collect::<Vec<_>>()
    };
    ann.until_state("seven left", SOON, |state| state["offers"][&offer]["left"] == 7).await;
    let before = v(&ann.state);

    let folder = shop.server.folder();
    let mut server = shop.server;
    // Killed without a warning: an acknowledged order is not lost.
    server.process.signal(Signal::Kill);
    server.process.end(SOON).await;
    let shop = Shop::demo_in(folder, &[]).await;
    let join = JoinOptions { token: Some(token), position: Some(position.clone()), ..JoinOptions::default() };
    let mut ann = Live::join(&shop.server.url, &shop.stream, join).await.unwrap();
    assert_eq!(ann.hello["recovered"], false);
    assert_ne!(ann.position.epoch, position.epoch);
    assert_eq!(ann.state["pin"]["offer"], offer.as_str());
    assert_eq!(ann.state["chat"]["notice"], "back at nine");
    assert_eq!(ann.state["offers"][&offer]["left"], 7);
    assert!(v(&ann.state) > before, "{:?} is not after {before:?}", v(&ann.state));
    let again = ann.ask(json!({"do": "buy", "offer": offer, "qty": 2, "key": "before-restart"})).await.unwrap();
    assert_eq!((id(&again["order"]), &again["replayed"]), (id(&bought["order"]), &json!(true)));
    // Only the numbering is new: a client that resumes in the new epoch is recovered.
    ann.ask(say("after")).await.unwrap();
    let from = ann.position.clone();
    ann.event("chat", SOON, |event| event["text"] == "after").await;
    let back = Live::join(&shop.server.url, &shop.stream, at(&from)).await.unwrap();
    assert_eq!(back.hello["recovered"], true);
    shop.assert_left(&offer, 7).await;
}
