//! Several servers: each carries its own streams, and the failure of one affects only its streams. Two shops on one
//! server.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use livesouk::broker::{Broker, BrokerEvent, Error, StreamHistory};
use livesouk::domain::{StreamId, UserId};

use super::fixture::{Fixture, Node, texts};
use crate::support::redis::{Cluster, Redis};
use crate::support::{SOON, until_some};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_of_one_server_stops_only_its_own_streams() {
    let (first, mut second) = (Redis::start().await, Redis::start().await);
    let urls = format!("{},{}", first.url(), second.url());
    let (ann, bob) = (Node::on(&urls).await, Node::on(&urls).await);
    let streams: Vec<StreamId> = (0..40).map(|_| StreamId::new()).collect();
    let (safe, doomed): (Vec<_>, Vec<_>) = streams.iter().partition(|stream| ann.broker.shard_of(**stream) == 0);
    assert!(!safe.is_empty() && !doomed.is_empty());
    for stream in &streams {
        assert_eq!(ann.broker.shard_of(*stream), bob.broker.shard_of(*stream));
    }
    let history = bob.broker.subscribe(safe[0]).await.unwrap();
    second.kill().await;
    ann.until_up(false, SOON).await;
    assert_eq!(ann.broker.publish(doomed[0], vec!["x".into()]).await, Err(Error::Unavailable));
    ann.publish(safe[0], "still here").await;
    assert_eq!(texts(&bob.wait_for_log(1, safe[0], &history).await), ["still here"]);
    assert!(ann.broker.is_up(safe[0]) && !ann.broker.is_up(doomed[0]));
    ann.receives("loss", |event| (*event == BrokerEvent::Link { shard: 1, is_up: false }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_spreads_streams_over_masters_and_a_dead_master_stops_only_its_own() {
    let mut cluster = Cluster::start().await;
    let (ann, bob) = (Node::on(&cluster.url()).await, Node::on(&cluster.url()).await);
    let streams: Vec<StreamId> = (0..30).map(|_| StreamId::new()).collect();
    let mut histories = Vec::new();
    for stream in &streams {
        histories.push(bob.broker.subscribe(*stream).await.unwrap());
        ann.publish(*stream, "hi").await;
    }
    for (stream, history) in streams.iter().zip(&histories) {
        assert_eq!(texts(&bob.wait_for_log(1, *stream, history).await), ["hi"]);
    }
    for master in &cluster.masters {
        assert!(master.calls("evalsha").await >= 3, "every master numbers some of them");
        assert_eq!(master.calls("publish").await, 0, "a plain publish would be sent to all masters");
    }
    cluster.masters[0].kill().await;
    ann.until_up(false, SOON).await;
    let up = ann.broker.metrics().shards_up.load(Ordering::Relaxed);
    assert!((8..=12).contains(&up), "{up} of 16 partitions are left");
    let alive = streams.iter().position(|stream| ann.broker.is_up(*stream)).unwrap();
    ann.publish(streams[alive], "still here").await;
    assert_eq!(texts(&bob.wait_for_log(2, streams[alive], &histories[alive]).await), ["hi", "still here"]);
}

/// A show on the cluster that both nodes are subscribed to and that has an event.
async fn show_on(cluster: &Cluster) -> (Node, Node, StreamId, StreamHistory) {
    let (ann, bob) = (Node::on(&cluster.url()).await, Node::on(&cluster.url()).await);
    let stream = StreamId::new();
    let history = bob.broker.subscribe(stream).await.unwrap();
    ann.broker.subscribe(stream).await.unwrap();
    ann.publish(stream, "before").await;
    bob.wait_for_log(1, stream, &history).await;
    (ann, bob, stream, history)
}

/// Both nodes publish and receive each other's events. Returns how long that took.
async fn wait_until_healed(ann: &Node, bob: &Node, stream: StreamId, history: &StreamHistory) -> Duration {
    let began = Instant::now();
    for (publisher, text) in [(ann, "from ann"), (bob, "from bob")] {
        let published = async || publisher.broker.publish(stream, vec![text.into()]).await.ok();
        until_some("publish", Duration::from_secs(15), published).await;
    }
    for node in [ann, bob] {
        until_some("both", Duration::from_secs(15), async || {
            let log = node.log(stream, history);
            ["from ann", "from bob"].iter().all(|text| texts(&log).contains(text)).then_some(())
        })
        .await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slot_that_moves_to_another_master_takes_its_streams_along() {
    let cluster = Cluster::start().await;
    let (ann, bob, stream, history) = show_on(&cluster).await;
    let (home, slot) = cluster.home_of(stream).await.unwrap();
    let next = (home + 1) % 3;
    cluster.move_slot(slot, home, next).await;
    let took = wait_until_healed(&ann, &bob, stream, &history).await;
    assert_eq!(cluster.home_of(stream).await, Some((next, slot)));
    assert!(took < Duration::from_secs(6), "{took:?}");
    // And back, while no publish would notice it.
    cluster.move_slot(slot, next, home).await;
    let listens = async || (cluster.home_of(stream).await == Some((home, slot))).then_some(());
    until_some("subscriptions on the old master", Duration::from_secs(6), listens).await;
    wait_until_healed(&ann, &bob, stream, &history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_that_takes_over_from_its_master_is_found() {
    let mut cluster = Cluster::start().await;
    let (ann, bob, stream, history) = show_on(&cluster).await;
    let (home, slot) = cluster.home_of(stream).await.unwrap();
    let replica = cluster.replica_of(home).await;
    cluster.masters[home].kill().await;
    let took = wait_until_healed(&ann, &bob, stream, &history).await;
    assert!(took < Duration::from_secs(15), "{took:?}");
    cluster.masters[home] = replica;
    assert_eq!(cluster.home_of(stream).await, Some((home, slot)));
    let position = ann.publish(stream, "on").await;
    assert_ne!(position.epoch, history.position.epoch, "it may have lost data, so a new epoch starts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shops_on_one_redis_receive_only_their_own_messages() {
    let f = Fixture::on_redis().await;
    let (other, mut deliveries) = Broker::redis(&f.urls(), "another-shop").unwrap();
    assert!(other.wait_until_up(SOON).await);
    let (stream, history) = f.show().await;
    other.subscribe(stream).await.unwrap();
    f.ann.broker.publish_to_user(UserId::parse("buyer").unwrap(), "order".into(), true).unwrap();
    f.ann.publish(stream, "ours").await;
    assert_eq!(texts(&f.bob.wait_for_log(1, stream, &history).await), ["ours"]);
    assert_eq!(other.publish(stream, vec!["theirs".into()]).await.unwrap().seq, 1);
    let first = loop {
        match deliveries.recv().await {
            Some(BrokerEvent::Link { .. }) => {}
            other => break other,
        }
    };
    assert!(matches!(&first, Some(BrokerEvent::Events { bodies, .. }) if bodies[0] == "theirs"), "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeat_measures_the_broker_latency_every_second() {
    let redis = Redis::start().await;
    let node = Node::on(&redis.url()).await;
    let latency = || &node.broker.metrics().heartbeat_latency;
    let received = async || (3 <= latency().count()).then_some(());
    until_some("three heartbeats", Duration::from_secs(5), received).await;
    assert!(latency().sum() < latency().count() * 500_000, "{:?}", latency());
}
