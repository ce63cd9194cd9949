//! A viewer sees the same room on every node.

use serde_json::json;

use super::fixture::{Nodes, events_until, receives, say};
use crate::support::ports::free_address;
use crate::support::postgres::Database;
use crate::support::process::Process;
use crate::support::redis::{Redis, Tls};
use crate::support::rest::Rest;
use crate::support::shop::{KEY, Shop, id, key, sign};
use crate::support::socket::{JoinOptions, Live};
use crate::support::{SOON, until_some};

#[tokio::test]
async fn chat_pins_and_stock_are_the_same_on_both_nodes() {
    let nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(9, json!({})).await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    assert_eq!(ann.position.epoch, bob.position.epoch);
    let mut last = String::new();
    for n in 0..20 {
        last = format!("text {n}");
        let author = if n % 2 == 0 { &mut ann } else { &mut bob };
        author.ask(say(&last)).await.unwrap();
    }
    // Every frame is checked for holes and repeated events.
    for live in [&mut ann, &mut bob] {
        receives(live, &last).await;
    }
    assert_eq!(ann.position, bob.position);

    nodes.two.host.put(&nodes.two.path("pin"), json!({"offer": offer})).await.expect(200);
    for live in [&mut ann, &mut bob] {
        live.until_state("pin", SOON, |state| state["pin"]["offer"] == offer.as_str()).await;
    }
    let path = format!("/v1/offers/{offer}/orders");
    nodes.two.rest("Bob", "viewer").post_keyed(&path, &key(), json!({"qty": 2})).await.expect(201);
    for live in [&mut ann, &mut bob] {
        live.until_state("seven left", SOON, |state| state["offers"][&offer]["left"] == 7).await;
    }
    // A viewer who joins late sees it all.
    let mut late = nodes.two.watch().await;
    assert_eq!(late.position, ann.position);
    assert_eq!(late.state["pin"]["offer"], offer.as_str());
    assert_eq!(late.state["offers"][&offer]["left"], 7);
    ann.ask(say("end")).await.unwrap();
    receives(&mut late, "end").await;
}

#[tokio::test]
async fn viewer_who_moves_to_another_node_resumes() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    for n in 0..5 {
        ann.ask(say(&format!("before {n}"))).await.unwrap();
    }
    receives(&mut ann, "before 4").await;
    let position = ann.position.clone();
    let mut bob = nodes.one.live("Bob", "viewer").await;
    ann.leave().await;
    for n in 0..5 {
        bob.ask(say(&format!("meanwhile {n}"))).await.unwrap();
    }
    // `join` checks that hello contains exactly what was missed.
    let join = JoinOptions { position: Some(position), ..JoinOptions::default() };
    let ann = nodes.two.live_as("Ann", join).await;
    assert_eq!(ann.hello["recovered"], true, "{:#}", ann.hello);
    let texts: Vec<&str> =
        ann.hello["events"].as_array().unwrap().iter().filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(texts, ["meanwhile 0", "meanwhile 1", "meanwhile 2", "meanwhile 3", "meanwhile 4"]);
}

#[tokio::test]
async fn join_from_another_epoch_costs_redis_no_read_of_history() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    ann.ask(say("hello")).await.unwrap();
    // Only the history script calls XREVRANGE and XRANGE.
    let reads = async || nodes.redis.calls("xrevrange").await + nodes.redis.calls("xrange").await;
    let before = reads().await;
    for seq in 0..20 {
        let mut position = ann.position.clone();
        (position.epoch, position.seq) = ("another".into(), seq);
        let join = JoinOptions { position: Some(position), ..JoinOptions::default() };
        let live = Live::join(&nodes.one.server.url, &nodes.one.stream, join).await.unwrap();
        assert_eq!(live.hello["recovered"], false);
    }
    assert_eq!(reads().await, before);
}

#[tokio::test]
async fn first_viewer_on_a_fresh_node_sees_the_viewers_of_the_other() {
    let nodes = Nodes::open().await;
    let mut watchers = Vec::new();
    for _ in 0..3 {
        watchers.push(nodes.one.watch().await);
    }
    until_some("published count", SOON, async || {
        let redis::Value::Array(keys) = nodes.redis.command(&format!("KEYS *:v:{}", nodes.one.stream)).await else {
            panic!("no list")
        };
        let Some(redis::Value::BulkString(key)) = keys.first() else { return None };
        let counts = nodes.redis.command(&format!("HVALS {}", String::from_utf8_lossy(key))).await;
        let redis::Value::Array(counts) = counts else { panic!("no list") };
        let is_three =
            |count: &redis::Value| matches!(count, redis::Value::BulkString(bytes) if bytes.starts_with(b"3 "));
        counts.iter().any(is_three).then_some(())
    })
    .await;
    let first = nodes.two.watch().await;
    // The three and this viewer.
    assert_eq!(first.hello["state"]["viewers"], 4, "{:#}", first.hello);
}

#[tokio::test]
async fn presence_is_summed_and_a_dead_node_expires() {
    let mut nodes = Nodes::open().await;
    let mut watchers = Vec::new();
    for shop in [&nodes.one, &nodes.one, &nodes.one, &nodes.two, &nodes.two] {
        watchers.push(shop.watch().await);
    }
    for live in &mut watchers {
        live.until_state("five", SOON, |state| state["viewers"] == 5).await;
    }
    let view = nodes.two.host.get(&format!("/v1/streams/{}", nodes.two.stream)).await.expect(200);
    assert_eq!(view["viewers"], 5);
    nodes.one.server.process.signal(crate::support::process::Signal::Kill);
    let killed = std::time::Instant::now();
    let mut left = watchers.pop().unwrap();
    left.until_state("two", SOON, |state| state["viewers"] == 2).await;
    // Seven seconds until the number expires, two until it is summed again, one until it is shown.
    assert!(killed.elapsed().as_secs() <= 10, "after {:?}", killed.elapsed());
}

#[tokio::test]
async fn viewers_of_a_stopped_node_are_removed_at_once() {
    let mut nodes = Nodes::open().await;
    let (_ann, mut bob) = (nodes.one.watch().await, nodes.two.watch().await);
    bob.until_state("two", SOON, |state| state["viewers"] == 2).await;
    assert_eq!(nodes.one.server.stop().await.code(), Some(0));
    let stopped = std::time::Instant::now();
    bob.until_state("one", SOON, |state| state["viewers"] == 1).await;
    assert!(stopped.elapsed().as_secs() <= 4, "after {:?}", stopped.elapsed());
}

#[tokio::test]
async fn hearts_of_all_nodes_are_summed_and_none_is_lost_at_exit() {
    let mut nodes = Nodes::open().await;
    let (mut ann, mut bob) = (nodes.one.live("Ann", "viewer").await, nodes.two.live("Bob", "viewer").await);
    for live in [&mut ann, &mut bob] {
        for _ in 0..3 {
            live.ask(json!({"do": "react", "kind": "heart", "count": 7})).await.unwrap();
        }
    }
    for live in [&mut ann, &mut bob] {
        live.until_state("all hearts", SOON, |state| state["likes"] == 42).await;
    }
    bob.ask(json!({"do": "react", "kind": "wow", "count": 1})).await.unwrap();
    ann.until_state("the emoji of the other node", SOON, |state| state["reactions"]["wow"] == 1).await;
    ann.ask(json!({"do": "react", "kind": "fire", "count": 4})).await.unwrap();
    assert_eq!(nodes.one.server.stop().await.code(), Some(0));
    bob.until_state("the last ones too", SOON, |state| state["likes"] == 47).await;
    assert_eq!(nodes.two.number("select likes from streams").await, 47);
}

#[tokio::test]
async fn order_frame_reaches_its_buyer_on_any_node() {
    let nodes = Nodes::open().await;
    let offer = nodes.one.on_sale(9, json!({})).await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    let mut bob = nodes.one.live("Bob", "viewer").await;
    let path = format!("/v1/offers/{offer}/orders");
    let bought = nodes.two.rest("Ann", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
    let frame = ann.until("own order", SOON, |frame| frame["t"] == "order").await;
    assert_eq!((id(&frame["order"]), &frame["order"]["status"]), (id(&bought), &json!("held")));
    let pay = format!("/v1/orders/{}/pay", id(&bought));
    nodes.two.rest("Ann", "viewer").post_keyed(&pay, &key(), json!({"token": "ok"})).await.expect(200);
    ann.until("paid", SOON, |frame| frame["t"] == "order" && frame["order"]["status"] == "paid").await;
    // Published once, although two both read the same outbox event.
    let note = |event: &serde_json::Value| event["type"] == "purchased";
    bob.event("purchase event", SOON, note).await;
    bob.ask(say("end")).await.unwrap();
    let notes = events_until(&mut bob, "end").await.into_iter().filter(note).count();
    assert_eq!(notes, 0, "the event was published twice");
}

#[tokio::test]
async fn start_of_a_sale_is_published_once() {
    let nodes = Nodes::open().await;
    let mut ann = nodes.one.live("Ann", "viewer").await;
    let _bob = nodes.two.watch().await;
    for round in 0..3 {
        let terms = json!({"kind": "flash", "countdown_s": 10, "duration_s": 60});
        let offer = if round == 0 { nodes.two.on_sale(5, terms).await } else { nodes.one.on_sale(5, json!({})).await };
        ann.event("sale opened", SOON, |event| event["type"] == "sale_opened" && event["offer"] == offer.as_str())
            .await;
        // Both both poll every second: give the other one time to poll.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        ann.ask(say(&format!("end {round}"))).await.unwrap();
        let events = events_until(&mut ann, &format!("end {round}")).await;
        let twice = events.iter().any(|event| event["type"] == "sale_opened");
        assert!(!twice, "the start of a sale was published twice");
    }
}

#[tokio::test]
async fn stream_without_viewers_is_unsubscribed_after_half_a_minute() {
    let nodes = Nodes::open().await;
    let ann = nodes.one.live("Ann", "viewer").await;
    let channel = async || match nodes.redis.command("PUBSUB CHANNELS *:s:*").await {
        redis::Value::Array(channels) => channels.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(channel().await, 1);
    ann.leave().await;
    let left = std::time::Instant::now();
    until_some("end of the subscription", std::time::Duration::from_secs(40), async || {
        (channel().await == 0).then_some(())
    })
    .await;
    assert!(left.elapsed().as_secs() >= 29, "after {:?}", left.elapsed());
    let mut bob = nodes.one.live("Bob", "viewer").await;
    bob.ask(say("again")).await.unwrap();
    receives(&mut bob, "again").await;
}

#[tokio::test]
async fn newest_connection_of_a_session_wins_across_nodes() {
    let nodes = Nodes::open().await;
    let join = || JoinOptions { session: Some("one-session".to_owned()), ..JoinOptions::default() };
    let mut first = nodes.one.live_as("Ann", join()).await;
    let mut other = nodes.one.live_as("Bob", join()).await;
    let mut second = nodes.two.live_as("Ann", join()).await;
    assert_eq!(first.closed(SOON).await.code, 4509);
    let mut third = nodes.one.live_as("Ann", join()).await;
    assert_eq!(second.closed(SOON).await.code, 4509);
    // Back and forth, faster than the broker announces it: only the last connection stays.
    let mut ends = tokio::task::JoinSet::new();
    for n in 0..10 {
        let shop = if n % 2 == 0 { &nodes.two } else { &nodes.one };
        let mut live = shop.live_as("Ann", join()).await;
        ends.spawn(async move { (n, live.closed(10 * SOON).await.code) });
        // Nodes tell joins apart by the millisecond.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(third.closed(SOON).await.code, 4509);
    let mut stays: Vec<usize> = (0..10).collect();
    while stays.len() > 1 {
        let end = tokio::time::timeout(SOON, ends.join_next()).await.expect("nine of ten are closed");
        let (n, code) = end.unwrap().unwrap();
        assert_eq!(code, 4509);
        stays.retain(|other| *other != n);
    }
    assert_eq!(stays, [9], "only the newest connection stays");
    other.ask(say("I am here")).await.unwrap();
    assert!(ends.try_join_next().is_none(), "the tenth stays");
    receives(&mut other, "I am here").await;
}

#[tokio::test]
async fn nodes_connect_over_tls_and_reject_an_unknown_certificate() {
    let (database, (redis, tls)) = tokio::join!(Database::migrated(), Redis::with_tls());
    let folder = tempfile::tempdir().unwrap();
    let serve = |trusted: &str| {
        let listen = free_address();
        let (store, broker) = (database.url(), tls.url());
        let args = ["serve", "--listen", &listen, "--store", &store, "--broker", &broker, "--auth-key", KEY];
        let process = Process::livesouk_with(&args, folder.path(), &[("SSL_CERT_FILE", trusted)]);
        (process, format!("http://{listen}"))
    };
    // Migrated by a node that needs no broker.
    let shop = Shop::serve(&database.url(), &database.url()).await;
    let stranger_to_us = Tls::issue();
    let [ours, other] = [&tls, &stranger_to_us].map(|tls| tls.authority().display().to_string());
    let ((_one, here), (_two, there), (stranger, _)) = (serve(&ours), serve(&ours), serve(&other));
    for node in [&here, &there].map(|url| Rest::new(url)) {
        until_some("node on a broker with TLS", SOON, async || {
            let ready = node.try_send(reqwest::Method::GET, "/readyz", &[], None).await.ok()?;
            (ready.status == 200).then_some(())
        })
        .await;
    }
    let token = |user: &str| sign(KEY, user, "viewer", 600);
    let mut ann = Live::connect(&here, &shop.stream, Some(&token("Ann"))).await;
    let mut bob = Live::connect(&there, &shop.stream, Some(&token("Bob"))).await;
    ann.ask(say("nobody listens in")).await.unwrap();
    receives(&mut bob, "nobody listens in").await;
    until_some("rejection of an unknown certificate authority", SOON, async || {
        stranger.stderr().contains("invalid peer certificate").then_some(())
    })
    .await;
    drop(redis);
}
